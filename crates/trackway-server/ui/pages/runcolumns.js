// Columns of the table of runs: what they are called, how they sort, what their cells are.

import { spell } from "../api.js";
import { h, icon } from "../dom.js";
import { status } from "../components/bits.js";
import { color } from "../colors.js";
import * as format from "../format.js";

const ATTRIBUTES = {
  status: { title: "Status", width: 112, cell: (row) => status(row.status, row.deleted) },
  start_time: { title: "Started", width: 124, numeric: false, cell: (row) => h("span", { title: format.fullDate(row.start) }, format.ago(row.start)) },
  end_time: { title: "Ended", width: 124, cell: (row) => h("span", { title: format.fullDate(row.end) }, row.end == null ? "" : format.ago(row.end)) },
  duration: { title: "Duration", width: 104, numeric: true, cell: (row) => format.duration((row.end ?? (row.status === "RUNNING" ? Date.now() : null)) - row.start) },
  user_id: { title: "User", width: 110, cell: (row) => row.user },
  run_id: { title: "Run id", width: 270, cell: (row) => h("code.muted", row.id) },
};

/** What is shown when nobody has chosen: few params and metrics, the short keys first, since those are the ones that people name by hand. */
export function standard(keys) {
  const by = (list, count) => list.filter((key) => !/^(system|mlflow)[/.]/.test(key)).slice(0, count);
  const metrics = [...keys.metrics].sort((a, b) => score(a) - score(b) || a.localeCompare(b));
  return ["attribute.status", "attribute.start_time", "attribute.duration", ...by(metrics, 5).map((key) => `metric.${key}`), ...by(keys.params, 5).map((key) => `param.${key}`)];
}

function score(key) {
  const wanted = /(loss|acc|auc|f1|rmse|mae|return|reward|score|error|perplexity)/i.test(key) ? 0 : 4;
  return wanted + (/^(val|valid|eval|test)/i.test(key) ? 0 : 1) + key.split("/").length;
}

export function orderText({ id, descending }) {
  const dot = id.indexOf(".");
  const [kind, key] = [id.slice(0, dot), id.slice(dot + 1)];
  const name = kind === "attribute" ? key : spell(kind + "s", key);
  return `${name} ${descending ? "DESC" : "ASC"}`;
}

export function columnsOf(ids, { experiment, fold }) {
  const name = {
    id: "attribute.run_name", title: "Run", width: 250, sort: true, sticky: true,
    cell: (row) => {
      if (row.group) {
        return h("button.fold", { type: "button", "aria-expanded": String(!row.closed), onclick: (event) => { event.stopPropagation(); fold(row); } }, icon("chevron", 14),
          h("span.muted", row.key + " "), h("b", row.name === null ? "none" : row.name === "" ? "“”" : row.name), h("span.count", format.integer(row.count)));
      }
      return h("a.strong.run-link", { href: `#/experiments/${row.experiment ?? experiment}/runs/${row.id}`, title: row.name || row.id },
        h("i.dot", { style: { background: color(row.id) } }), row.name || h("span.muted", row.id.slice(0, 8)));
    },
  };
  return [name, ...ids.map((id) => column(id)).filter(Boolean)];
}

function column(id) {
  const dot = id.indexOf(".");
  const [kind, key] = [id.slice(0, dot), id.slice(dot + 1)];
  if (kind === "attribute") {
    const known = ATTRIBUTES[key];
    return known && { sort: true, ...known, id, cell: (row) => (row.group ? "" : known.cell(row)) };
  }
  if (kind === "metric") {
    const cell = (row) => {
      const value = row.values[id];
      if (row.group) return value && h("span", { title: `mean of the group; ${format.number(value.low)} to ${format.number(value.high)}` }, format.number(value.mean));
      return value == null ? "" : h("span", { title: String(value) }, format.number(value));
    };
    return { id, title: key, hint: `metric ${key}, latest value`, width: Math.min(200, Math.max(104, key.length * 7.4 + 34)), numeric: true, sort: true, cell };
  }
  return { id, title: key, hint: `${kind} ${key}`, width: Math.min(200, Math.max(104, key.length * 7.4 + 34)), sort: true, cell: (row) => (row.group ? "" : row.values[id] ?? "") };
}
