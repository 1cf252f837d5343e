// One logged model: how it was made, what was measured of it, as which versions it is registered.

import { api } from "../api.js";
import { h } from "../dom.js";
import { copyable } from "../components/bits.js";
import { runOf, stateOf } from "./loggedparts.js";
import * as format from "../format.js";

/** MLflow's tag of the versions that a model is registered as: a list in JSON. */
const VERSIONS = "mlflow.modelVersions";

export async function open(page) {
  const model = await api.loggedModel(page.model);
  const experiment = await api.experiment(model.experiment).catch(() => ({ name: model.experiment }));
  const name = model.name || model.id.slice(0, 10);
  page.crumbs({ text: "Experiments", href: "#/experiments" }, { text: experiment.name, href: `#/experiments/${model.experiment}/models` }, { text: name });
  const tags = Object.entries(model.tags).filter(([key]) => !key.startsWith("mlflow."));
  const el = h("div.page.full",
    h("div.page-head", h("h1", name), model.stage === "deleted" && h("span.badge.warn", "deleted")),
    facts(model),
    h("div.fill", h("div.scroll", h("div.overview",
      h("div.column", metrics(model)),
      h("div.column", pairs("Params", Object.entries(model.params)), versions(model), tags.length > 0 && pairs("Tags", tags))))));
  return { el };
}

function facts(model) {
  const fact = (name, ...value) => h("div.fact", h("span", name), h("b", value));
  return h("div.facts",
    fact("Files", stateOf(model)),
    model.kind && fact("Type", model.kind),
    fact("Created", h("span", { title: format.fullDate(model.created_at) }, format.ago(model.created_at))),
    fact("Made by", model.run ? runOf(model.run) : "nobody named"),
    fact("Model id", copyable(model.id, model.id.slice(0, 10) + "…")));
}

function card(title, count, ...rest) {
  return h("section.card", { dataset: { card: title.toLowerCase() } }, h("header", h("h2", title), h("span.count", count)), rest);
}

function metrics({ metrics: all }) {
  if (!all.length) return card("Metrics", 0, h("p.muted.pad", "Nothing was measured of it."));
  const head = ["Metric", "Value", "Step", "Dataset", "Run", "When"];
  const row = (one) => h("tr", h("td.key", one.key), h("td.num", { title: String(one.value) }, format.number(one.value, 6)), h("td.num", format.integer(one.step)),
    h("td", one.dataset ? h("span", { title: one.digest }, one.dataset) : h("span.muted", "—")), h("td", runOf(one.run)),
    h("td", h("span", { title: format.fullDate(one.timestamp) }, format.ago(one.timestamp))));
  return card("Metrics", all.length, h("div.table-scroll", h("table.plain.keyed", h("thead", h("tr", head.map((title) => h("th", { class: /Value|Step/.test(title) ? "num" : "" }, title)))), h("tbody", all.map(row)))));
}

function pairs(title, all) {
  return card(title, all.length, all.length ? h("div.table-scroll", h("table.plain.keyed", h("tbody", all.map(([key, value]) => h("tr", h("td.key", key), h("td.value", value)))))) : h("p.muted.pad", `No ${title.toLowerCase()}.`));
}

function versions(model) {
  let all = [];
  try {
    all = JSON.parse(model.tags[VERSIONS] ?? "[]");
  } catch { /* a tag that anybody may have written */ }
  if (!Array.isArray(all) || !all.length) return null;
  return card("Registered", all.length, h("div.pad.chips", all.map((one) => h("a.chip", { href: `#/models/${encodeURIComponent(String(one?.name))}/versions/${encodeURIComponent(String(one?.version))}` }, `${one?.name} v${one?.version}`))));
}
