// One experiment: its runs as a table or as charts. `runlist.js` holds what was found.

import { api } from "../api.js";
import { h, fill, button, icon } from "../dom.js";
import { Table } from "../components/table.js";
import { SearchBox } from "../components/search.js";
import { Board, read as readBoard, written } from "../components/board.js";
import { columnPicker } from "../components/picker.js";
import { confirm, popover, toast } from "../components/overlay.js";
import { editable, empty, failure, skeleton, tabs } from "../components/bits.js";
import { markdown } from "../markdown.js";
import { begin, follow } from "../live.js";
import { RunList } from "./runlist.js";
import { columnsOf, orderText, standard } from "./runcolumns.js";
import { RunSide } from "./runside.js";
import { LoggedList } from "./loggedlist.js";
import * as format from "../format.js";

const NOTE = "mlflow.note.content";

export async function open(page) {
  const [experiment, keys, since] = await Promise.all([api.experiment(page.experiment), api.keys([page.experiment]), begin({ experiment: page.experiment })]);
  page.crumbs({ text: "Experiments", href: "#/experiments" }, { text: experiment.name });
  return new ExperimentPage(page, experiment, keys, since);
}

class ExperimentPage {
  constructor(page, experiment, keys, since) {
    this.page = page;
    this.experiment = experiment;
    this.keys = keys;
    const { query } = page;
    const tab = query.get("tab") ?? page.part;
    this.tab = ["charts", "models"].includes(tab) ? tab : "runs";
    this.view = query.get("view") === "deleted" ? "deleted" : "active";
    this.chosen = query.get("cols")?.split("~").filter(Boolean) ?? null;
    this.order = { id: query.get("sort") ?? "attribute.start_time", descending: query.get("dir") !== "asc" };
    this.group = query.get("group") ?? "";
    this.folded = new Set();
    this.list = new RunList({ experiments: [experiment.id], keys: () => this.keys, changed: () => this.showRuns(), failed: (error) => this.fail(error) });
    this.table = new Table({
      open: (row) => this.open(row),
      sort: (column) => this.sort(column),
      select: () => this.showSelection(),
      near: () => this.list.more(),
    }, { label: "Runs" });
    this.search = new SearchBox({ value: query.get("q") ?? "", change: (text) => this.find(text), keys: () => this.keys });
    this.build();
    this.find(this.search.input.value, true);
    this.showRuns();
    this.stop = follow({ experiment: experiment.id }, since, (runs, all) => this.live(runs, all));
  }

  destroy() {
    this.stop();
    this.list.destroy();
    this.table.destroy();
    this.leaveCharts();
  }

  leaveCharts() {
    this.board?.destroy();
    this.side?.destroy();
    this.models?.destroy();
    this.board = this.side = this.models = null;
  }

  // ---- the frame

  build() {
    const { experiment } = this;
    const deleted = experiment.stage === "deleted";
    this.count = h("span.muted.count-line");
    this.selection = h("div.selection", { hidden: true });
    this.holder = h("div.fill");
    this.tabsHolder = h("div");
    this.tools = h("div.toolbar-right");
    this.finding = h("div.toolbar.runs-tools", this.search.el, this.tools);
    const note = experiment.tags[NOTE];
    this.el = h("div.page.full",
      h("div.page-head",
        editable({ value: experiment.name, label: "name of the experiment", save: async (name) => {
          await api.editExperiment(experiment.id, { name });
          this.page.crumbs({ text: "Experiments", href: "#/experiments" }, { text: name });
        } }),
        deleted && h("span.badge.warn", "deleted"), h("div.grow"), this.tabsHolder),
      note && h("details.note", h("summary", note.split("\n")[0].replace(/^#+\s*/, "")), h("div.markdown", markdown(note))),
      this.finding, this.selection, this.holder);
    this.showTools();
    fill(this.holder, skeleton(10));
  }

  showTools() {
    fill(this.tabsHolder, tabs([["runs", "Table"], ["charts", "Charts"], ["models", "Models"]], this.tab, (tab) => this.setTab(tab)));
    const groups = h("select.input", { "aria-label": "Group rows by", onchange: () => this.setGroup(groups.value) },
      h("option", { value: "" }, "No groups"),
      h("optgroup", { label: "Params" }, this.keys.params.slice(0, 300).map((key) => this.groupOption("param", key))),
      h("optgroup", { label: "Tags" }, this.keys.tags.filter((key) => !key.startsWith("mlflow.")).slice(0, 300).map((key) => this.groupOption("tag", key))));
    const view = h("select.input", { "aria-label": "Lifecycle", onchange: () => this.setView(view.value) },
      [["active", "Active"], ["deleted", "Deleted"]].map(([id, text]) => h("option", { value: id, selected: id === this.view }, text)));
    const columns = button("columns", "Columns", () => popover(columns, (close) => columnPicker({ known: this.known(), chosen: this.columnIds(), change: (now) => this.setColumns(now), close }), { align: "right" }), { "aria-haspopup": "dialog" });
    fill(this.tools, this.count, this.tab === "runs" && [h("label.inline", icon("group"), groups)], view, this.tab === "runs" && columns);
  }

  groupOption(kind, key) {
    const value = `${kind}.${key}`;
    return h("option", { value, selected: this.group === value }, key);
  }

  known() {
    return { attribute: ["status", "start_time", "duration", "user_id", "end_time", "run_id"], metric: this.keys.metrics, param: this.keys.params, tag: this.keys.tags };
  }

  columnIds() {
    return this.chosen ?? standard(this.keys);
  }

  // ---- finding

  find(text, first = false) {
    this.page.setQuery({ q: text.trim() });
    const ids = this.columnIds();
    this.list.find({ text, view: this.view, order: orderText(this.order), columns: ids, group: this.group }, {
      verdict: (error, sent) => this.search.verdict(error, sent),
    }, !first);
  }

  again() {
    this.find(this.search.input.value);
  }

  sort(column) {
    const same = this.order.id === column.id;
    this.order = { id: column.id, descending: same ? !this.order.descending : column.numeric };
    this.page.setQuery({ sort: this.order.id, dir: this.order.descending ? null : "asc" });
    this.table.el.scrollTop = 0;
    this.again();
  }

  setColumns(chosen) {
    this.chosen = chosen;
    this.page.setQuery({ cols: chosen?.join("~") });
    this.again();
  }

  setGroup(group) {
    this.group = group;
    this.folded.clear();
    this.page.setQuery({ group });
    this.again();
  }

  setView(view) {
    this.view = view;
    this.page.setQuery({ view: view === "active" ? null : view });
    this.table.selected.clear();
    this.showSelection();
    this.again();
  }

  setTab(tab) {
    this.tab = tab;
    this.page.setQuery({ tab: tab === (this.page.part ?? "runs") ? null : tab });
    this.showTools();
    this.shownTab = null;
    this.showRuns();
  }

  fail(error) {
    // The models are another question, which was answered.
    if (this.tab === "models") return;
    fill(this.holder, failure(error, () => this.again()));
    this.shownTab = null;
  }

  // ---- showing

  showRuns() {
    this.finding.hidden = this.tab === "models";
    if (this.tab === "models") return this.showModels();
    if (!this.list.loaded) return;
    const { rows, complete } = this.list;
    fill(this.count, complete ? format.plural(rows.length, "run") : `${format.integer(rows.length)}+ runs`);
    if (!rows.length && this.list.question.text.trim() === "" && !this.keys.metrics.length && this.view === "active") {
      this.shownTab = "empty";
      fill(this.holder, this.welcome());
      return;
    }
    if (this.tab === "charts") this.showCharts();
    else this.showTable();
  }

  showModels() {
    if (this.shownTab === "models") return;
    this.shownTab = "models";
    this.leaveCharts();
    this.models = new LoggedList(this.experiment.id, this.page.go);
    fill(this.holder, this.models.el);
  }

  showTable() {
    const { rows } = this.list;
    if (!rows.length) {
      this.shownTab = "none";
      fill(this.holder, empty("filter", "No runs found", h("p", this.view === "deleted" ? "No deleted run matches." : "No run matches this filter."), this.search.input.value && button("close", "Clear the filter", () => this.search.set(""))));
      return;
    }
    if (this.shownTab !== "runs") {
      this.shownTab = "runs";
      this.leaveCharts();
      fill(this.holder, this.table.el);
    }
    const columns = columnsOf(this.list.question.columns, { list: this.list, experiment: this.experiment.id, fold: (row) => this.fold(row) });
    const shape = JSON.stringify([this.list.question.columns, this.order]);
    if (shape !== this.shape) {
      this.shape = shape;
      this.table.setColumns(columns, this.order);
    } else {
      this.table.columns = columns;
    }
    this.table.setRows(this.list.grouped(this.folded));
  }

  showCharts() {
    if (this.shownTab !== "charts") {
      this.shownTab = "charts";
      this.leaveCharts();
      const state = readBoard(this.page.query);
      const changed = () => {
        this.page.setQuery(written(state));
        if (this.side && this.side.drawn !== drawn(state)) this.setDrawn(state);
      };
      this.board = new Board({ state, groupable: true, changed });
      this.side = new RunSide({ changed: () => this.chartRuns(), open: (id) => this.page.go(`#/experiments/${this.experiment.id}/runs/${id}`), query: this.page.query, setQuery: this.page.setQuery });
      fill(this.holder, h("div.split", this.side.el, this.board.el));
    }
    this.side.drawn = drawn(this.board.state);
    this.side.setRows(this.list.rows, this.table.selected);
    this.chartRuns();
  }

  /** Bands say more of many runs than lines do. */
  setDrawn(state) {
    this.side.drawn = drawn(state);
    this.side.show();
    this.chartRuns();
  }

  chartRuns() {
    const { board } = this;
    board.setMetrics(this.keys.metrics, [...this.keys.params.map((key) => ["param", key]), ...this.keys.tags.filter((key) => !key.startsWith("mlflow.")).map((key) => ["tag", key])]);
    board.setRuns(this.side.shown());
  }

  welcome() {
    const code = `import mlflow\n\nmlflow.set_tracking_uri("${location.origin}")\nmlflow.set_experiment("${this.experiment.name.replaceAll(/["\\]/g, "\\$&")}")\nwith mlflow.start_run():\n    mlflow.log_param("lr", 0.01)\n    for step in range(100):\n        mlflow.log_metric("loss", 1 / (step + 1), step=step)`;
    return empty("chart", "No runs yet", h("p", "Log a first one; it appears here by itself."), h("pre.code", code));
  }

  fold(row) {
    if (this.folded.has(row.id)) this.folded.delete(row.id);
    else this.folded.add(row.id);
    this.showRuns();
  }

  open(row, event) {
    if (row.group) return this.fold(row);
    const hash = `#/experiments/${row.experiment}/runs/${row.id}`;
    if (event?.ctrlKey || event?.metaKey) window.open(hash, "_blank");
    else this.page.go(hash);
  }

  // ---- selection

  showSelection() {
    const ids = [...this.table.selected];
    this.selection.hidden = !ids.length;
    if (!ids.length) return;
    fill(this.selection, h("b", `${format.plural(ids.length, "run")} selected`),
      button("compare", "Compare", () => this.compare(), { class: "primary", disabled: ids.length < 2 || ids.length > 100, title: ids.length > 100 ? "At most 100" : "c" }),
      button("chart", "Charts", () => this.setTab("charts")),
      this.view === "active" ? button("trash", "Delete", () => this.remove(ids), { class: "writes" }) : button("restore", "Restore", () => this.restore(ids), { class: "writes" }),
      button("close", "", () => this.unselect(), { title: "Take back the selection (Esc)", class: "ghost" }));
  }

  unselect() {
    this.table.select([...this.table.selected], false);
    if (this.tab === "charts") this.showRuns();
  }

  compare() {
    const ids = [...this.table.selected];
    if (ids.length > 1) this.page.go(`#/compare?runs=${ids.join(",")}`);
  }

  remove(ids) {
    confirm(`Delete ${format.plural(ids.length, "run")}?`, "Deleted runs can be restored until they are removed for good.", "Delete", async () => {
      if (await this.change(() => api.deleteRuns(ids))) toast(`${format.plural(ids.length, "run")} deleted`, "info", () => this.restore(ids));
    });
  }

  restore(ids) {
    return this.change(() => api.restoreRuns(ids));
  }

  async change(action) {
    try {
      await action();
      this.table.selected.clear();
      this.showSelection();
      this.again();
      return true;
    } catch (error) {
      toast(error.message, "error");
      return false;
    }
  }

  // ---- live

  async live(ids, all) {
    if (all) this.again();
    const fresh = !all && await this.list.update(ids);
    if (fresh) {
      const keys = await api.keys([this.experiment.id]);
      const more = keys.metrics.length !== this.keys.metrics.length || keys.params.length !== this.keys.params.length;
      this.keys = keys;
      if (more) {
        this.showTools();
        if (!this.chosen) this.again();
      }
    }
    if (this.board) {
      const shown = new Set(this.side.shown().map((run) => run.id));
      if (all || ids.some((id) => shown.has(id))) this.board.refresh();
    }
  }

  key(event) {
    if (event.key === "/") {
      event.preventDefault();
      this.search.input.focus();
      this.search.input.select();
    } else if (event.key === "Escape") {
      if (!(this.board?.escape()) && this.table.selected.size) this.unselect();
    } else if (event.key === "c") this.compare();
    else if (event.key === "v") this.setTab(this.tab === "runs" ? "charts" : "runs");
    else if (this.shownTab === "models") this.models.key(event);
    else if (this.shownTab === "runs") this.table.key(event);
  }
}

const drawn = (state) => (state.group ? 100 : 10);
