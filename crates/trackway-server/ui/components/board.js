// Many charts: which metrics, along which axis, of which part; it asks the server for all that are in sight at once.

import { api } from "../api.js";
import { h, fill, button, icon, debounce, append } from "../dom.js";
import { Chart, prepare } from "./chart.js";
import { assign } from "../colors.js";
import { toast } from "./overlay.js";

/** Runs times columns of pixels that the server answers at once, and a little less. */
const COLUMNS = 250000;
/** Metrics in one question: so that the first charts need not wait for the last. */
const TOGETHER = 4;
/** Questions at a time. */
const AT_ONCE = 2;
/** More than a screen holds is asked for beyond both ends of a zoom, so that lines go on to the border. */
const BEYOND = 0.15;
/** Charts without a section of their own are made when somebody looks at them. */
const SECTION = 60;

const AXES = [["step", "Step"], ["time", "Wall time"], ["relative", "Relative time"], ["metric", "Metric…"]];

export class Board {
  /** `state` holds what a link says (see `read`); `changed` is called when it is different. */
  constructor({ state, changed, groupable = false }) {
    this.state = state;
    this.changed = changed;
    this.groupable = groupable;
    this.runs = [];
    this.metrics = [];
    this.params = [];
    this.panels = new Map();
    this.waiting = new Set();
    this.active = 0;
    this.epoch = 0;
    this.abort = new AbortController();
    this.opened = new Map();
    this.sections = h("div.sections");
    this.tools = h("div.toolbar.board-tools");
    this.el = h("div.board", this.tools, this.sections);
    this.sight = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        const panel = this.panels.get(entry.target.dataset.metric);
        if (panel) panel.seen = entry.isIntersecting;
      }
      this.ask();
    }, { rootMargin: "200px" });
    this.onTheme = () => this.redraw();
    document.addEventListener("themechange", this.onTheme);
    this.buildTools();
  }

  destroy() {
    document.removeEventListener("themechange", this.onTheme);
    this.sight.disconnect();
    this.abort.abort();
    for (const panel of this.panels.values()) panel.chart.destroy();
  }

  // ---- what is shown

  /** The board has been put into the page: what is in sight is asked for now, before the browser has painted and says so. */
  shown() {
    if (!this.el.isConnected) return;
    for (const panel of this.panels.values()) {
      const { top, bottom, height } = panel.chart.el.getBoundingClientRect();
      if (height && top < innerHeight && bottom > 0) panel.seen = true;
    }
    this.ask();
  }

  /** `runs`: `{ id, name }` each, in order; those that are gone keep their colour. */
  setRuns(runs) {
    const same = runs.length === this.runs.length && runs.every((run, at) => run.id === this.runs[at].id && run.name === this.runs[at].name);
    if (same) return;
    this.runs = runs;
    this.names = new Map(runs.map((run) => [run.id, run.name]));
    assign(runs.map((run) => run.id));
    this.renew();
  }

  setMetrics(metrics, params = []) {
    this.params = params;
    if (metrics.length === this.metrics.length && metrics.every((key, at) => key === this.metrics[at])) return;
    this.metrics = metrics;
    this.layout();
    this.buildTools();
  }

  /** The runs have more points now. */
  refresh() {
    this.epoch++;
    this.ask();
  }

  /** Something about the question is different. */
  renew() {
    this.epoch++;
    this.abort.abort();
    this.abort = new AbortController();
    this.waiting.forEach((panel) => panel.chart.busy(false));
    this.waiting.clear();
    this.active = 0;
    this.ask();
  }

  // ---- tools

  set(change) {
    Object.assign(this.state, change);
    this.changed();
    this.buildTools();
    if ("filter" in change) this.layout();
    else if ("logY" in change && Object.keys(change).length === 1) this.redraw();
    else this.renew();
  }

  buildTools() {
    const { state } = this;
    // A field that somebody types in, or a slider that he holds, must not be replaced.
    if (this.tools.contains(document.activeElement) && this.tools.childElementCount) return this.updateTools();
    const filter = h("input.input", { type: "search", placeholder: "Filter metrics (regex)", value: state.filter, spellcheck: false, "aria-label": "Filter metrics",
      oninput: debounce(150, () => this.set({ filter: filter.value })) });
    const axis = h("select.input", { "aria-label": "X axis", onchange: () => this.setAxis(axis.value) },
      AXES.map(([value, text]) => h("option", { value, selected: state.axis === value }, text)));
    const against = state.axis === "metric" && h("select.input", { "aria-label": "Metric along the x axis", onchange: (event) => this.set({ against: event.target.value, zoom: null }) },
      this.metrics.map((key) => h("option", { value: key, selected: key === state.against }, key)));
    const weight = h("output.slider-value", state.smooth ? state.smooth.toFixed(3).replace(/0+$/, "") : "off");
    const slider = h("input", { type: "range", min: 0, max: 0.999, step: 0.001, value: String(curve(state.smooth)), "aria-label": "Smoothing",
      oninput: debounce(60, () => {
        const smooth = Number(uncurve(Number(slider.value)).toFixed(3));
        weight.textContent = smooth ? String(smooth) : "off";
        this.set({ smooth });
      }) });
    this.zoomHolder = h("span.zoom-holder");
    fill(this.tools,
      h("div.field", icon("search"), filter),
      h("label.inline", h("span", "x"), axis), against,
      h("div.seg", { role: "group", "aria-label": "Scales" },
        toggle("log x", state.logX, () => this.set({ logX: !this.state.logX, zoom: null })),
        toggle("log y", state.logY, () => this.set({ logY: !this.state.logY }))),
      h("label.inline.smooth", h("span", "Smoothing"), slider, weight),
      this.groupable && this.groupTool(),
      this.zoomHolder);
    this.updateTools();
  }

  updateTools() {
    for (const el of this.tools.querySelectorAll(".seg button")) {
      el.setAttribute("aria-pressed", String(el.textContent === "log x" ? this.state.logX : this.state.logY));
    }
    const { zoom } = this.state;
    if (this.zoomHolder) {
      fill(this.zoomHolder, zoom && button("zoomout", "Reset zoom", () => this.zoom(null), { class: "accent", title: "Esc, or double click in a chart" }));
    }
  }

  groupTool() {
    const { state } = this;
    const select = h("select.input", { "aria-label": "Group runs", onchange: () => this.set({ group: select.value }) },
      h("option", { value: "" }, "no groups"),
      this.params.map(([kind, key]) => h("option", { value: `${kind}.${key}`, selected: state.group === `${kind}.${key}` }, key)));
    const spread = state.group && h("select.input", { "aria-label": "Band", onchange: (event) => this.set({ band: event.target.value }) },
      [["range", "min–max"], ["std", "± std"], ["quartiles", "quartiles"]].map(([value, text]) => h("option", { value, selected: state.band === value }, text)));
    return h("label.inline", h("span", "Bands by"), select, spread);
  }

  setAxis(axis) {
    const against = axis === "metric" ? this.state.against || this.metrics[0] || "" : "";
    this.set({ axis, against, zoom: null });
  }

  zoom(range) {
    if (range && !(range[1] > range[0])) return;
    if (range && this.state.axis !== "metric") {
      // Steps and milliseconds are whole: less than one of them shows nothing.
      if (range[1] - range[0] < 2) range = [(range[0] + range[1]) / 2 - 1, (range[0] + range[1]) / 2 + 1];
    }
    this.state.zoom = range;
    this.changed();
    this.updateTools();
    for (const panel of this.panels.values()) if (panel.seen) panel.chart.glance(range);
    this.renew();
  }

  // ---- the grid

  layout() {
    let wanted = this.metrics;
    if (this.state.filter) {
      try {
        const regex = new RegExp(this.state.filter, "i");
        wanted = wanted.filter((key) => regex.test(key));
      } catch {
        const text = this.state.filter.toLowerCase();
        wanted = wanted.filter((key) => key.toLowerCase().includes(text));
      }
    }
    for (const [key, panel] of this.panels) {
      if (wanted.includes(key)) continue;
      this.sight.unobserve(panel.chart.el);
      panel.chart.destroy();
      this.panels.delete(key);
    }
    const sections = new Map();
    for (const key of wanted) {
      const slash = key.indexOf("/");
      const name = slash > 0 ? key.slice(0, slash) : "";
      if (!sections.has(name)) sections.set(name, []);
      sections.get(name).push(key);
    }
    const only = sections.size === 1;
    fill(this.sections);
    if (!wanted.length) {
      append(this.sections, [h("div.empty", icon("chart", 28), h("p", this.metrics.length ? "No metric matches the filter." : "No metrics yet. They appear here as soon as something is logged."))]);
      return;
    }
    let shown = 0;
    for (const [name, keys] of sections) {
      const open = this.opened.get(name) ?? (shown < SECTION && name !== "system");
      shown += keys.length;
      this.sections.append(this.section(name, keys, open || only, only));
    }
  }

  section(name, keys, open, only) {
    const grid = h("div.chart-grid");
    let limit = SECTION;
    const build = () => {
      fill(grid, keys.slice(0, limit).map((key) => this.panel(key).chart.el),
        keys.length > limit && button("plus", `Show ${Math.min(SECTION, keys.length - limit)} more of ${keys.length}`, () => { limit += SECTION; build(); }));
    };
    if (only && !name) {
      build();
      return h("div.section", grid);
    }
    const head = h("button.section-head", { type: "button", "aria-expanded": String(open), onclick: () => {
      open = !open;
      this.opened.set(name, open);
      head.setAttribute("aria-expanded", String(open));
      if (open) build();
      grid.hidden = !open;
    } }, icon("chevron"), h("span", name || "general"), h("span.count", keys.length));
    if (open) build();
    grid.hidden = !open;
    return h("div.section", head, grid);
  }

  panel(key) {
    let panel = this.panels.get(key);
    if (!panel) {
      const chart = new Chart(key, {
        zoom: (range) => this.zoom(range),
        reset: () => this.zoom(null),
        expand: () => this.expand(key),
      });
      panel = { key, chart, seen: false, epoch: -1, answer: null };
      this.panels.set(key, panel);
      this.sight.observe(chart.el);
    }
    return panel;
  }

  expand(key) {
    const el = this.panel(key).chart.el;
    const large = !el.classList.contains("is-large");
    for (const other of this.sections.querySelectorAll(".is-large")) other.classList.remove("is-large");
    el.classList.toggle("is-large", large);
    document.body.classList.toggle("has-large", large);
    this.panel(key).epoch = -1;
    requestAnimationFrame(() => this.ask());
  }

  /** Takes back one thing; whether there was one. */
  escape() {
    const large = this.sections.querySelector(".is-large");
    if (large) {
      this.expand(large.dataset.metric);
      return true;
    }
    if (!this.state.zoom) return false;
    this.zoom(null);
    return true;
  }

  redraw() {
    for (const panel of this.panels.values()) if (panel.answer) panel.chart.show(panel.answer, this.look());
  }

  look() {
    const { axis, logX, logY, zoom, against } = this.state;
    return { axis, logX, logY, zoom, against };
  }

  // ---- asking

  ask() {
    if (!this.runs.length) {
      for (const panel of this.panels.values()) panel.chart.message("empty", "No runs are shown.");
      return;
    }
    const stale = [...this.panels.values()].filter((panel) => panel.seen && panel.epoch !== this.epoch && !this.waiting.has(panel) && panel.chart.el.isConnected);
    while (this.active < AT_ONCE && stale.length) this.fetch(stale.splice(0, this.groups() ? 1 : TOGETHER));
  }

  groups() {
    return this.groupable ? this.state.group : "";
  }

  question(panels) {
    const { axis, against, zoom, smooth, logX } = this.state;
    // Twice as many columns as points of the screen would change nothing that can be seen.
    const width = Math.max(100, ...panels.map((panel) => Math.round(panel.chart.size().width)));
    let range = zoom;
    let columns = width;
    if (zoom && !logX) {
      const beyond = (zoom[1] - zoom[0]) * BEYOND;
      range = [zoom[0] - beyond, zoom[1] + beyond];
      columns = Math.round(width * (1 + 2 * BEYOND));
    }
    const question = { axis, range, width: Math.max(50, Math.min(4000, columns, Math.floor(COLUMNS / this.runs.length))), log_x: logX };
    if (smooth) Object.assign(question, { smoothing: smooth, raw: !this.groups() });
    if (axis === "metric") question.against = against;
    return question;
  }

  async fetch(panels) {
    const { epoch, abort } = this;
    panels.forEach((panel) => { this.waiting.add(panel); panel.chart.busy(true); });
    this.active++;
    try {
      const groups = this.groups();
      const question = this.question(panels);
      if (groups) {
        const [panel] = panels;
        const asked = api.bands({ ...question, metric: panel.key, runs: this.runs.map((run) => run.id), by: keyed(groups), band: this.state.band }, abort.signal);
        const [answer] = await Promise.all([asked, prepare()]);
        this.arrived(panel, answer, epoch);
      } else {
        const asked = api.charts({ ...question, runs: this.runs.map((run) => run.id), metrics: panels.map((panel) => panel.key) }, abort.signal);
        const [answer] = await Promise.all([asked, prepare()]);
        answer.charts.forEach((one, at) => this.arrived(panels[at], one, epoch));
      }
    } catch (error) {
      if (error.name === "AbortError") return;
      for (const panel of panels) {
        panel.epoch = epoch;
        if (!panel.answer) panel.chart.message("error", error.message);
      }
      if (panels.some((panel) => panel.answer)) toast(error.message, "error");
    } finally {
      if (abort === this.abort) {
        panels.forEach((panel) => { this.waiting.delete(panel); panel.chart.busy(false); });
        this.active--;
        this.ask();
      }
    }
  }

  arrived(panel, answer, epoch) {
    panel.epoch = epoch;
    if (answer.error) {
      panel.answer = null;
      panel.chart.message("error", answer.error);
      return;
    }
    panel.answer = { ...answer, names: this.names };
    panel.chart.show(panel.answer, this.look());
  }
}

/** Most of what people want of smoothing lies close to 1, so the slider gives it room. */
const curve = (weight) => 1 - Math.sqrt(1 - weight);
const uncurve = (at) => Math.min(0.999, 1 - (1 - at) ** 2);

/** `param.lr` as the server wants it. */
function keyed(id) {
  const dot = id.indexOf(".");
  return { [id.slice(0, dot)]: id.slice(dot + 1) };
}

function toggle(text, pressed, onclick) {
  return h("button.btn", { type: "button", "aria-pressed": String(Boolean(pressed)), onclick }, text);
}

/** What a link says of a board. */
export function read(query) {
  const zoom = (query.get("z") ?? "").split("..").map(Number);
  const smooth = Number(query.get("s") ?? 0);
  return {
    filter: query.get("m") ?? "",
    axis: AXES.some(([name]) => name === query.get("x")) ? query.get("x") : "step",
    against: query.get("xm") ?? "",
    smooth: smooth > 0 && smooth < 1 ? smooth : 0,
    logX: query.get("lx") === "1",
    logY: query.get("ly") === "1",
    zoom: zoom.length === 2 && zoom.every(Number.isFinite) && zoom[0] < zoom[1] ? zoom : null,
    group: query.get("g") ?? "",
    band: ["std", "quartiles"].includes(query.get("b")) ? query.get("b") : "range",
  };
}

/** And back. */
export function written(state) {
  const digits = (at) => String(Number(at.toPrecision(15)));
  return {
    m: state.filter || null,
    x: state.axis === "step" ? null : state.axis,
    xm: state.against || null,
    s: state.smooth ? String(state.smooth) : null,
    lx: state.logX ? "1" : null,
    ly: state.logY ? "1" : null,
    z: state.zoom ? state.zoom.map(digits).join("..") : null,
    g: state.group || null,
    b: state.band === "range" ? null : state.band,
  };
}
