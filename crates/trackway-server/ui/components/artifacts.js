// Artifacts of a run: a tree whose folders are read when they are opened, and what is in a file, as far as it can be shown.

import { api } from "../api.js";
import { h, fill, icon } from "../dom.js";
import { failure, skeleton, empty } from "./bits.js";
import { markdown } from "../markdown.js";
import * as format from "../format.js";

const IMAGES = /\.(png|jpe?g|gif|webp|svg|bmp|ico|avif)$/i;
const TABLES = /\.(csv|tsv)$/i;
const JSONS = /\.(json|ipynb|geojson)$/i;
const MARKDOWN = /\.(md|markdown)$/i;
/** Rows and columns of a table that are shown. */
const ROWS = 500;
const COLUMNS = 60;

export class ArtifactBrowser {
  constructor(run, { path = "", changed }) {
    this.run = run;
    this.path = path;
    this.changed = changed;
    this.tree = h("div.tree", { role: "tree", "aria-label": "Artifacts" });
    this.view = h("div.preview");
    this.el = h("div.split.artifacts", h("aside.side", this.tree), this.view);
    this.abort = new AbortController();
  }

  destroy() {
    this.abort.abort();
  }

  async start() {
    fill(this.tree, skeleton(4));
    try {
      const items = await this.list("");
      if (!items.length) {
        fill(this.el, empty("file", "No artifacts", h("p", "Files that the run logs, such as models, plots and tables, are shown here.")));
        return;
      }
      fill(this.tree, await this.items(items));
      if (this.path) this.open(this.path);
      else fill(this.view, empty("file", "Choose a file"));
    } catch (error) {
      fill(this.tree, failure(error, () => this.start()));
    }
  }

  async list(path) {
    return (await api.artifacts(this.run, path, this.abort.signal)).artifacts;
  }

  items(items) {
    return Promise.all(items.sort((a, b) => b.is_dir - a.is_dir || a.path.localeCompare(b.path)).map((item) => (item.is_dir ? this.folder(item) : this.file(item))));
  }

  async folder(item) {
    const name = item.path.split("/").at(-1);
    const inside = h("div.tree-inside", { hidden: true });
    let loaded = false;
    const open = async () => {
      const now = inside.hidden;
      inside.hidden = !now;
      head.setAttribute("aria-expanded", String(now));
      if (!now || loaded) return;
      loaded = true;
      try {
        const found = await this.list(item.path);
        fill(inside, found.length ? await this.items(found) : h("p.muted.small", "empty"));
      } catch (error) {
        loaded = false;
        fill(inside, h("p.small.bad", error.message));
      }
    };
    const head = h("button.tree-row", { type: "button", role: "treeitem", "aria-expanded": "false", onclick: open }, icon("chevron", 13), icon("folder"), h("span", name));
    if (this.path.startsWith(item.path + "/")) await open();
    return h("div", head, inside);
  }

  file(item) {
    return h("button.tree-row.tree-file", { type: "button", role: "treeitem", dataset: { path: item.path }, onclick: () => this.open(item.path, item.size) }, icon("file"), h("span", item.path.split("/").at(-1)), h("small", format.bytes(item.size)));
  }

  async open(path) {
    this.path = path;
    this.changed(path);
    for (const row of this.tree.querySelectorAll(".tree-file")) row.classList.toggle("is-open", row.dataset.path === path);
    const size = h("span.muted");
    const body = h("div.preview-body", skeleton(6));
    fill(this.view, h("header", h("code", path), size, h("div.grow"),
      h("a.btn", { href: api.fileUrl(this.run, path, true), download: path.split("/").at(-1) }, icon("download"), h("span", "Download"))), body);
    try {
      if (IMAGES.test(path)) {
        const img = h("img", { src: api.fileUrl(this.run, path), alt: path, onerror: () => fill(body, empty("file", "This image cannot be shown")) });
        fill(body, h("div.picture", img));
        return;
      }
      const found = await api.text(this.run, path, this.abort.signal);
      if (this.path !== path) return;
      size.textContent = format.bytes(found.size);
      fill(body, preview(path, found.text));
      const cut = found.size > new Blob([found.text]).size;
      if (cut) body.prepend(h("div.hint", `The beginning of the file; all ${format.bytes(found.size)} can be downloaded.`));
    } catch (error) {
      if (error.name === "AbortError") return;
      fill(body, error.code === "NOT_TEXT" ? empty("file", "No preview of this kind of file", h("p", "It can be downloaded.")) : failure(error, () => this.open(path)));
    }
  }
}

function preview(path, text) {
  if (TABLES.test(path)) return table(text, /\.tsv$/i.test(path) ? "\t" : ",");
  if (MARKDOWN.test(path)) return h("div.markdown", markdown(text));
  if (JSONS.test(path)) {
    try {
      return h("div.json", jsonTree(JSON.parse(text), "", 0));
    } catch { /* cut off or not JSON at all: shown as it is */ }
  }
  return h("pre.code.plain", text);
}

function jsonTree(value, name, depth) {
  const label = name === "" ? null : h("span.json-key", name, ": ");
  if (value === null || typeof value !== "object") {
    return h("div.json-row", label, h(`span.json-${value === null ? "null" : typeof value}`, typeof value === "string" ? JSON.stringify(value) : String(value)));
  }
  const entries = Array.isArray(value) ? value.map((one, at) => [String(at), one]) : Object.entries(value);
  const text = Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`;
  if (!entries.length) return h("div.json-row", label, h("span.muted", Array.isArray(value) ? "[]" : "{}"));
  const inside = h("div.json-inside");
  const build = () => {
    if (!inside.childElementCount) fill(inside, entries.slice(0, 1000).map(([key, one]) => jsonTree(one, key, depth + 1)), entries.length > 1000 && h("p.muted.small", `and ${entries.length - 1000} more`));
  };
  const box = h("details", { ontoggle: () => box.open && build() }, h("summary.json-row", label, h("span.muted", text)), inside);
  if (depth < 2 && entries.length <= 100) {
    box.open = true;
    build();
  }
  return box;
}

/** Cells by RFC 4180: quotes hold separators, line ends and doubled quotes. */
export function csvRows(text, separator, most) {
  const rows = [];
  let row = [];
  let at = 0;
  let cell = "";
  const end = () => { row.push(cell); cell = ""; };
  while (at < text.length && rows.length < most) {
    const next = text[at];
    if (next === '"' && cell === "") {
      at++;
      while (at < text.length) {
        if (text[at] === '"') {
          if (text[at + 1] !== '"') break;
          at++;
        }
        cell += text[at++];
      }
      at++;
    } else if (next === separator) {
      end();
      at++;
    } else if (next === "\n" || next === "\r") {
      end();
      rows.push(row);
      row = [];
      at += next === "\r" && text[at + 1] === "\n" ? 2 : 1;
    } else {
      cell += next;
      at++;
    }
  }
  if (cell !== "" || row.length) {
    end();
    rows.push(row);
  }
  return rows;
}

function table(text, separator) {
  const [head = [], ...rows] = csvRows(text, separator, ROWS + 1);
  const numeric = head.map((_, at) => rows.length > 0 && rows.every((row) => row[at] === undefined || row[at] === "" || !Number.isNaN(Number(row[at]))));
  return h("div",
    h("div.table-scroll", h("table.plain", h("thead", h("tr", head.slice(0, COLUMNS).map((cell, at) => h("th", { class: numeric[at] ? "num" : "" }, cell)))),
      h("tbody", rows.map((row) => h("tr", row.slice(0, COLUMNS).map((cell, at) => h("td", { class: numeric[at] ? "num" : "" }, cell))))))),
    (rows.length >= ROWS || head.length > COLUMNS) && h("p.muted.small", `The first ${rows.length} rows${head.length > COLUMNS ? ` and ${COLUMNS} columns` : ""} are shown.`));
}
