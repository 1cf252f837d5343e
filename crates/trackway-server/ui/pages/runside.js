// The list of runs beside charts: which of them are drawn, in which colour.

import { h, fill, icon } from "../dom.js";
import { assign, color } from "../colors.js";
import { status } from "../components/bits.js";
import * as format from "../format.js";

/** So many runs are drawn at most: more lines than that say nothing, and the server refuses many more. */
const MOST = 100;
const LISTED = 300;

export class RunSide {
  constructor({ changed, open, query, setQuery }) {
    this.changed = changed;
    this.open = open;
    this.setQuery = setQuery;
    this.rows = [];
    /** So many runs are drawn when nobody has chosen. */
    this.drawn = 10;
    const chosen = query.get("runs");
    this.chosen = chosen ? new Set(chosen.split(",")) : null;
    this.list = h("div.side-list");
    this.more = h("p.muted.small.side-more");
    this.looks = "";
    this.head = h("div.side-head");
    this.el = h("aside.side", { "aria-label": "Runs in the charts" }, this.head, this.list);
    this.onTheme = () => this.show();
    document.addEventListener("themechange", this.onTheme);
  }

  destroy() {
    document.removeEventListener("themechange", this.onTheme);
  }

  setRows(rows, selected) {
    this.rows = rows;
    if (selected.size && !this.chosen) this.chosen = new Set([...selected].slice(0, MOST));
    this.show();
  }

  /** The runs that are drawn, in the order of the list. */
  shown() {
    const rows = this.chosen ? this.rows.filter((row) => this.chosen.has(row.id)) : this.rows.slice(0, this.drawn);
    return rows.slice(0, MOST).map((row) => ({ id: row.id, name: row.name || row.id.slice(0, 8) }));
  }

  set(ids) {
    this.chosen = ids;
    this.setQuery({ runs: ids && ids.size <= 60 ? [...ids].join(",") : null });
    this.show();
    this.changed();
  }

  toggle(id) {
    const ids = new Set(this.shown().map((run) => run.id));
    if (ids.has(id)) ids.delete(id);
    else ids.add(id);
    this.set(ids);
  }

  show() {
    const shown = new Set(this.shown().map((run) => run.id));
    assign(shown);
    const listed = this.rows.slice(0, LISTED);
    fill(this.head, h("b", `${shown.size} of ${format.integer(this.rows.length)}`), h("div.grow"),
      h("button.link", { type: "button", onclick: () => this.set(new Set(this.rows.slice(0, MOST).map((row) => row.id))) }, this.rows.length > MOST ? `first ${MOST}` : "all"),
      h("button.link", { type: "button", onclick: () => this.set(this.chosen ? null : new Set()) }, this.chosen ? `first ${this.drawn}` : "none"));
    // More rows come by the thousand while somebody looks: most of them change nothing here.
    this.more.hidden = this.rows.length <= LISTED;
    this.more.textContent = `${format.integer(this.rows.length - LISTED)} more: a filter brings them here`;
    const looks = JSON.stringify(listed.map((row) => [row.id, row.name, row.status, shown.has(row.id) && color(row.id)]));
    if (looks === this.looks) return;
    this.looks = looks;
    const scroll = this.list.scrollTop;
    fill(this.list, listed.map((row) => {
      const on = shown.has(row.id);
      return h("div.side-row", { class: on ? "" : "is-off", title: row.name || row.id },
        h("button.eye", { type: "button", "aria-pressed": String(on), "aria-label": `Draw ${row.name || row.id}`, onclick: () => this.toggle(row.id) }, on ? h("i.dot", { style: { background: color(row.id) } }) : icon("eyeoff", 14)),
        h("button.side-name", { type: "button", onclick: () => this.toggle(row.id), ondblclick: () => this.set(new Set([row.id])) }, row.name || row.id.slice(0, 8)),
        row.status === "RUNNING" && status("RUNNING"),
        h("button.side-open", { type: "button", "aria-label": "Open the run", title: "Open the run", onclick: () => this.open(row.id) }, icon("chevron", 14)));
    }), this.more);
    this.list.scrollTop = scroll;
  }
}
