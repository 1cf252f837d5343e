// One registered model and its versions.

import { api } from "../api.js";
import { h, fill, button, icon } from "../dom.js";
import { prompt, toast } from "../components/overlay.js";
import { copyable, empty } from "../components/bits.js";
import { Notes } from "./notes.js";
import * as format from "../format.js";

export async function open(page) {
  let model = await api.model(page.name);
  page.crumbs({ text: "Models", href: "#/models" }, { text: model.name });
  const holder = h("div.scroll");
  const el = h("div.page.full", h("div.page-head", h("h1", model.name)), facts(model), h("div.fill", holder));
  show();
  if (page.version) holder.querySelector(`[data-version="${CSS.escape(page.version)}"]`)?.classList.add("is-open");
  return { el };

  function show() {
    const notes = new Notes(model.description, (description) => edit({ description }));
    const versions = [...model.versions].reverse();
    fill(holder, h("div.overview.single",
      h("section.card", h("header", h("h2", "Description")), notes.el),
      h("section.card", h("header", h("h2", "Versions"), h("span.count", versions.length)),
        versions.length ? h("div.table-scroll", h("table.plain.keyed.versions",
          h("thead", h("tr", ["Version", "Aliases", "Stage", "Source run", "Created", "Description"].map((title) => h("th", title)))),
          h("tbody", versions.map(row)))) : empty("model", "No versions")),
      Object.keys(model.tags).length > 0 && h("section.card", h("header", h("h2", "Tags")), h("table.plain.keyed", h("tbody", Object.entries(model.tags).map(([key, value]) => h("tr", h("td.key", key), h("td.value", value))))))));
  }

  function row(version) {
    const aliases = h("td", h("span.chips", version.aliases.map((alias) => h("span.chip.accent", `@${alias}`, h("button.chip-close.writes", { type: "button", "aria-label": `Take ${alias} away`, onclick: () => edit({ aliases: { [alias]: null } }) }, icon("close", 11)))),
      button("plus", "", () => prompt(`Alias of version ${version.number}`, "Alias", "", "Set", (alias) => edit({ aliases: { [alias]: version.number } })), { title: "Add an alias", class: "ghost small writes" })));
    const stage = version.stage === "None" ? h("span.muted", "—") : h("span.chip", { class: "stage-" + version.stage.toLowerCase() }, version.stage);
    const run = version.run_id ? h("a", { href: `#/runs/${version.run_id}?tab=artifacts` }, h("code", version.run_id.slice(0, 8))) : h("span.muted", "—");
    const state = version.status === "READY" ? null : h("span.badge.warn", version.status.toLowerCase().replaceAll("_", " "));
    return h("tr", { dataset: { version: version.number } }, h("td", h("b", `v${version.number}`), state), aliases, h("td", stage),
      h("td", run, h("div.small", copyable(version.source, version.source.length > 46 ? version.source.slice(0, 20) + "…" + version.source.slice(-24) : version.source))),
      h("td", h("span", { title: format.fullDate(version.created_at) }, format.ago(version.created_at)), version.user && h("div.muted.small", version.user)), h("td.value", version.description));
  }

  async function edit(change) {
    try {
      model = await api.editModel(model.name, change);
      show();
    } catch (error) {
      if (change.description !== undefined) throw error;
      toast(error.message, "error");
    }
  }
}

function facts(model) {
  const fact = (name, ...value) => h("div.fact", h("span", name), h("b", value));
  return h("div.facts", fact("Versions", format.integer(model.versions.length)),
    fact("Created", h("span", { title: format.fullDate(model.created_at) }, format.ago(model.created_at))),
    fact("Changed", h("span", { title: format.fullDate(model.updated_at) }, format.ago(model.updated_at))));
}
