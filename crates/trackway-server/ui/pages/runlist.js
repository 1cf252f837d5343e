// The runs that a search has found: the first ones at once, the others while somebody looks at those. Changes that come
// later go into the rows where they are, so that nothing jumps below the pointer.

import { api } from "../api.js";
import { asFilter } from "../components/search.js";
import { toast } from "../components/overlay.js";
import { real } from "../format.js";

const FIRST = 200;
const NEXT = 2000;
/** More rows than that come when somebody scrolls to the end. */
const UNASKED = 20000;

export class RunList {
  constructor({ experiments, changed, failed, keys }) {
    this.keys = keys;
    this.experiments = experiments;
    this.changed = changed;
    this.failed = failed;
    this.rows = [];
    this.loaded = false;
    this.complete = false;
    this.question = { text: "", columns: [] };
    this.abort = new AbortController();
  }

  destroy() {
    this.abort.abort();
  }

  /** `columns` are ids as `metric.loss`. What was found stays until the new answer is there. */
  async find(question, { verdict }) {
    this.abort.abort();
    const abort = this.abort = new AbortController();
    const filter = asFilter(question.text, this.keys());
    const query = this.query(question, filter);
    try {
      const answer = await api.searchRuns({ ...query, limit: FIRST }, abort.signal);
      verdict(null, filter);
      this.question = question;
      this.sent = query;
      this.rows = rowsOf(answer, question);
      this.next = answer.next;
      this.complete = !answer.next;
      this.loaded = true;
      this.changed();
      await this.rest(abort);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 400 && error.what === "filter") verdict(error, filter);
      else if (this.loaded) toast(error.message, "error");
      else this.failed(error);
    }
  }

  query({ view, order, columns, group }, filter) {
    const asked = columns.filter((id) => !id.startsWith("attribute."));
    if (group && !asked.includes(group)) asked.push(group);
    this.asked = asked;
    return { experiments: this.experiments, view, filter, order_by: order ? [order] : [], columns: asked.map(columnOf) };
  }

  async rest(abort) {
    while (this.next && this.rows.length < UNASKED) await this.page(abort);
  }

  /** The next rows, when the end of those that are there has come into sight. */
  async more() {
    if (!this.next || this.paging) return;
    try {
      await this.page(this.abort);
    } catch (error) {
      if (error.name !== "AbortError") toast(error.message, "error");
    }
  }

  async page(abort) {
    if (this.paging) await this.paging;
    if (!this.next || abort !== this.abort) return;
    const load = async () => {
      const answer = await api.searchRuns({ ...this.sent, after: this.next, limit: NEXT }, abort.signal);
      if (abort !== this.abort) return;
      this.rows = this.rows.concat(rowsOf(answer, this.question));
      this.next = answer.next;
      this.complete = !answer.next;
      this.changed();
    };
    this.paging = load();
    try {
      await this.paging;
    } finally {
      this.paging = null;
    }
  }

  /** Brings rows up to date that have changed; new ones come to the front. Whether there were any. */
  async update(ids) {
    if (!this.loaded || !this.sent) return false;
    const { abort } = this;
    const known = new Map(this.rows.map((row, at) => [row.id, at]));
    const wanted = ids.slice(0, 500);
    const list = wanted.map((id) => `'${id}'`).join(", ");
    const filter = `run_id IN (${list})` + (this.sent.filter ? ` and (${this.sent.filter})` : "");
    let answer;
    try {
      answer = await api.searchRuns({ ...this.sent, filter, limit: wanted.length }, abort.signal);
    } catch {
      return false;
    }
    if (abort !== this.abort) return false;
    const rows = this.rows.slice();
    const fresh = [];
    const found = new Set();
    for (const row of rowsOf(answer, this.question)) {
      found.add(row.id);
      const at = known.get(row.id);
      if (at === undefined) fresh.push(row);
      else rows[at] = row;
    }
    // Who is no longer found was deleted or does not match any more.
    const gone = new Set(wanted.filter((id) => known.has(id) && !found.has(id)));
    this.rows = [...fresh, ...rows.filter((row) => !gone.has(row.id))];
    this.changed();
    return fresh.length > 0 || found.size > 0;
  }

  /** The rows, below a heading for each value of the param or tag that they are grouped by. */
  grouped(folded) {
    const { group, columns } = this.question;
    if (!group) return this.rows;
    const groups = new Map();
    const place = this.asked.indexOf(group);
    for (const row of this.rows) {
      const value = row.all[place];
      const id = "group:" + (value === null ? "\0" : value);
      if (!groups.has(id)) groups.set(id, { id, group: true, name: value, key: group.slice(group.indexOf(".") + 1), runs: [] });
      groups.get(id).runs.push(row);
    }
    const out = [];
    const sorted = [...groups.values()].sort((a, b) => compareValues(a.name, b.name));
    for (const one of sorted) {
      const closed = folded.has(one.id);
      const values = {};
      for (const id of columns) if (id.startsWith("metric.")) values[id] = summary(one.runs.map((row) => real(row.values[id])));
      out.push({ ...one, closed, members: one.runs.map((row) => row.id), count: one.runs.length, values });
      if (!closed) out.push(...one.runs);
    }
    return out;
  }
}

function columnOf(id) {
  const dot = id.indexOf(".");
  return { [id.slice(0, dot)]: id.slice(dot + 1) };
}

function rowsOf(answer, { columns, group }) {
  const asked = columns.filter((id) => !id.startsWith("attribute."));
  if (group && !asked.includes(group)) asked.push(group);
  return answer.id.map((id, at) => {
    const all = asked.map((_, column) => answer.columns[column][at]);
    const values = {};
    asked.forEach((column, place) => { values[column] = all[place]; });
    return { id, experiment: answer.experiment[at], name: answer.name[at], status: answer.status[at], start: answer.start[at], end: answer.end[at], user: answer.user[at], deleted: answer.deleted[at], values, all };
  });
}

/** Numbers by size, others as texts, those without a value last. */
export function compareValues(a, b) {
  if (a === null || b === null) return (a === null) - (b === null);
  const [x, y] = [Number(a), Number(b)];
  if (a !== "" && b !== "" && !Number.isNaN(x) && !Number.isNaN(y)) return x - y;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}

function summary(values) {
  const known = values.filter((value) => value != null && !Number.isNaN(value));
  if (!known.length) return null;
  let [low, high, sum] = [Infinity, -Infinity, 0];
  for (const value of known) [low, high, sum] = [Math.min(low, value), Math.max(high, value), sum + value];
  return { mean: sum / known.length, low, high };
}
