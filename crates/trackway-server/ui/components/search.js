// The search box: a filter of runs with completion, and what is wrong with it, below the place where it is.

import { h, fill, icon, debounce } from "../dom.js";
import { spell, spellText } from "../api.js";

const ATTRIBUTES = ["run_name", "status", "user_id", "start_time", "end_time", "duration", "run_id"];
const VALUES = { status: ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"] };
const SHOWN = 9;

/**
 * The filter that is meant: a plain word is none, and who types one looks for a run of that name; keys that are known and
 * need quotes get them.
 */
export function asFilter(text, known) {
  const plain = quoted(text.trim(), known);
  if (!plain) return "";
  if (/[=<>!'"`()]/.test(plain) || /\b(like|ilike|rlike|in|is|between|not)\b/i.test(plain) && /[._]/.test(plain)) return plain;
  return `run_name ILIKE ${spellText(`%${plain}%`)}`;
}

function quoted(text, known) {
  return text.replaceAll(/\b(metrics|params|tags)\.([^\s=<>!()'"`,]+)/g, (whole, kind, key) => (known?.[kind]?.includes(key) ? spell(kind, key) : whole));
}

export class SearchBox {
  /** `keys()` gives what is known: `{ metrics, params, tags, values }`. */
  constructor({ value, change, keys }) {
    this.change = change;
    this.keys = keys;
    this.items = [];
    this.active = -1;
    this.input = h("input.input.mono", { type: "text", value, placeholder: "Filter runs: a name, or metrics.loss < 0.5 and params.opt = 'adam'", spellcheck: false, autocomplete: "off", autocapitalize: "off",
      role: "combobox", "aria-expanded": "false", "aria-label": "Filter runs", "aria-controls": "search-list" });
    this.list = h("ul.suggest", { id: "search-list", role: "listbox", hidden: true });
    this.note = h("div.search-note", { role: "status", hidden: true });
    this.clear = h("button.btn.ghost.small.square.search-clear", { type: "button", "aria-label": "Clear", hidden: !value, onclick: () => this.set("") }, icon("close", 14));
    this.el = h("div.search", h("div.field", icon("search"), this.input, this.clear), this.list, this.note);
    const later = debounce(250, () => this.change(this.input.value));
    this.input.addEventListener("input", () => {
      this.clear.hidden = !this.input.value;
      this.suggest();
      later();
    });
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("blur", () => this.close());
    this.input.addEventListener("click", () => this.suggest());
  }

  set(text) {
    this.input.value = text;
    this.clear.hidden = !text;
    this.close();
    this.change(text);
    this.input.focus();
  }

  /** What the server said of the filter; `null` when all is well. */
  verdict(error, sent) {
    if (!error) {
      const isName = sent && sent.startsWith("run_name ILIKE") && !/^run_name/i.test(this.input.value.trim());
      this.note.hidden = !isName;
      this.note.className = "search-note";
      if (isName) fill(this.note, "Runs whose name contains ", h("b", this.input.value.trim()), " — ", h("code", sent));
      this.input.setAttribute("aria-invalid", "false");
      return;
    }
    this.input.setAttribute("aria-invalid", "true");
    this.note.hidden = false;
    this.note.className = "search-note is-error";
    if (error.position == null) {
      fill(this.note, error.message);
      return;
    }
    // Places are counted in characters, which are not always one unit of a JavaScript text.
    const characters = [...sent];
    const at = Math.min(error.position, characters.length);
    const rest = characters.slice(at).join("");
    const word = /^('[^']*'?|"[^"]*"?|`[^`]*`?|[\p{L}\p{N}_.$#]+|[=<>!~]+|.)/u.exec(rest)?.[0] ?? " ";
    fill(this.note, h("pre", characters.slice(0, at).join(""), h("mark", word), rest.slice(word.length)), h("div", h("b", `Character ${at + 1}: `), error.reason ?? error.message));
  }

  // ---- completion

  suggest() {
    const before = this.input.value.slice(0, this.input.selectionStart);
    const { metrics = [], params = [], tags = [], values = {} } = this.keys() ?? {};
    let items = [];
    this.from = before.length;
    const inText = /([\p{L}\p{N}_.$#]+|(?:metrics|params|tags)\.[`"][^`"]*[`"])\s*(=|!=|==|in\s*\(|like|ilike)\s*(?:'[^']*',\s*)*'([^']*)$/iu.exec(before);
    const word = /(?:metrics|params|tags)\.[`"][^`"]*$|[\p{L}\p{N}_.$#]*$/u.exec(before)[0];
    if (inText) {
      const known = values[inText[1]] ?? VALUES[inText[1].replace(/^attributes?\./, "")] ?? [];
      this.from = before.length - inText[3].length;
      items = rank(known, inText[3]).map((value) => ({ text: value + "'", label: value, kind: "value" }));
    } else if (word && !/(^|[\s(])'[^']*$/.test(before)) {
      this.from = before.length - word.length;
      const typed = word.replaceAll(/[`"]/g, "").toLowerCase();
      const all = [
        ...metrics.map((key) => [spell("metrics", key), "metric"]),
        ...params.map((key) => [spell("params", key), "param"]),
        ...tags.map((key) => [spell("tags", key), "tag"]),
        ...ATTRIBUTES.map((key) => [key, "attribute"]),
      ];
      const found = all.map(([text, kind]) => ({ text: text + " ", label: text, kind, place: text.replaceAll(/[`"]/g, "").toLowerCase().indexOf(typed) })).filter((one) => one.place >= 0 && one.label !== word);
      items = found.sort((a, b) => a.place - b.place);
    }
    this.items = items.slice(0, SHOWN);
    this.active = -1;
    this.show();
  }

  show() {
    this.list.hidden = !this.items.length;
    this.input.setAttribute("aria-expanded", String(Boolean(this.items.length)));
    fill(this.list, this.items.map((item, at) => h("li", { role: "option", "aria-selected": String(at === this.active), onmousedown: (event) => { event.preventDefault(); this.take(item); } },
      h("span", item.label), h("small", item.kind))));
  }

  close() {
    this.items = [];
    this.show();
  }

  take(item) {
    const { input } = this;
    const at = input.selectionStart;
    input.value = input.value.slice(0, this.from) + item.text + input.value.slice(at);
    input.selectionStart = input.selectionEnd = this.from + item.text.length;
    this.clear.hidden = false;
    this.close();
    input.dispatchEvent(new Event("input"));
  }

  key(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!this.items.length) return;
      const count = this.items.length + 1;
      this.active = ((this.active + 1 + (event.key === "ArrowDown" ? 1 : -1) + count) % count) - 1;
      this.show();
      event.preventDefault();
    } else if ((event.key === "Enter" || event.key === "Tab") && this.items[Math.max(0, this.active)] && (this.active >= 0 || event.key === "Tab")) {
      this.take(this.items[Math.max(0, this.active)]);
      event.preventDefault();
    } else if (event.key === "Enter") {
      this.close();
      this.change(this.input.value);
    } else if (event.key === "Escape") {
      event.stopPropagation();
      if (this.items.length) this.close();
      else this.input.blur();
    }
  }
}

function rank(values, typed) {
  const text = typed.toLowerCase();
  return values.filter((value) => value.toLowerCase().includes(text) && value !== typed).sort((a, b) => a.toLowerCase().indexOf(text) - b.toLowerCase().indexOf(text));
}
