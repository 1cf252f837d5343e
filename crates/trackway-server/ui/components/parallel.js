// Parallel coordinates: an axis for each param and metric, a line for each run. Dragging along an axis keeps what lies there.

import { h, fill, svg, button } from "../dom.js";
import { popover } from "./overlay.js";
import { empty } from "./bits.js";
import { color } from "../colors.js";
import { real } from "../format.js";
import * as format from "../format.js";

const TOP = 44;
const BOTTOM = 26;
const SIDE = 70;

export class Parallel {
  constructor(runs, { metrics, params, open, query, setQuery }) {
    this.runs = runs;
    this.open = open;
    this.setQuery = setQuery;
    this.kept = new Map();
    this.known = [...params.map((key) => this.dimension("param", key)), ...metrics.map((key) => this.dimension("metric", key))].filter((one) => one.differs);
    const asked = query.get("dims")?.split("~");
    this.chosen = asked ? asked.filter((id) => this.known.some((one) => one.id === id)) : this.known.filter((one) => one.kind === "param").slice(0, 6).concat(this.known.filter((one) => one.kind === "metric").slice(0, 4)).map((one) => one.id);
    this.canvas = h("div.parallel-plot");
    this.list = h("div.parallel-list");
    this.tools = h("div.toolbar");
    this.el = h("div.parallel", this.tools, this.canvas, this.list);
    this.watch = new ResizeObserver(() => this.draw());
  }

  start() {
    this.watch.observe(this.canvas);
    this.draw();
  }

  destroy() {
    this.watch.disconnect();
  }

  /** Numbers lie by size, others by rank. */
  dimension(kind, key) {
    const raw = this.runs.map((run) => (kind === "param" ? run.params[key] ?? null : real(run.metrics.find((one) => one.key === key)?.latest.value ?? null)));
    const known = raw.filter((value) => value !== null && !Number.isNaN(value));
    const numbers = known.map(Number);
    const numeric = known.every((value, at) => value !== "" && Number.isFinite(numbers[at]));
    const values = numeric ? raw.map((value) => (value === null ? null : Number(value))) : raw;
    const names = numeric ? null : [...new Set(known.map(String))].sort();
    let place;
    let ticks;
    let log = false;
    if (numeric) {
      const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
      log = low > 0 && high / low > 50;
      const at = log ? Math.log : (value) => value;
      place = (value) => (value === null || Number.isNaN(value) ? null : high === low ? 0.5 : (at(value) - at(low)) / (at(high) - at(low)));
      ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => [part, log ? Math.exp(at(low) + part * (at(high) - at(low))) : low + part * (high - low)]);
      const distinct = [...new Set(numbers)];
      if (distinct.length <= 6) ticks = distinct.map((value) => [place(value), value]);
      ticks = ticks.map(([part, value]) => [part, format.number(value, 3)]);
    } else {
      const shown = names.slice(0, 30);
      place = (value) => (value === null ? null : names.length < 2 ? 0.5 : names.indexOf(String(value)) / (names.length - 1));
      ticks = shown.map((name) => [place(name), name.length > 14 ? name.slice(0, 13) + "…" : name]);
    }
    return { id: `${kind}.${key}`, kind, key, values, place, ticks, log, differs: new Set(known.map(String)).size > 1 };
  }

  draw() {
    const add = button("columns", "Axes", () => popover(add, () => h("div.picker", h("div.picker-list", this.known.map((one) => h("label.check", h("input", { type: "checkbox", checked: this.chosen.includes(one.id), onchange: (event) => {
      this.chosen = event.target.checked ? [...this.chosen, one.id] : this.chosen.filter((id) => id !== one.id);
      this.setQuery({ dims: this.chosen.join("~") });
      this.draw();
    } }), h("span", one.key), h("small.muted", one.kind)))))), { "aria-haspopup": "dialog" });
    const inside = this.runs.filter((run, at) => this.keeps(at));
    fill(this.tools, add, h("span.muted", this.kept.size ? `${inside.length} of ${format.plural(this.runs.length, "run")} inside of the marked ranges` : "Drag along an axis to keep the runs that lie there."),
      this.kept.size > 0 && button("close", "Take back", () => { this.kept.clear(); this.draw(); }));
    const dimensions = this.chosen.map((id) => this.known.find((one) => one.id === id)).filter(Boolean);
    if (dimensions.length < 2) {
      fill(this.canvas, empty("compare", "Choose at least two axes", h("p", this.known.length ? "" : "No param or metric differs between these runs.")));
      return;
    }
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width) return;
    const gap = (width - 2 * SIDE) / (dimensions.length - 1);
    const x = (at) => SIDE + at * gap;
    const y = (part) => TOP + (1 - part) * (height - TOP - BOTTOM);
    const root = svg("svg", { width, height, class: "parallel-svg", role: "img", "aria-label": "Parallel coordinates" });
    const lines = svg("g", { fill: "none" });
    this.runs.forEach((run, at) => {
      const keeps = this.keeps(at);
      let path = "";
      let open = false;
      dimensions.forEach((one, place) => {
        const part = one.place(one.values[at]);
        if (part === null || !Number.isFinite(part)) {
          open = false;
          return;
        }
        const [px, py] = [x(place), y(part)];
        path += open ? `C${px - gap / 2},${this.before},${px - gap / 2},${py},${px},${py}` : `M${px},${py}`;
        this.before = py;
        open = true;
      });
      const line = svg("path", { d: path, stroke: color(run.id), class: keeps ? "p-line" : "p-line is-out" });
      line.addEventListener("mouseenter", () => this.name(run, at, dimensions));
      line.addEventListener("mouseleave", () => fill(this.list));
      line.addEventListener("click", () => this.open(run));
      lines.append(line);
    });
    root.append(lines);
    dimensions.forEach((one, place) => root.append(this.axis(one, x(place), y, height)));
    fill(this.canvas, root);
  }

  axis(one, px, y, height) {
    const group = svg("g", { class: "p-axis" });
    const text = (at, content, cls) => {
      const el = svg("text", { x: px, y: at, class: cls, "text-anchor": "middle" });
      el.textContent = content;
      return el;
    };
    const short = one.key.length > 20 ? "…" + one.key.slice(-19) : one.key;
    const title = text(18, short, "p-title");
    const full = svg("title");
    full.textContent = `${one.kind} ${one.key}${one.log ? ", logarithmic" : ""}`;
    title.append(full);
    group.append(title, svg("line", { x1: px, x2: px, y1: y(1), y2: y(0), class: "p-rule" }));
    for (const [part, label] of one.ticks) {
      const mark = svg("text", { x: px + 7, y: y(part) + 4, class: "p-tick" });
      mark.textContent = label;
      group.append(svg("line", { x1: px - 3, x2: px + 3, y1: y(part), y2: y(part), class: "p-rule" }), mark);
    }
    const kept = this.kept.get(one.id);
    if (kept) group.append(svg("rect", { x: px - 7, width: 14, y: y(kept[1]), height: Math.max(2, y(kept[0]) - y(kept[1])), class: "p-kept" }));
    const grip = svg("rect", { x: px - 12, width: 24, y: TOP - 6, height: height - TOP - BOTTOM + 12, class: "p-grip" });
    grip.addEventListener("mousedown", (event) => this.brush(event, one, height));
    group.append(grip);
    return group;
  }

  brush(event, one, height) {
    event.preventDefault();
    const top = this.canvas.getBoundingClientRect().top;
    const part = (next) => Math.max(0, Math.min(1, 1 - (next.clientY - top - TOP) / (height - TOP - BOTTOM)));
    const from = part(event);
    const move = (next) => {
      this.kept.set(one.id, [Math.min(from, part(next)), Math.max(from, part(next))]);
      this.draw();
    };
    const up = (next) => {
      removeEventListener("mousemove", move);
      removeEventListener("mouseup", up);
      if (Math.abs(part(next) - from) < 0.01) this.kept.delete(one.id);
      this.draw();
    };
    addEventListener("mousemove", move);
    addEventListener("mouseup", up);
  }

  keeps(at) {
    for (const [id, [low, high]] of this.kept) {
      const one = this.known.find((dimension) => dimension.id === id);
      const part = one.place(one.values[at]);
      if (part === null || part < low - 1e-9 || part > high + 1e-9) return false;
    }
    return true;
  }

  name(run, at, dimensions) {
    fill(this.list, h("i.dot", { style: { background: color(run.id) } }), h("b", run.name || run.id.slice(0, 8)),
      dimensions.map((one) => h("span.chip", `${one.key}: ${typeof one.values[at] === "number" ? format.number(one.values[at], 5) : one.values[at] ?? "—"}`)));
  }
}
