// The frame around the pages. Which of them an address means is told by `first.js`.

import { h, fill, icon, button, isTyping } from "./dom.js";
import { api } from "./api.js";
import { closeTop, isOpen, dialog } from "./components/overlay.js";
import { failure, skeleton } from "./components/bits.js";

const { place, pageOf, preload, forget } = window.trackwayFirst;

const crumbs = h("nav.crumbs", { "aria-label": "Where this is" });
const main = h("main", { id: "main" });
const offline = h("div.banner", { hidden: true, role: "alert" }, "The server cannot be reached. What is shown may be old; it is tried again.");
const theme = button("moon", "", () => window.trackwayTheme.toggle(), { title: "Light or dark (t)", class: "ghost" });

let page = null;
let path = "";
let turn = 0;

/** Keeps what a page shows in its address; `null` takes a name away. */
function setQuery(change) {
  const { query } = place();
  for (const [key, value] of Object.entries(change)) {
    if (value == null || value === "") query.delete(key);
    else query.set(key, value);
  }
  const text = query.toString();
  const hash = "#" + path + (text ? "?" + text : "");
  if (hash !== location.hash) history.replaceState(null, "", hash);
}

export function go(hash) {
  location.hash = hash;
}

async function route() {
  const now = place();
  const mine = ++turn;
  closeTop();
  page?.destroy?.();
  page = null;
  path = now.path;
  document.body.classList.remove("has-large");
  fill(crumbs);
  fill(main, h("div.page", skeleton()));
  for (const link of document.querySelectorAll(".nav a")) {
    const models = path.startsWith("/models");
    link.toggleAttribute("aria-current", (link.dataset.part === "models") === models);
  }
  const found = pageOf(now.path);
  if (!found) {
    fill(main, h("div.page", failure({ status: 404, message: `There is no page ${now.path}.` })));
    return;
  }
  const context = {
    /** What the address says now. */
    get query() { return mine === turn ? place().query : now.query; },
    setQuery: (change) => { if (mine === turn) setQuery(change); },
    crumbs: (...items) => { if (mine === turn) showCrumbs(items); },
    isCurrent: () => mine === turn,
    go,
  };
  try {
    preload(found.name);
    const module = await import(`./pages/${found.name}.js`);
    if (mine !== turn) return;
    const made = await module.open(Object.assign(context, found.args));
    if (mine !== turn) {
      made.destroy?.();
      return;
    }
    page = made;
    forget();
    fill(main, made.el);
    made.shown?.();
  } catch (error) {
    if (mine !== turn || error.name === "AbortError") return;
    fill(main, h("div.page", failure(error, route)));
    if (!error.status) console.error(error);
  }
}

function showCrumbs(items) {
  fill(crumbs, items.length > 1 && items.map((item, at) => [at > 0 && icon("chevron", 12), item.href ? h("a", { href: item.href, title: item.text }, item.text) : h("span", { title: item.text }, item.text)]));
  document.title = items.length ? `${items.at(-1).text} · Trackway` : "Trackway";
}

const KEYS = [
  ["/", "search"],
  ["j  k", "next and previous row"],
  ["Enter", "open the row"],
  ["x", "select the row"],
  ["c", "compare what is selected"],
  ["v", "table or charts"],
  ["Esc", "close, reset the zoom, take back the selection"],
  ["g e", "experiments"],
  ["g m", "models"],
  ["t", "light or dark"],
  ["?", "this list"],
];

function help() {
  dialog("Keys", () => h("div.dialog-body",
    h("dl.keys", KEYS.map(([keys, what]) => [h("dt", keys.split("  ").map((key) => h("kbd", key))), h("dd", what)])),
    h("h4", "In charts"),
    h("dl.keys", [["drag", "zoom; the server is asked for this part"], ["Shift drag", "move along the axis"], ["Ctrl wheel", "zoom around the pointer"], ["double click", "all of it again"]].map(([keys, what]) => [h("dt", h("kbd", keys)), h("dd", what)])),
    h("h4", "Filters"),
    h("p.small", h("code", "metrics.loss < 0.5 and (params.opt = 'adam' or tags.env like 'test%')"), " — also ", h("code", "not"), ", ", h("code", "in ('a', 'b')"), ", ", h("code", "between 1 and 2"), ", ", h("code", "is null"), ", ", h("code", "params.name =~ '^re'"), ", ", h("code", "metrics.`val/loss`.min"), ". A plain word looks for names.")));
}

let prefix = 0;

addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    if (closeTop()) return;
    if (isTyping(event)) event.target.blur();
    else page?.key?.(event);
    return;
  }
  if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey || isOpen()) return;
  if (prefix > Date.now() - 1500 && (event.key === "e" || event.key === "m")) {
    prefix = 0;
    return go(event.key === "e" ? "#/experiments" : "#/models");
  }
  prefix = event.key === "g" ? Date.now() : 0;
  if (event.key === "?") return help();
  if (event.key === "t") return window.trackwayTheme.toggle();
  // Enter on a button is that button's.
  if (event.key === "Enter" && event.target.closest?.("button, a, summary")) return;
  page?.key?.(event);
});

function paintTheme() {
  const dark = document.documentElement.dataset.theme === "dark";
  theme.replaceChildren(icon(dark ? "sun" : "moon"));
}

document.addEventListener("themechange", paintTheme);
document.addEventListener("onlinechange", (event) => { offline.hidden = event.detail; });
paintTheme();

const logo = h("img", { src: new URL("icon.svg", import.meta.url).href, width: 22, height: 22, alt: "" });
document.getElementById("app").append(
  h("a.skip", { href: "#main", onclick: (event) => { event.preventDefault(); main.querySelector("a, button, input")?.focus(); } }, "To the content"),
  h("header.top", h("a.brand", { href: "#/experiments" }, logo, h("b", "Trackway")),
    h("nav.nav", { "aria-label": "Parts" }, h("a", { href: "#/experiments", dataset: { part: "experiments" } }, "Experiments"), h("a", { href: "#/models", dataset: { part: "models" } }, "Models")),
    crumbs, h("div.grow"),
    theme, button("help", "", help, { title: "Keys and filters (?)", class: "ghost" })),
  offline, main);

addEventListener("hashchange", route);
route();
