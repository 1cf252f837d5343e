// Choosing columns: what there is, by kind, with a search; thousands of keys are no trouble, since only the first are listed.

import { h, fill, icon } from "../dom.js";

const LISTED = 150;

/** `known`: `{ attribute, metric, param, tag }`, lists of keys; `chosen`: ids `kind.key`; `change(chosen)` on every click. */
export function columnPicker({ known, chosen, change, close }) {
  let now = [...chosen];
  const list = h("div.picker-list");
  const input = h("input.input", { type: "search", placeholder: "Find a column", "aria-label": "Find a column", spellcheck: false, oninput: () => show() });
  const set = (id, yes) => {
    now = yes ? [...now, id] : now.filter((one) => one !== id);
    change(now);
    show();
  };
  function show() {
    const typed = input.value.toLowerCase();
    const titles = [["attribute", "Run"], ["metric", "Metrics"], ["param", "Params"], ["tag", "Tags"]];
    const scroll = list.scrollTop;
    fill(list, titles.map(([kind, title]) => {
      const all = (known[kind] ?? []).filter((key) => key.toLowerCase().includes(typed));
      if (!all.length) return null;
      const ids = all.map((key) => `${kind}.${key}`);
      const every = ids.every((id) => now.includes(id));
      return h("section",
        h("header", h("h4", title), h("span.count", all.length),
          h("button.link", { type: "button", onclick: () => { now = every ? now.filter((id) => !ids.includes(id)) : [...new Set([...now, ...ids.slice(0, LISTED)])]; change(now); show(); } }, every ? "none" : all.length > LISTED ? `first ${LISTED}` : "all")),
        all.slice(0, LISTED).map((key) => {
          const id = `${kind}.${key}`;
          return h("label.check", h("input", { type: "checkbox", checked: now.includes(id), onchange: (event) => set(id, event.target.checked) }), h("span", { title: key }, key));
        }),
        all.length > LISTED && h("p.muted.small", `${all.length - LISTED} more: type to find them`));
    }));
    list.scrollTop = scroll;
  }
  show();
  return h("div.picker", h("div.field", icon("search"), input), list,
    h("footer", h("button.link", { type: "button", onclick: () => { now = []; change(null); close(); } }, "Standard columns"), h("button.btn.small", { type: "button", onclick: close }, "Done")));
}
