// What tables and pages of logged models share.

import { h } from "../dom.js";
import * as format from "../format.js";

/** Values beside each other in one cell. */
const SHOWN = 4;

export const hrefOf = (model) => `#/experiments/${model.experiment}/models/${model.id}`;

export function nameOf(model) {
  return h("a.strong", { href: hrefOf(model), title: model.id }, model.name || h("span.muted", model.id.slice(0, 10)));
}

/** Its files are there, are on their way, or will not come. */
export function stateOf(model) {
  const text = model.status.toLowerCase().replaceAll("_", " ");
  return h("span.chip", { class: model.status === "READY" ? "accent" : "" }, text);
}

/** The newest point of each metric, by key. */
export function newest(model) {
  const found = new Map();
  for (const one of model.metrics) {
    const other = found.get(one.key);
    if (!other || one.timestamp > other.timestamp || (one.timestamp === other.timestamp && one.step >= other.step)) found.set(one.key, one);
  }
  return [...found.values()];
}

function chips(all, text) {
  return h("span.chips", all.slice(0, SHOWN).map((one) => h("span.chip", { title: text(one) }, text(one))), all.length > SHOWN && h("span.muted.small", `and ${all.length - SHOWN} more`));
}

export const metricsOf = (model) => chips(newest(model), (one) => `${one.key} ${format.number(one.value)}`);
export const paramsOf = (model) => chips(Object.entries(model.params), ([key, value]) => `${key} ${value.length > 40 ? value.slice(0, 39) + "…" : value}`);

export function runOf(id) {
  return id ? h("a", { href: `#/runs/${id}` }, h("code", id.slice(0, 8))) : h("span.muted", "—");
}

/** The models of a run, or nothing where there are none. */
export function modelsCard(tied) {
  if (!tied.length) return null;
  const row = ({ tie, step, model }) => h("tr", h("td", nameOf(model), " ", model.stage === "deleted" && h("span.badge.warn", "deleted")),
    h("td", tie === "used" ? "used" : step == null ? "made" : `made at step ${format.integer(step)}`), h("td", stateOf(model)), h("td", metricsOf(model)), h("td", paramsOf(model)));
  return h("section.card", { dataset: { card: "models" } }, h("header", h("h2", "Logged models"), h("span.count", tied.length)),
    h("div.table-scroll", h("table.plain.keyed", h("thead", h("tr", ["Model", "By this run", "Files", "Metrics", "Params"].map((title) => h("th", title)))), h("tbody", tied.map(row)))));
}
