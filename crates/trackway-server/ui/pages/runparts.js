// The tables of a run: metrics, params, tags. Long ones show their first rows and a search.

import { h, fill, button, icon, debounce } from "../dom.js";
import { dialog } from "../components/overlay.js";
import * as format from "../format.js";

const SHOWN = 200;

/** A card with a table of `rows`, which are found by their `key`. `search` keeps what was typed when the card is made anew. */
function card(title, rows, search, name, head, row) {
  const body = h("tbody");
  const more = h("p.muted.small.card-more");
  const show = () => {
    const typed = search[name].toLowerCase();
    const found = rows.filter((one) => one.key.toLowerCase().includes(typed) || String(one.value ?? "").toLowerCase().includes(typed));
    fill(body, found.slice(0, SHOWN).map(row));
    more.hidden = found.length <= SHOWN;
    more.textContent = `The first ${SHOWN} of ${found.length}: type to find the others.`;
  };
  const input = h("input.input.small", { type: "search", placeholder: "Find", "aria-label": `Find in ${title}`, value: search[name], spellcheck: false, oninput: debounce(80, () => { search[name] = input.value; show(); }) });
  show();
  return h("section.card", { dataset: { card: name } }, h("header", h("h2", title), h("span.count", rows.length), h("div.grow"), rows.length > 8 && input),
    rows.length ? h("div.table-scroll", h("table.plain.keyed", h("thead", h("tr", head)), body)) : h("p.muted.pad", `No ${title.toLowerCase()}.`), more);
}

const number = (value) => h("td.num", { title: value == null ? "" : String(value) }, value == null ? "—" : format.number(value, 6));

export function metricTable(run, search, chart) {
  const head = [h("th", "Metric"), h("th.num", "Latest"), h("th.num", "Min"), h("th.num", "Max"), h("th.num", "Step"), h("th.num", "Points")];
  return card("Metrics", run.metrics, search, "metrics", head, (one) => h("tr",
    h("td", h("button.link.key", { type: "button", title: "Its chart", onclick: () => chart(one.key) }, one.key)),
    number(one.latest.value), number(one.min), number(one.max), h("td.num", format.integer(one.latest.step)),
    h("td.num", format.integer(one.count), one.nan_count > 0 && h("span.badge.warn", { title: `${format.integer(one.nan_count)} of them are NaN` }, "NaN"))));
}

export function paramTable(run, search) {
  const rows = Object.entries(run.params).map(([key, value]) => ({ key, value }));
  return card("Params", rows, search, "params", [h("th", "Param"), h("th", "Value")], (one) => h("tr", h("td.key", one.key), h("td.value", long(one.value))));
}

function long(value) {
  if (value.length <= 240) return value;
  return [value.slice(0, 200), "… ", h("button.link", { type: "button", onclick: () => dialog("Value", () => h("pre.code.plain", value), { wide: true }) }, `all ${format.integer(value.length)} characters`)];
}

export function tagTable(run, edit) {
  const rows = Object.entries(run.tags).filter(([key]) => !key.startsWith("mlflow."));
  const hidden = Object.entries(run.tags).filter(([key]) => key.startsWith("mlflow.") && key !== "mlflow.note.content" && key !== "mlflow.runName");
  const row = ([key, value], locked) => h("tr", h("td.key", key), h("td.value", long(value)),
    h("td.tight", !locked && [button("pencil", "", () => ask(key, value), { title: "Change", class: "ghost small writes" }), button("trash", "", () => edit({ [key]: null }), { title: "Delete", class: "ghost small writes" })]));
  const ask = (key, value) => dialog(key ? "Change the tag" : "New tag", (close) => {
    const name = h("input.input", { value: key, "aria-label": "Key", disabled: Boolean(key), autofocus: !key, spellcheck: false });
    const text = h("textarea.input", { rows: 3, "aria-label": "Value", autofocus: Boolean(key) });
    text.value = value;
    return h("form.dialog-body", { onsubmit: (event) => { event.preventDefault(); if (!name.value.trim()) return; close(); edit({ [name.value.trim()]: text.value }); } },
      h("label.stack", h("span", "Key"), name), h("label.stack", h("span", "Value"), text),
      h("footer", h("button.btn", { type: "button", onclick: () => close() }, "Cancel"), h("button.btn.primary", { type: "submit" }, "Keep")));
  });
  return h("section.card", { dataset: { card: "tags" } }, h("header", h("h2", "Tags"), h("span.count", rows.length), h("div.grow"), button("plus", "Add", () => ask("", ""), { class: "ghost small writes" })),
    rows.length ? h("div.table-scroll", h("table.plain.keyed", h("tbody", rows.map((one) => row(one, false))))) : h("p.muted.pad", "No tags."),
    hidden.length > 0 && h("details.more", h("summary", icon("chevron", 12), `${hidden.length} set by the client`), h("div.table-scroll", h("table.plain.keyed", h("tbody", hidden.map((one) => row(one, true)))))));
}
