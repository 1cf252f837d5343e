// One run: what it is, its charts, its artifacts.

import { api } from "../api.js";
import { h, fill, button, icon, append } from "../dom.js";
import { Board, read as readBoard, written } from "../components/board.js";
import { ArtifactBrowser } from "../components/artifacts.js";
import { confirm, toast } from "../components/overlay.js";
import { copyable, editable, empty, status, tabs } from "../components/bits.js";
import { color } from "../colors.js";
import { begin, follow } from "../live.js";
import { Notes } from "./notes.js";
import { modelsCard } from "./loggedparts.js";
import { metricTable, paramTable, tagTable } from "./runparts.js";
import * as format from "../format.js";

const NOTE = "mlflow.note.content";
/** Ends of the addresses that MLflow prints. */
const PARTS = { artifacts: "artifacts", "model-metrics": "charts", "system-metrics": "charts" };

export async function open(page) {
  // Most addresses name the experiment; nobody waits for it twice.
  const named = page.experiment ? api.experiment(page.experiment).catch(() => null) : null;
  const since = await begin({ runs: [page.run] });
  const run = await api.run(page.run);
  let experiment = await named;
  if (experiment?.id !== run.experiment) experiment = await api.experiment(run.experiment).catch(() => ({ id: run.experiment, name: run.experiment }));
  return new RunPage(page, run, experiment, since);
}

class RunPage {
  constructor(page, run, experiment, since) {
    Object.assign(this, { page, run, experiment });
    const asked = page.query.get("tab") ?? PARTS[(page.rest ?? "").split("/")[0]];
    this.tab = ["charts", "artifacts", "overview"].includes(asked) ? asked : "overview";
    this.head = h("div.page-head");
    this.facts = h("div.facts");
    this.tabsHolder = h("div.tab-row");
    this.body = h("div.fill");
    this.el = h("div.page.full", this.head, this.facts, this.tabsHolder, this.body);
    this.search = { params: "", metrics: "" };
    this.crumbs();
    this.showHead();
    this.showFacts();
    this.show();
    this.stop = follow({ runs: [run.id] }, since, () => this.live());
    this.clock = setInterval(() => { if (this.run.status === "RUNNING") this.showFacts(); }, 1000);
  }

  shown() {
    this.board?.shown();
  }

  destroy() {
    clearInterval(this.clock);
    this.stop();
    this.leave();
  }

  leave() {
    this.board?.destroy();
    this.browser?.destroy();
    this.board = this.browser = null;
  }

  crumbs() {
    this.page.crumbs({ text: "Experiments", href: "#/experiments" }, { text: this.experiment.name, href: `#/experiments/${this.run.experiment}` }, { text: this.run.name || this.run.id.slice(0, 8) });
  }

  showHead() {
    const { run } = this;
    const deleted = run.stage === "deleted";
    fill(this.head, h("i.dot.big", { style: { background: color(run.id) } }),
      editable({ value: run.name, label: "name of the run", placeholder: run.id.slice(0, 8), locked: deleted, save: async (name) => {
        await api.editRun(run.id, { name });
        this.run.name = name;
        this.crumbs();
      } }),
      deleted && h("span.badge.warn", "deleted"), h("div.grow"),
      deleted ? button("restore", "Restore", () => this.restore(), { class: "writes" }) : button("trash", "Delete", () => this.remove(), { class: "writes" }));
  }

  showFacts() {
    const { run } = this;
    const fact = (name, ...value) => h("div.fact", h("span", name), h("b", value));
    const ended = run.end ?? (run.status === "RUNNING" ? Date.now() : null);
    const cause = run.cause === "vanished" ? "Its process ended without a word" : run.cause === "dropped" ? "Its writer was dropped without ending the run" : null;
    fill(this.facts,
      fact("Status", h("span", { title: cause }, status(run.status)), cause && h("span.muted.small", ` ${run.cause}`)),
      fact("Started", h("span", { title: format.fullDate(run.start) }, format.ago(run.start))),
      ended != null && fact("Duration", format.duration(ended - run.start)),
      run.user && fact("User", run.user),
      fact("Run id", copyable(run.id, run.id.slice(0, 8) + "…")),
      run.parent && fact("Part of", h("a", { href: `#/runs/${run.parent}` }, run.parent.slice(0, 8))));
  }

  show() {
    this.leave();
    const { run } = this;
    fill(this.tabsHolder, tabs([["overview", "Overview"], ["charts", "Charts", run.metrics.length], ["artifacts", "Artifacts"]], this.tab, (tab) => {
      this.tab = tab;
      this.page.setQuery({ tab: tab === "overview" ? null : tab });
      this.show();
    }));
    if (this.tab === "charts") this.showCharts();
    else if (this.tab === "artifacts") this.showArtifacts();
    else this.showOverview();
  }

  showCharts() {
    if (!this.run.metrics.length) {
      fill(this.body, empty("chart", "No metrics yet", h("p", "They appear here as soon as the run logs one.")));
      return;
    }
    const state = readBoard(this.page.query);
    this.board = new Board({ state, changed: () => this.page.setQuery(written(state)) });
    fill(this.body, h("div.scroll", this.board.el));
    this.board.setMetrics(this.run.metrics.map((one) => one.key));
    this.board.setRuns([{ id: this.run.id, name: this.run.name || this.run.id.slice(0, 8) }]);
    this.board.shown();
  }

  showArtifacts() {
    const below = (this.page.rest ?? "").replace(/^artifacts\/?/, "");
    this.browser = new ArtifactBrowser(this.run.id, { path: this.page.query.get("file") ?? (this.page.rest?.startsWith("artifacts/") ? below : ""), changed: (path) => this.page.setQuery({ file: path }) });
    fill(this.body, this.browser.el);
    this.browser.start();
  }

  showOverview() {
    const { run } = this;
    const charts = (key) => {
      this.page.setQuery({ tab: "charts", m: "^" + key.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&") + "$" });
      this.tab = "charts";
      this.show();
    };
    this.metricsHolder = h("div");
    this.paramsHolder = h("div");
    this.modelsHolder = h("div");
    this.chartOf = charts;
    const notes = new Notes(run.tags[NOTE] ?? "", async (text) => {
      await api.editRun(run.id, { tags: { [NOTE]: text || null } });
      run.tags[NOTE] = text;
    });
    const grid = h("div.overview",
      h("div.column", h("section.card", h("header", h("h2", "Notes")), notes.el), this.metricsHolder, this.modelsHolder),
      h("div.column", this.paramsHolder, tagTable(run, (change) => this.editTags(change)), datasets(run)));
    fill(this.body, h("div.scroll", grid));
    this.showTables();
    this.showModels();
  }

  /** They are another question, which charts need not wait for. */
  async showModels() {
    const { modelsHolder } = this;
    try {
      const { models } = await api.modelsOfRun(this.run.id);
      fill(modelsHolder, modelsCard(models));
    } catch (error) {
      fill(modelsHolder, h("p.muted.pad", error.message));
    }
  }

  showTables() {
    const { run } = this;
    fill(this.metricsHolder, metricTable(run, this.search, this.chartOf));
    fill(this.paramsHolder, paramTable(run, this.search));
  }

  async editTags(change) {
    try {
      await api.editRun(this.run.id, { tags: change });
      for (const [key, value] of Object.entries(change)) {
        if (value === null) delete this.run.tags[key];
        else this.run.tags[key] = value;
      }
      this.showOverview();
    } catch (error) {
      toast(error.message, "error");
    }
  }

  remove() {
    confirm(`Delete “${this.run.name || this.run.id.slice(0, 8)}”?`, "It can be restored until it is removed for good.", "Delete", async () => {
      try {
        await api.deleteRuns([this.run.id]);
        toast("The run was deleted", "info", () => this.restore());
        this.run.stage = "deleted";
        this.showHead();
      } catch (error) {
        toast(error.message, "error");
      }
    });
  }

  async restore() {
    try {
      await api.restoreRuns([this.run.id]);
      this.run.stage = "active";
      this.showHead();
    } catch (error) {
      toast(error.message, "error");
    }
  }

  async live() {
    const before = this.run;
    const run = await api.run(before.id);
    this.run = run;
    const typing = this.el.contains(document.activeElement) && /INPUT|TEXTAREA/.test(document.activeElement.tagName);
    if (run.name !== before.name && !typing) {
      this.showHead();
      this.crumbs();
    }
    if (run.stage !== before.stage) this.showHead();
    this.showFacts();
    if (this.board) {
      this.board.setMetrics(run.metrics.map((one) => one.key));
      this.board.refresh();
    } else if (this.tab === "charts" && run.metrics.length) this.show();
    else if (this.tab === "overview" && !typing) {
      this.showTables();
      this.showModels();
    }
  }

  key(event) {
    if (event.key === "Escape") this.board?.escape();
    else if (event.key === "v") {
      this.tab = this.tab === "charts" ? "overview" : "charts";
      this.page.setQuery({ tab: this.tab === "overview" ? null : this.tab });
      this.show();
    } else if (event.key === "/") {
      const field = this.body.querySelector("input[type=search]");
      if (!field) return;
      event.preventDefault();
      field.focus();
    } else if (event.key === "e") this.head.querySelector(".edit-button")?.click();
  }
}

function datasets(run) {
  if (!run.datasets.length) return null;
  const card = h("section.card", h("header", h("h2", "Datasets"), h("span.count", run.datasets.length)));
  append(card, run.datasets.map((set) => h("div.dataset", h("b", set.name), h("code.muted", set.digest), set.context && h("span.chip", set.context), set.source && h("p.muted.small", icon("file", 12), " ", set.source.slice(0, 300)))));
  return card;
}
