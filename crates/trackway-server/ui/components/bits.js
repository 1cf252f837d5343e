// Small pieces that several pages share.

import { h, fill, icon, button } from "../dom.js";
import { toast } from "./overlay.js";

export function status(name, deleted = false) {
  const text = name.charAt(0) + name.slice(1).toLowerCase();
  return h("span.status", { class: name.toLowerCase() }, h("i"), deleted ? `${text}, deleted` : text);
}

export function copyable(text, label = text) {
  return h("button.copy", { type: "button", title: `Copy ${text}`, onclick: async (event) => {
    event.stopPropagation();
    try {
      await navigator.clipboard.writeText(text);
      toast("Copied");
    } catch {
      toast("The browser does not let this page copy.", "error");
    }
  } }, h("span", label), icon("copy", 13));
}

export function empty(iconName, title, ...rest) {
  return h("div.empty", icon(iconName, 32), h("h3", title), rest);
}

export function failure(error, again) {
  return h("div.empty.is-error", { role: "alert" }, h("h3", error.status === 404 ? "Not found" : "That did not work"), h("p", error.message),
    again && button("restore", "Try again", again));
}

export function skeleton(lines = 6) {
  return h("div.skeleton-list", { "aria-label": "Loading" }, Array.from({ length: lines }, (_, at) => h("div.skeleton.line", { style: { width: `${88 - (at * 17) % 46}%` } })));
}

/** A text that becomes a field when it is clicked; Enter keeps, Esc takes back. */
export function editable({ value, label, tag = "h1", placeholder = "unnamed", save, locked = false }) {
  const el = h(`${tag}.editable`);
  const show = () => fill(el, h("span", { class: value ? "" : "muted" }, value || placeholder),
    !locked && button("pencil", "", edit, { title: `Change ${label}`, class: "ghost small edit-button" }));
  const edit = () => {
    const input = h("input.input", { value, "aria-label": label, spellcheck: false });
    let done = false;
    const end = async (keep) => {
      if (done) return;
      done = true;
      const wanted = input.value.trim();
      if (keep && wanted !== value && wanted) {
        const old = value;
        value = wanted;
        show();
        try {
          await save(wanted);
        } catch (error) {
          value = old;
          toast(error.message, "error");
        }
      }
      show();
    };
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") end(true);
      else if (event.key === "Escape") end(false);
      event.stopPropagation();
    });
    input.addEventListener("blur", () => end(true));
    fill(el, input);
    input.focus();
    input.select();
  };
  el.addEventListener("dblclick", () => !locked && !el.querySelector("input") && edit());
  show();
  return el;
}

/** Tabs as links, so that they can be opened beside. */
export function tabs(items, active, go) {
  return h("nav.tabs", { role: "tablist" }, items.map(([id, text, count]) => h("button", { type: "button", role: "tab", "aria-selected": String(id === active), onclick: () => go(id) }, text, count != null && h("span.count", count))));
}
