// Several runs side by side: what differs, their charts, and all of it as parallel coordinates.

import { api } from "../api.js";
import { h, fill, button } from "../dom.js";
import { Board, read as readBoard, written } from "../components/board.js";
import { Parallel } from "../components/parallel.js";
import { empty, status, tabs } from "../components/bits.js";
import { assign, color } from "../colors.js";
import { begin, follow } from "../live.js";
import { real } from "../format.js";
import * as format from "../format.js";

const MOST = 100;

/** Ids as this page writes them, or as MLflow does: a list in JSON. */
function idsOf(query) {
  const text = query.get("runs") ?? "";
  if (text.startsWith("[")) {
    try {
      return JSON.parse(text).map(String);
    } catch {
      return [];
    }
  }
  return text.split(",").filter(Boolean);
}

export async function open(page) {
  const ids = [...new Set(idsOf(page.query))].slice(0, MOST);
  page.crumbs({ text: "Experiments", href: "#/experiments" }, { text: `Compare ${format.plural(ids.length, "run")}` });
  if (!ids.length) return { el: h("div.page", empty("compare", "No runs to compare", h("p", "Select some in the table of an experiment."), h("a.btn", { href: "#/experiments" }, "Experiments"))) };
  const since = await begin({ runs: ids });
  const { runs, missing } = await api.runs(ids);
  return new ComparePage(page, ids, runs, missing, since);
}

class ComparePage {
  constructor(page, ids, runs, missing, since) {
    Object.assign(this, { page, ids, runs, missing });
    this.tab = ["charts", "parallel"].includes(page.query.get("tab")) ? page.query.get("tab") : "table";
    this.all = page.query.get("all") === "1";
    assign(runs.map((run) => run.id));
    this.tabsHolder = h("div");
    this.body = h("div.fill");
    this.el = h("div.page.full",
      h("div.page-head", h("h1", `Compare ${format.plural(runs.length, "run")}`), missing.length > 0 && h("span.badge.warn", `${missing.length} not found`), h("div.grow"), this.tabsHolder),
      this.body);
    this.show();
    this.onTheme = () => { if (this.tab !== "charts") this.show(); };
    document.addEventListener("themechange", this.onTheme);
    this.stop = follow({ runs: ids }, since, () => this.live());
  }

  destroy() {
    this.stop();
    document.removeEventListener("themechange", this.onTheme);
    this.leave();
  }

  leave() {
    this.board?.destroy();
    this.parallel?.destroy();
    this.board = this.parallel = null;
  }

  show() {
    this.leave();
    fill(this.tabsHolder, tabs([["table", "Table"], ["charts", "Charts"], ["parallel", "Parallel"]], this.tab, (tab) => {
      this.tab = tab;
      this.page.setQuery({ tab: tab === "table" ? null : tab });
      this.show();
    }));
    if (this.tab === "charts") this.showCharts();
    else if (this.tab === "parallel") this.showParallel();
    else this.showTable();
  }

  metrics() {
    const keys = new Set(this.runs.flatMap((run) => run.metrics.map((one) => one.key)));
    return [...keys].sort((a, b) => a.localeCompare(b));
  }

  params() {
    const keys = new Set(this.runs.flatMap((run) => Object.keys(run.params)));
    return [...keys].sort((a, b) => a.localeCompare(b));
  }

  showCharts() {
    const state = readBoard(this.page.query);
    this.board = new Board({ state, groupable: true, changed: () => this.page.setQuery(written(state)) });
    const legend = h("div.legend", this.runs.map((run) => h("a.legend-item", { href: `#/experiments/${run.experiment}/runs/${run.id}`, title: run.name }, h("i.dot", { style: { background: color(run.id) } }), run.name || run.id.slice(0, 8))));
    fill(this.body, h("div.scroll", legend, this.board.el));
    this.board.setMetrics(this.metrics(), this.params().map((key) => ["param", key]));
    this.board.setRuns(this.runs.map((run) => ({ id: run.id, name: run.name || run.id.slice(0, 8) })));
  }

  showParallel() {
    this.parallel = new Parallel(this.runs, { metrics: this.metrics(), params: this.params(), open: (run) => this.page.go(`#/experiments/${run.experiment}/runs/${run.id}`), query: this.page.query, setQuery: this.page.setQuery });
    fill(this.body, this.parallel.el);
    this.parallel.start();
  }

  showTable() {
    const { runs } = this;
    const head = h("tr", h("th.corner", h("label.check", h("input", { type: "checkbox", checked: !this.all, onchange: (event) => { this.all = !event.target.checked; this.page.setQuery({ all: this.all ? "1" : null }); this.show(); } }), "Only what differs")),
      runs.map((run) => h("th", h("a.strong.run-link", { href: `#/experiments/${run.experiment}/runs/${run.id}`, title: run.name || run.id }, h("i.dot", { style: { background: color(run.id) } }), run.name || run.id.slice(0, 8)))));
    const section = (title, rows) => rows.length > 0 && [h("tr.compare-section", h("th", { colspan: runs.length + 1 }, title, h("span.count", rows.length))), rows];
    const texts = (key, values, show = (value) => value ?? "—") => {
      const differs = new Set(values).size > 1;
      if (!differs && !this.all) return null;
      return h("tr", { class: differs ? "differs" : "" }, h("th.key", { title: key }, key), values.map((value) => h("td", { class: value == null ? "muted" : "", title: typeof value === "string" && value.length > 24 ? value : null }, show(value))));
    };
    const numbers = (key) => {
      const values = runs.map((run) => real(run.metrics.find((one) => one.key === key)?.latest.value ?? null));
      const known = values.filter((value) => value != null && !Number.isNaN(value));
      if (new Set(values.map(String)).size < 2 && !this.all) return null;
      const [low, high] = [Math.min(...known), Math.max(...known)];
      return h("tr", h("th.key", { title: key }, key), values.map((value) => {
        if (value == null) return h("td.num.muted", "—");
        const part = high > low && Number.isFinite(value) ? (value - low) / (high - low) : 0;
        const mark = known.length > 1 && high > low ? (value === low ? "▾" : value === high ? "▴" : "") : "";
        const cell = h("td.num.bar", { title: `${value}${mark === "▾" ? " (smallest)" : mark === "▴" ? " (largest)" : ""}` }, h("span", mark && h("i.mark", mark), format.number(value, 6)));
        cell.style.setProperty("--part", String(Number.isFinite(part) ? part : 0));
        return cell;
      }));
    };
    const attributes = [
      texts("status", runs.map((run) => run.status), (value) => status(value)),
      texts("started", runs.map((run) => run.start), (value) => format.date(value)),
      texts("duration", runs.map((run) => (run.end == null ? null : run.end - run.start)), (value) => (value == null ? "—" : format.duration(value))),
      texts("user", runs.map((run) => run.user)),
      texts("experiment", runs.map((run) => run.experiment)),
    ].filter(Boolean);
    const params = this.params().map((key) => texts(key, runs.map((run) => run.params[key] ?? null))).filter(Boolean);
    const metrics = this.metrics().map(numbers).filter(Boolean);
    const tagKeys = [...new Set(runs.flatMap((run) => Object.keys(run.tags)))].filter((key) => !key.startsWith("mlflow.")).sort();
    const tags = tagKeys.map((key) => texts(key, runs.map((run) => run.tags[key] ?? null))).filter(Boolean);
    if (!params.length && !metrics.length && !tags.length && !attributes.length) {
      fill(this.body, empty("check", "These runs do not differ", button(null, "Show everything", () => { this.all = true; this.show(); })));
      return;
    }
    fill(this.body, h("div.scroll.compare-scroll", h("table.compare", h("thead", head), h("tbody", section("Run", attributes), section("Params", params), section("Metrics", metrics), section("Tags", tags)))));
  }

  async live() {
    const { runs } = await api.runs(this.ids);
    this.runs = runs;
    if (this.board) {
      this.board.setMetrics(this.metrics(), this.params().map((key) => ["param", key]));
      this.board.refresh();
    } else if (this.tab === "table") {
      const scroll = this.body.querySelector(".scroll");
      const [left, top] = [scroll?.scrollLeft ?? 0, scroll?.scrollTop ?? 0];
      this.showTable();
      this.body.querySelector(".scroll")?.scrollTo(left, top);
    }
  }

  key(event) {
    if (event.key === "Escape") this.board?.escape();
    else if (event.key === "v") {
      const order = ["table", "charts", "parallel"];
      this.tab = order[(order.indexOf(this.tab) + 1) % 3];
      this.page.setQuery({ tab: this.tab === "table" ? null : this.tab });
      this.show();
    }
  }
}

