// The experiments of the store.

import { api } from "../api.js";
import { h, fill, button, icon, debounce } from "../dom.js";
import { Table } from "../components/table.js";
import { confirm, prompt, toast } from "../components/overlay.js";
import { empty, failure, skeleton } from "../components/bits.js";
import * as format from "../format.js";

export async function open(page) {
  page.crumbs({ text: "Experiments" });
  let view = page.query.get("view") === "deleted" ? "deleted" : "active";
  let typed = page.query.get("q") ?? "";
  let order = { id: page.query.get("sort") ?? "updated", descending: page.query.get("dir") !== "asc" };
  let all = [];
  let table = null;

  const holder = h("div.fill");
  const search = h("input.input", { type: "search", placeholder: "Find an experiment", value: typed, "aria-label": "Find an experiment", spellcheck: false,
    oninput: debounce(100, () => { typed = search.value; page.setQuery({ q: typed }); show(); }) });
  const views = h("div.seg", { role: "group" });
  const el = h("div.page.full",
    h("div.page-head", h("h1", "Experiments"), h("div.grow"), button("plus", "New experiment", create, { class: "primary writes" })),
    h("div.toolbar", h("div.field.wide", icon("search"), search), views), holder);

  const columns = [
    { id: "name", title: "Name", width: 340, sort: (one) => one.name.toLowerCase(), cell: (one) => h("a.strong", { href: `#/experiments/${one.id}` }, one.name) },
    { id: "runs", title: "Runs", width: 90, numeric: true, sort: (one) => one.runs ?? -1, cell: (one) => (one.runs == null ? "" : format.integer(one.runs)) },
    { id: "running", title: "Running", width: 90, numeric: true, sort: (one) => one.running ?? -1, cell: (one) => (one.running ? h("span.status.running", h("i"), one.running) : "") },
    { id: "updated", title: "Last run", width: 150, sort: (one) => one.last_run ?? one.created_at, cell: (one) => h("span", { title: format.fullDate(one.last_run) }, one.last_run ? format.ago(one.last_run) : "—") },
    { id: "created", title: "Created", width: 150, sort: (one) => one.created_at, cell: (one) => h("span", { title: format.fullDate(one.created_at) }, format.ago(one.created_at)) },
    { id: "tags", title: "Tags", width: 320, cell: (one) => h("span.chips", Object.entries(one.tags).filter(([key]) => !key.startsWith("mlflow.")).slice(0, 4).map(([key, value]) => h("span.chip", { title: `${key}: ${value}` }, `${key}: ${value}`))) },
    { id: "id", title: "Id", width: 190, cell: (one) => h("code.muted", one.id) },
    { id: "actions", title: "", width: 56, cell: (one) => view === "active" ? button("trash", "", () => remove(one), { title: "Delete", class: "ghost small writes row-action" }) : button("restore", "", () => restore(one), { title: "Restore", class: "ghost small writes row-action" }) },
  ];

  function sorted() {
    const wanted = typed.toLowerCase();
    const found = all.filter((one) => one.name.toLowerCase().includes(wanted) || one.id === wanted);
    const by = (columns.find((column) => column.id === order.id) ?? columns[0]).sort;
    const sign = order.descending ? -1 : 1;
    return found.sort((a, b) => { const [x, y] = [by(a), by(b)]; return x < y ? -sign : x > y ? sign : 0; });
  }

  function show() {
    fill(views, [["active", "Active"], ["deleted", "Deleted"]].map(([id, text]) => h("button.btn", { type: "button", "aria-pressed": String(view === id), onclick: () => { view = id; page.setQuery({ view: id === "active" ? null : id }); load(); } }, text)));
    const rows = sorted();
    if (!rows.length) {
      table = null;
      const text = typed ? `No experiment has “${typed}” in its name.` : view === "deleted" ? "Nothing was deleted." : "Log a first run, and it appears here.";
      fill(holder, empty("flask", typed ? "Nothing found" : view === "deleted" ? "No deleted experiments" : "No experiments yet", h("p", text)));
      return;
    }
    if (!table) {
      table = new Table({ open: (row) => page.go(`#/experiments/${row.id}`), sort: (column) => {
        order = { id: column.id, descending: order.id === column.id ? !order.descending : column.id !== "name" };
        page.setQuery({ sort: order.id, dir: order.descending ? null : "asc" });
        show();
      } }, { selectable: false, label: "Experiments" });
      fill(holder, table.el);
    }
    table.setColumns(columns, order);
    table.setRows(rows);
  }

  async function load() {
    if (!all.length) fill(holder, skeleton());
    try {
      all = (await api.experiments(view)).experiments;
      if (!page.isCurrent()) return;
      table = null;
      show();
      // Counting takes longer, where runs are many: the list does not wait for it.
      const { counts, complete } = await api.counts();
      if (!page.isCurrent()) return;
      for (const one of all) Object.assign(one, counts[one.id] ?? (complete ? { runs: 0 } : {}));
      show();
    } catch (error) {
      fill(holder, failure(error, load));
    }
  }

  function create() {
    prompt("New experiment", "Name", "", "Create", async (name) => {
      try {
        const made = await api.createExperiment(name);
        page.go(`#/experiments/${made.id}`);
      } catch (error) {
        toast(error.message, "error");
      }
    });
  }

  function remove(one) {
    confirm(`Delete “${one.name}”?`, "Its runs go with it. Both can be restored until they are removed for good.", "Delete", async () => {
      try {
        await api.deleteExperiment(one.id);
        toast(`“${one.name}” was deleted`, "info", () => restore(one));
        load();
      } catch (error) {
        toast(error.message, "error");
      }
    });
  }

  async function restore(one) {
    try {
      await api.restoreExperiment(one.id);
      load();
    } catch (error) {
      toast(error.message, "error");
    }
  }

  load();
  return {
    el,
    destroy: () => table?.destroy(),
    key(event) {
      if (event.key === "/") { event.preventDefault(); search.focus(); }
      else table?.key(event);
    },
  };
}
