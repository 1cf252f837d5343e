// A table of any length: only the rows in sight exist. Rows are of one height; cells are made by the columns.

import { h, icon } from "../dom.js";

const ROW = 34;
const MORE = 12;

export class Table {
  /**
   * `columns`: `{ id, title, hint, width, numeric, sort, sticky, cell(row) }`; `on`: `open(row)`, `sort(column)`, `select()`,
   * `near(end)` when the end comes into sight. `order` is `{ id, descending }`.
   */
  constructor(on, { selectable = true, label = "Table" } = {}) {
    this.on = on;
    this.selectable = selectable;
    this.rows = [];
    this.columns = [];
    this.order = null;
    this.selected = new Set();
    this.cursor = -1;
    this.last = -1;
    this.widths = load();
    this.made = new Map();
    this.head = h("div.vt-head", { role: "row" });
    this.body = h("div.vt-body", { role: "rowgroup" });
    this.foot = h("div.vt-foot");
    this.el = h("div.vt", { class: selectable ? "" : "wide-first", role: "grid", tabindex: "0", "aria-label": label, onscroll: () => this.scrolled() }, this.head, this.body, this.foot);
    this.watch = new ResizeObserver(() => this.paint());
    this.watch.observe(this.el);
    this.body.addEventListener("click", (event) => this.clicked(event));
    this.body.addEventListener("dblclick", (event) => event.preventDefault());
    this.pending = false;
  }

  destroy() {
    this.watch.disconnect();
  }

  setColumns(columns, order) {
    this.columns = columns;
    this.order = order;
    this.blank = this.blankRow();
    this.drawHead();
    this.redraw();
  }

  /** `rows` have an `id`; those with `group` are headings of the ones behind them. A row that is the same object stays as it is drawn. */
  setRows(rows) {
    for (const [at, el] of this.made) {
      if (rows[at] === this.rows[at]) continue;
      el.remove();
      this.made.delete(at);
    }
    this.rows = rows;
    this.body.style.height = `${rows.length * ROW}px`;
    this.el.setAttribute("aria-rowcount", String(rows.length));
    if (this.cursor >= rows.length) this.cursor = rows.length - 1;
    this.paint();
  }

  redraw() {
    for (const el of this.made.values()) el.remove();
    this.made.clear();
    this.paint();
  }

  /** Widths are told, never measured: rows need no look at what is in them. */
  layOut() {
    const widths = this.columns.map((column) => this.widths[column.id] ?? column.width ?? 120);
    if (this.selectable) widths.unshift(36);
    this.el.style.setProperty("--cols", widths.map((width) => `${width}px`).join(" ") + " minmax(0, 1fr)");
    this.el.style.setProperty("--total", `${widths.reduce((sum, width) => sum + width, 0)}px`);
  }

  drawHead() {
    this.layOut();
    this.head.replaceChildren();
    if (this.selectable) {
      this.all = h("input", { type: "checkbox", "aria-label": "Select all", onchange: () => this.selectAll(this.all.checked) });
      this.head.append(h("div.vt-cell.vt-check", this.all));
    }
    for (const column of this.columns) {
      const ordered = this.order?.id === column.id;
      const cell = h("div.vt-cell", { role: "columnheader", class: [column.numeric && "num", column.sticky && "sticky"].filter(Boolean).join(" "), title: column.hint ?? column.title,
        "aria-sort": ordered ? (this.order.descending ? "descending" : "ascending") : null },
        column.sort ? h("button.vt-title", { type: "button", onclick: () => this.on.sort(column) }, h("span", column.title),
          h("i.arrow", { class: ordered ? (this.order.descending ? "desc" : "asc") : "" }, icon("down", 12))) : h("span.vt-title", column.title),
        h("i.vt-grip", { onmousedown: (event) => this.drag(event, column), ondblclick: () => this.fit(column) }));
      this.head.append(cell);
    }
    this.head.append(h("div.vt-cell"));
    this.markSelected();
  }

  drag(event, column) {
    event.preventDefault();
    const start = event.clientX;
    const width = this.widths[column.id] ?? column.width ?? 120;
    const move = (next) => {
      this.widths[column.id] = Math.max(48, Math.min(900, width + next.clientX - start));
      this.layOut();
    };
    const up = () => {
      removeEventListener("mousemove", move);
      removeEventListener("mouseup", up);
      save(this.widths);
    };
    addEventListener("mousemove", move);
    addEventListener("mouseup", up);
  }

  fit(column) {
    delete this.widths[column.id];
    save(this.widths);
    this.layOut();
  }

  scrolled() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.paint();
    });
  }

  paint() {
    // Columns that stay cost much of each frame, so they stay only where that makes a difference.
    this.el.classList.toggle("is-shifted", this.el.scrollLeft > 0);
    const from = Math.max(0, Math.floor(this.el.scrollTop / ROW) - MORE);
    const to = Math.min(this.rows.length, Math.ceil((this.el.scrollTop + this.el.clientHeight) / ROW) + MORE);
    for (const [at, el] of this.made) {
      if (at >= from && at < to) continue;
      el.remove();
      this.made.delete(at);
    }
    const fresh = document.createDocumentFragment();
    for (let at = from; at < to; at++) {
      if (this.made.has(at)) continue;
      const el = this.row(at);
      this.made.set(at, el);
      fresh.append(el);
    }
    this.body.append(fresh);
    if (to >= this.rows.length - 50) this.on.near?.();
  }

  /** A row with nothing in it, of which rows are copied: that costs less than to make each of its cells. */
  blankRow() {
    const classes = (column) => [column.numeric && "num", column.sticky && "sticky"].filter(Boolean).join(" ");
    return h("div.vt-row", { role: "row" },
      this.selectable && h("div.vt-cell.vt-check", h("input", { type: "checkbox", tabindex: "-1" })),
      this.columns.map((column) => h("div.vt-cell", { role: "gridcell", class: classes(column) })));
  }

  row(at) {
    const row = this.rows[at];
    const el = this.blank.cloneNode(true);
    el.setAttribute("aria-rowindex", at + 1);
    el.dataset.at = at;
    const is = { "is-group": row.group, "is-deleted": row.deleted, "is-selected": this.selected.has(row.id), "is-cursor": at === this.cursor };
    for (const name in is) if (is[name]) el.classList.add(name);
    el.style.transform = `translateY(${at * ROW}px)`;
    let cell = el.firstChild;
    if (this.selectable) {
      const ids = row.group ? row.members : [row.id];
      const chosen = ids.filter((id) => this.selected.has(id)).length;
      const box = cell.firstChild;
      box.checked = chosen > 0 && chosen === ids.length;
      box.indeterminate = chosen > 0 && chosen < ids.length;
      box.setAttribute("aria-label", `Select ${row.name ?? ""}`);
      cell = cell.nextSibling;
    }
    for (const column of this.columns) {
      const content = column.cell(row);
      if (content instanceof Node) cell.append(content);
      else if (content != null && content !== "") {
        cell.textContent = content;
        if (String(content).length > 10) cell.title = column.title_of?.(row) ?? content;
      }
      cell = cell.nextSibling;
    }
    return el;
  }

  clicked(event) {
    const el = event.target.closest(".vt-row");
    if (!el) return;
    const at = Number(el.dataset.at);
    const row = this.rows[at];
    const check = event.target.closest(".vt-check");
    if (check) {
      // Beside the box counts as the box.
      const yes = event.target instanceof HTMLInputElement ? event.target.checked : !check.querySelector("input").checked;
      this.select(event.shiftKey && this.last >= 0 ? this.between(this.last, at) : row.group ? row.members : [row.id], yes);
      this.last = at;
      return;
    }
    if (event.target.closest("a, button, input")) return;
    if (getSelection()?.toString()) return;
    this.move(at);
    this.on.open(row, event);
  }

  between(a, b) {
    return this.rows.slice(Math.min(a, b), Math.max(a, b) + 1).filter((row) => !row.group).map((row) => row.id);
  }

  select(ids, yes) {
    for (const id of ids) {
      if (yes) this.selected.add(id);
      else this.selected.delete(id);
    }
    this.markSelected();
    this.redraw();
    this.on.select?.();
  }

  selectAll(yes) {
    this.select(this.rows.filter((row) => !row.group).map((row) => row.id), yes);
  }

  markSelected() {
    if (!this.all) return;
    this.all.checked = this.selected.size > 0 && this.rows.every((row) => row.group || this.selected.has(row.id));
    this.all.indeterminate = this.selected.size > 0 && !this.all.checked;
  }

  /** The row that keys speak of. */
  move(at) {
    if (!this.rows.length) return;
    const old = this.cursor;
    this.cursor = Math.max(0, Math.min(this.rows.length - 1, at));
    this.made.get(old)?.classList.remove("is-cursor");
    const top = this.cursor * ROW;
    const high = this.el.clientHeight - this.head.offsetHeight;
    if (top < this.el.scrollTop) this.el.scrollTop = top;
    else if (top + ROW > this.el.scrollTop + high) this.el.scrollTop = top + ROW - high;
    this.paint();
    this.made.get(this.cursor)?.classList.add("is-cursor");
  }

  /** Keys j, k, x, Enter and their like; whether one was meant. */
  key(event) {
    const page = Math.max(1, Math.floor(this.el.clientHeight / ROW) - 2);
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1, PageDown: page, PageUp: -page }[event.key];
    if (step) this.move(this.cursor + step);
    else if (event.key === "Home") this.move(0);
    else if (event.key === "End") this.move(this.rows.length - 1);
    else if (event.key === "Enter" && this.rows[this.cursor]) this.on.open(this.rows[this.cursor], event);
    else if (event.key === "x" && this.selectable && this.rows[this.cursor]) {
      const row = this.rows[this.cursor];
      const ids = row.group ? row.members : [row.id];
      this.select(ids, !ids.every((id) => this.selected.has(id)));
    } else return false;
    event.preventDefault();
    return true;
  }
}

const KEY = "trackway.widths";

function load() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

function save(widths) {
  try {
    localStorage.setItem(KEY, JSON.stringify(widths));
  } catch { /* they last as long as the page then */ }
}
