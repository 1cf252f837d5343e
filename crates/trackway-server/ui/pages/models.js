// The registered models.

import { api } from "../api.js";
import { h, fill, button, icon, debounce } from "../dom.js";
import { Table } from "../components/table.js";
import { empty, failure, skeleton } from "../components/bits.js";
import { spellText } from "../api.js";
import { toast } from "../components/overlay.js";
import * as format from "../format.js";

export async function open(page) {
  page.crumbs({ text: "Models" });
  let order = { id: page.query.get("sort") ?? "name", descending: page.query.get("dir") === "desc" };
  let rows = [];
  let next = null;
  let turn = 0;
  const holder = h("div.fill", skeleton());
  const note = h("div.search-note.is-error", { hidden: true });
  const search = h("input.input", { type: "search", placeholder: "Find a model: a name, or tags.team = 'vision'", value: page.query.get("q") ?? "", "aria-label": "Find a model", spellcheck: false, oninput: debounce(200, () => load()) });
  const el = h("div.page.full", h("div.page-head", h("h1", "Models")), h("div.toolbar", h("div.search", h("div.field.wide", icon("search"), search), note)), holder);
  const latest = (model) => model.versions.at(-1);
  const columns = [
    { id: "name", title: "Name", width: 280, sort: true, cell: (one) => h("a.strong", { href: `#/models/${encodeURIComponent(one.name)}` }, one.name) },
    { id: "version", title: "Latest", width: 90, cell: (one) => (latest(one) ? `v${latest(one).number}` : "—") },
    { id: "aliases", title: "Aliases", width: 280, cell: (one) => h("span.chips", Object.entries(one.aliases).slice(0, 5).map(([alias, number]) => h("span.chip.accent", `@${alias} → v${number}`))) },
    { id: "stages", title: "Stages", width: 190, cell: (one) => h("span.chips", one.versions.filter((version) => version.stage !== "None" && version.stage !== "Archived").slice(-3).map((version) => h("span.chip", { class: "stage-" + version.stage.toLowerCase() }, `${version.stage} v${version.number}`))) },
    { id: "last_updated_timestamp", title: "Changed", width: 140, sort: true, cell: (one) => h("span", { title: format.fullDate(one.updated_at) }, format.ago(one.updated_at)) },
    { id: "description", title: "Description", width: 420, cell: (one) => h("span.muted", one.description.split("\n")[0]) },
  ];
  const table = new Table({ open: (row) => page.go(`#/models/${encodeURIComponent(row.name)}`), sort: (column) => {
    order = { id: column.id, descending: order.id === column.id ? !order.descending : column.id !== "name" };
    page.setQuery({ sort: order.id, dir: order.descending ? "desc" : null });
    load();
  }, near: () => more() }, { selectable: false, label: "Models" });

  function query() {
    const text = search.value.trim();
    const filter = !text ? "" : /[=<>'"]|like/i.test(text) ? text : `name ILIKE ${spellText(`%${text}%`)}`;
    return { filter, order_by: [`${order.id} ${order.descending ? "DESC" : "ASC"}`], limit: 200 };
  }

  async function load() {
    const mine = ++turn;
    page.setQuery({ q: search.value.trim() });
    try {
      const answer = await api.models(query());
      if (mine !== turn) return;
      note.hidden = true;
      rows = answer.models.map((model) => ({ ...model, id: model.name }));
      next = answer.next;
      show();
    } catch (error) {
      if (mine !== turn) return;
      if (error.status === 400) {
        note.hidden = false;
        fill(note, error.message);
      } else fill(holder, failure(error, load));
    }
  }

  async function more() {
    if (!next) return;
    const after = next;
    next = null;
    try {
      const answer = await api.models({ ...query(), after });
      rows = rows.concat(answer.models.map((model) => ({ ...model, id: model.name })));
      next = answer.next;
      show();
    } catch (error) {
      toast(error.message, "error");
    }
  }

  function show() {
    if (!rows.length) {
      const found = search.value.trim();
      fill(holder, empty("model", found ? "No model found" : "No models yet", h("p", found ? "No registered model matches." : "Register the artifacts of a run as a version of a model, and it is shown here."),
        found ? button("close", "Clear", () => { search.value = ""; load(); }) : h("pre.code", 'mlflow.register_model(f"runs:/{run_id}/model", "digits")')));
      return;
    }
    if (!table.el.isConnected) fill(holder, table.el);
    table.setColumns(columns, order);
    table.setRows(rows);
  }

  load();
  return {
    el,
    destroy: () => table.destroy(),
    key(event) {
      if (event.key === "/") { event.preventDefault(); search.focus(); }
      else table.key(event);
    },
  };
}
