// One chart of one metric: lines of many runs, or bands of groups of them. It draws what it is given; the board asks the server.

import { h, button, fill } from "../dom.js";
import { color, faded, isDark } from "../colors.js";
import * as format from "../format.js";

let uPlot = null;
let paths = null;

/** What draws is larger than all else together and takes long to start: it is waited for together with points, not before them. */
export async function prepare() {
  if (uPlot) return;
  const [vendor, own] = await Promise.all([import("../vendor/uplot/uPlot.esm.js"), import("./paths.js")]);
  [uPlot, paths] = [vendor.default, own];
}

/** Rows of the list under the pointer. */
const HOVERED = 12;

const DURATIONS = [1, 2, 5, 10, 20, 50, 100, 200, 500, ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000, 864000, 8640000].map((s) => s * 1000)];

export class Chart {
  /** `on` has zoom(range), reset() and expand(). */
  constructor(title, on) {
    this.on = on;
    this.plot = null;
    this.answer = null;
    this.look = null;
    this.hidden = new Set();
    this.status = h("span.chart-note");
    this.holder = h("div.chart-holder");
    this.tip = h("div.chart-tip", { hidden: true });
    this.el = h("section.chart", { "aria-label": title, dataset: { metric: title } },
      h("header", h("h3", { title }, title), this.status,
        button("expand", "", () => on.expand(), { title: "Larger (double click outside of the plot: smaller)", class: "ghost small" })),
      this.holder);
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(this.holder);
    document.body.append(this.tip);
    this.message("loading");
  }

  destroy() {
    this.watch.disconnect();
    this.plot?.destroy();
    this.tip.remove();
  }

  /** Says something in place of the plot. */
  message(kind, text = "") {
    this.plot?.destroy();
    this.plot = null;
    this.answer = null;
    this.el.dataset.state = kind;
    fill(this.holder, kind === "loading" ? h("div.skeleton") : h("div.empty.small", text));
    fill(this.status);
    this.tip.hidden = true;
  }

  busy(yes) {
    this.el.classList.toggle("is-busy", yes);
  }

  size() {
    return { width: Math.max(80, this.holder.clientWidth), height: Math.max(80, this.holder.clientHeight) };
  }

  resize() {
    if (this.plot && this.holder.clientWidth) this.plot.setSize(this.size());
  }

  /**
   * Draws an answer of the server. `look` is what decides about the shape of the plot: `{ axis, logX, logY, zoom, names }`;
   * `zoom` is the part that is shown, and may be less than was answered.
   */
  show(answer, look) {
    const lines = (answer.bands ? bandLines(answer) : runLines(answer)).filter((one) => !this.hidden.has(one.id));
    this.el.dataset.state = lines.length ? "ready" : "empty";
    if (!lines.length) {
      const zoomed = look.zoom ? "No points in this part of the axis." : "No points.";
      return this.message("empty", look.logX ? zoomed.replace(".", " that have a place on a logarithmic axis.") : zoomed);
    }
    Object.assign(this, { answer, look, lines });
    const shape = JSON.stringify([look.axis, look.logX, look.logY, isDark(), this.isExtreme(), lines.map((one) => [one.id, one.kind])]);
    const data = [null, ...lines.map((one) => one.data)];
    if (this.plot && this.shape === shape) {
      this.plot.setData(data);
    } else {
      this.plot?.destroy();
      fill(this.holder);
      this.shape = shape;
      this.plot = new uPlot(this.options(lines, look), data, this.holder);
      this.listen();
    }
    this.note();
  }

  /** Shows another part of what is there, until the server has answered for it. */
  glance(zoom) {
    if (!this.plot) return;
    this.look = { ...this.look, zoom };
    this.plot.setData(this.plot.data);
  }

  /** What lies on no line. */
  note() {
    const sum = (name) => this.lines.reduce((total, one) => total + (one[name] ?? 0), 0);
    const odd = sum("nan") + sum("infinite");
    const parts = [];
    if (odd) parts.push(h("span.warn", { title: `${format.plural(odd, "value")} in columns of this chart that are NaN or infinite; ticks at the upper edge mark where` }, "NaN/∞"));
    const left = sum("left");
    if (left) parts.push(h("span", { title: "Points without a place on this axis" }, `${format.integer(left)} not shown`));
    fill(this.status, parts);
  }

  options(lines, look) {
    const text = css("--muted");
    const grid = { stroke: css("--grid"), width: 1 };
    const axis = { stroke: text, grid, ticks: { show: false }, font: "11px " + css("--font"), gap: 4 };
    const x = { ...axis, size: 26, space: 60 };
    if (look.axis === "relative") Object.assign(x, { incrs: look.logX ? undefined : DURATIONS, values: (u, splits) => splits.map((at) => (at == null ? "" : short(at))) });
    else if (look.axis === "step" || look.axis === "metric") x.values = (u, splits) => splits.map((at) => (at == null ? "" : compact(at)));
    else x.values = (u, splits, index, space, step) => splits.map((at, place) => (at == null ? "" : clock(at, step, place > 0 ? splits[place - 1] : null)));
    if (look.logX && look.axis !== "time") Object.assign(x, { splits: logSplits, filter: all });
    const y = { ...axis, size: (u, values) => Math.max(34, 12 + Math.max(0, ...(values ?? []).map((one) => (one ?? "").length)) * 6.4), values: (u, splits) => labels(splits, look.logY) };
    if (look.logY) Object.assign(y, { splits: logSplits, filter: all });
    else if (this.isExtreme()) y.splits = (u, index, low, high) => [0.1, 0.3, 0.5, 0.7, 0.9].map((part) => low + (high - low) * part);
    return {
      mode: 2,
      ...this.size(),
      ms: 1,
      padding: [8, 10, 0, 0],
      legend: { show: false },
      focus: { alpha: 0.22 },
      cursor: {
        y: false,
        focus: { prox: 24 },
        drag: { x: true, y: false, setScale: false, dist: 4 },
        dataIdx: (u, index) => this.nearest(u, index),
        points: { size: 7, width: 1.5, stroke: css("--surface"), fill: (u, index) => this.lines[index - 1].color },
      },
      scales: {
        x: { time: look.axis === "time", distr: look.logX ? 3 : 1, auto: true, range: () => this.rangeX() },
        y: { distr: look.logY ? 3 : 1, auto: true, range: (u) => this.rangeY(u) },
      },
      axes: [x, y],
      series: [{}, ...lines.map((one) => ({
        facets: [{ scale: "x", auto: true, sorted: 1 }, { scale: "y", auto: true }],
        stroke: one.stroke,
        fill: one.fill,
        width: one.kind === "raw" ? 1 : 1.5,
        thin: one.kind === "raw",
        paths: one.kind === "band" ? paths.band : paths.line,
        points: { show: false },
      }))],
      hooks: {
        setSelect: [(u) => this.select(u)],
        setCursor: [(u) => this.hover(u)],
        draw: [(u) => this.drawOdd(u)],
      },
    };
  }

  /** Beyond the steps that uPlot knows for an axis. */
  isExtreme() {
    const [low, high] = this.rangeY();
    return high - low > 1e30 || high - low < 1e-30;
  }

  rangeX() {
    const { zoom, logX } = this.look;
    let [low, high] = zoom ?? this.answer.range ?? [0, 1];
    if (low === high) {
      [low, high] = logX ? [low / 1.5, high * 1.5] : [low - 1, high + 1];
    }
    return logX ? [Math.max(low, Number.MIN_VALUE), high] : [low, high];
  }

  /** The values that are seen, with a little room; never a part of them only. */
  rangeY() {
    const [left, right] = this.rangeX();
    const { logY } = this.look;
    let low = Infinity;
    let high = -Infinity;
    for (const { data: [xs, ys, lows, highs] } of this.lines) {
      for (let at = 0; at < xs.length; at++) {
        if (xs[at] < left || xs[at] > right) continue;
        const a = lows ? lows[at] : ys[at];
        const b = highs ? highs[at] : ys[at];
        if (a != null && a < low && (!logY || a > 0)) low = a;
        if (b != null && b > high && (!logY || b > 0)) high = b;
      }
    }
    if (low > high) return logY ? [0.1, 1] : [0, 1];
    if (logY) return low === high ? [low / 2, high * 2] : [low / 1.12, high * 1.12];
    const room = low === high ? Math.abs(low) * 0.1 || 0.5 : (high - low) * 0.06;
    return [low - room, high + room];
  }

  nearest(u, index) {
    const xs = u.data[index][0];
    const ys = u.data[index][1];
    if (!xs.length || this.lines[index - 1].kind === "raw") return null;
    const wanted = u.posToVal(u.cursor.left, "x");
    let low = 0;
    let high = xs.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (xs[middle] < wanted) low = middle + 1;
      else high = middle;
    }
    if (low > 0 && wanted - xs[low - 1] < xs[low] - wanted) low--;
    // Of several points on one pixel the one nearest to the pointer: a spike can be pointed at.
    const place = u.valToPos(xs[low], "x");
    if (Math.abs(place - u.cursor.left) > 40 && xs.length > 40) return null;
    let best = null;
    let least = Infinity;
    for (const step of [-1, 1]) {
      for (let at = step < 0 ? low : low + 1; at >= 0 && at < xs.length; at += step) {
        if (at !== low && Math.abs(u.valToPos(xs[at], "x") - u.cursor.left) > 1.5) break;
        if (ys[at] == null) continue;
        const far = Math.abs(u.valToPos(ys[at], "y") - u.cursor.top);
        if (far < least) [best, least] = [at, far];
      }
    }
    return best;
  }

  select(u) {
    const { left, width } = u.select;
    if (width < 4) return;
    const range = [u.posToVal(left, "x"), u.posToVal(left + width, "x")];
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.on.zoom(range);
  }

  listen() {
    const over = this.plot.over;
    over.addEventListener("dblclick", () => this.on.reset());
    over.addEventListener("mouseleave", () => { this.tip.hidden = true; });
    // Shift and drag moves the part that is shown; uPlot must not take it for a selection.
    over.addEventListener("mousedown", (event) => {
      if (!event.shiftKey || event.button !== 0) return;
      event.stopImmediatePropagation();
      event.preventDefault();
      const start = event.clientX;
      const from = this.rangeX();
      const at = (range, part) => (this.look.logX ? range[0] * (range[1] / range[0]) ** part : range[0] + (range[1] - range[0]) * part);
      let range = null;
      const move = (next) => {
        const part = (start - next.clientX) / over.clientWidth;
        range = [at(from, part), at(from, 1 + part)];
        this.glance(range);
      };
      const up = () => {
        removeEventListener("mousemove", move);
        removeEventListener("mouseup", up);
        if (range) this.on.zoom(range);
      };
      addEventListener("mousemove", move);
      addEventListener("mouseup", up);
    }, true);
    over.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const [low, high] = this.rangeX();
      const at = this.plot.posToVal(event.offsetX, "x");
      const factor = event.deltaY > 0 ? 1.25 : 0.8;
      this.on.zoom(this.look.logX ? [at * (low / at) ** factor, at * (high / at) ** factor] : [at + (low - at) * factor, at + (high - at) * factor]);
    }, { passive: false });
  }

  hover(u) {
    const { left, top, idxs } = u.cursor;
    if (left < 0 || left == null || !this.lines) {
      this.tip.hidden = true;
      return;
    }
    const found = [];
    this.lines.forEach((one, at) => {
      const index = idxs[at + 1];
      const y = index == null ? null : one.data[1][index];
      if (y == null) return;
      const extra = one.data[2] ? `  ${format.number(one.data[2][index], 4)} … ${format.number(one.data[3][index], 4)}` : "";
      found.push({ one, x: one.data[0][index], y, extra, far: Math.abs(u.valToPos(y, "y") - top) });
    });
    if (!found.length) {
      this.tip.hidden = true;
      return;
    }
    found.sort((a, b) => a.far - b.far);
    const nearest = found[0];
    const rows = found.slice(0, HOVERED).sort((a, b) => b.y - a.y);
    fill(this.tip,
      h("div.tip-x", axisText(nearest.x, this.look.axis, this.look.against)),
      rows.map((row) => h("div.tip-row", { class: row === nearest ? "is-near" : "" },
        h("i.dot", { style: { background: row.one.color } }),
        h("span.tip-name", row.one.name),
        h("span.tip-at", row.x === nearest.x ? "" : axisText(row.x, this.look.axis, "", true)),
        h("b", format.number(row.y, 6) + row.extra))),
      found.length > HOVERED && h("div.tip-more", `and ${found.length - HOVERED} more`));
    this.tip.hidden = false;
    const box = u.over.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.tip;
    const right = box.left + left + 16 + width > innerWidth - 8;
    this.tip.style.left = `${Math.max(8, right ? box.left + left - width - 16 : box.left + left + 16)}px`;
    this.tip.style.top = `${Math.max(8, Math.min(innerHeight - height - 8, box.top + top - height / 2))}px`;
  }

  /** Ticks at the upper edge where values are NaN or infinite. */
  drawOdd(u) {
    const { ctx, bbox } = u;
    const ratio = uPlot.pxRatio;
    ctx.save();
    for (const one of this.lines) {
      if (!one.odd?.length) continue;
      ctx.fillStyle = one.color;
      for (const x of one.odd) {
        const at = u.valToPos(x, "x", true);
        if (at >= bbox.left && at <= bbox.left + bbox.width) ctx.fillRect(at - ratio / 2, bbox.top - 5 * ratio, Math.max(1, ratio), 5 * ratio);
      }
    }
    ctx.restore();
  }
}

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function runLines(answer) {
  const lines = [];
  for (const one of answer.series) {
    const hue = color(one.run);
    const name = answer.names?.get(one.run) ?? one.run.slice(0, 8);
    if (one.raw) lines.push({ id: one.run, kind: "raw", name, color: hue, stroke: faded(hue, 0.28), fill: faded(hue, 0.28), data: [one.raw.x, one.raw.y] });
    if (one.x.length || one.odd.length) lines.push({ id: one.run, kind: "line", name, color: hue, stroke: hue, fill: hue, data: [one.x, one.y], nan: one.nan, infinite: one.infinite, left: one.left_out, odd: one.odd });
  }
  // What is faint lies below.
  return lines.sort((a, b) => (a.kind === "raw" ? 0 : 1) - (b.kind === "raw" ? 0 : 1));
}

function bandLines(answer) {
  return answer.bands.filter((one) => one.x.length).map((one) => {
    const hue = color("group:" + one.label);
    return { id: "group:" + one.label, kind: "band", name: `${one.label} (${one.runs})`, color: hue, stroke: hue, fill: faded(hue, 0.18), data: [one.x, one.mean, one.low, one.high], left: one.left_out };
  });
}

/** Marks of a logarithmic axis: powers of ten, their halves and fifths where there is room, even steps on a short piece. */
function logSplits(u, axis, low, high) {
  const decades = Math.log10(high / low);
  const marks = [];
  if (decades < 0.8) {
    const raw = (high - low) / 4;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= raw);
    for (let at = Math.ceil(low / step); at * step <= high; at++) marks.push(Number((at * step).toPrecision(12)));
    return marks;
  }
  const every = Math.max(1, Math.ceil(decades / 7));
  const parts = decades > 3.5 ? [1] : decades > 1.7 ? [1, 3] : [1, 2, 5];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    if (power % every) continue;
    for (const part of parts) {
      const at = Number(`${part}e${power}`);
      if (at >= low && at <= high) marks.push(at);
    }
  }
  return marks;
}

function compact(at) {
  const size = Math.abs(at);
  if (size >= 1e4 && size < 1e15) {
    const [unit, sign] = size >= 1e12 ? [1e12, "T"] : size >= 1e9 ? [1e9, "G"] : size >= 1e6 ? [1e6, "M"] : [1e3, "k"];
    return String(Number((at / unit).toPrecision(6))).replace("-", "−") + sign;
  }
  return format.number(Number(at.toPrecision(12)), 8);
}

/** Values beside an axis, all with as many digits as tell them apart. */
function labels(splits, log) {
  const shown = splits.filter((at) => at != null);
  if (log) return splits.map((at) => (at == null ? "" : at >= 0.001 && at < 1e4 ? String(Number(at.toPrecision(3))) : at.toExponential(0).replace("e+", "e").replace("e-", "e−")));
  const largest = Math.max(...shown.map(Math.abs));
  if (largest >= 1e15) return splits.map((at) => (at == null ? "" : at.toExponential(1).replace("e+", "e").replace("-", "−")));
  if (largest >= 1e4) return splits.map((at) => (at == null ? "" : compact(at)));
  if (largest > 0 && largest < 1e-3) return splits.map((at) => (at == null ? "" : at === 0 ? "0" : Number(at.toPrecision(6)).toExponential().replace("-", "−").replace("e-", "e−")));
  const step = shown.length > 1 ? Math.abs(shown[1] - shown[0]) : 1;
  const digits = Math.max(0, Math.min(8, -Math.floor(Math.log10(step) + 1e-9)));
  const fits = (n) => shown.every((at) => Math.abs(Number(at.toFixed(n)) - at) < step * 1e-6);
  const exact = fits(digits) ? digits : digits + 1;
  return splits.map((at) => (at == null ? "" : exact ? at.toFixed(exact).replace("-", "−") : format.integer(Math.round(at))));
}

/** uPlot leaves out most marks of a logarithmic axis; here they are few already. */
const all = (u, splits) => splits;

/** A time beside an axis: its day where another one begins. */
function clock(at, step, before) {
  const date = new Date(at);
  const two = (number) => String(number).padStart(2, "0");
  if (step >= 86400e3) return format.day(date);
  if (before !== null && new Date(before).getDate() !== date.getDate() && step >= 60e3) return format.day(date);
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (step >= 60e3) return minutes;
  if (step >= 1e3) return `${minutes}:${two(date.getSeconds())}`;
  return `${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0").replace(/0+$/, "") || "0"}`;
}

function short(ms) {
  const size = Math.abs(ms);
  const sign = ms < 0 ? "−" : "";
  if (size === 0) return "0";
  if (size < 1000) return `${sign}${Number(size.toPrecision(4))} ms`;
  if (size < 60e3) return `${sign}${Number((size / 1e3).toPrecision(4))} s`;
  const total = Math.round(size / 1e3);
  const [hours, minutes, seconds] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  if (hours >= 48) return `${sign}${Number((hours / 24).toPrecision(3))} d`;
  if (hours) return `${sign}${hours} h${minutes ? ` ${String(minutes).padStart(2, "0")}` : ""}`;
  return `${sign}${minutes} min${seconds ? ` ${String(seconds).padStart(2, "0")}` : ""}`;
}

function axisText(x, axis, against, bare = false) {
  if (axis === "time") return format.fullDate(x);
  if (axis === "relative") return format.duration(x);
  if (axis === "metric") return bare ? format.number(x) : `${against}: ${format.number(x, 6)}`;
  return bare ? format.integer(x) : `step ${format.integer(x)}`;
}
