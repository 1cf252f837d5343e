// Notes of a run or model: shown as Markdown, written as text.

import { h, fill, button } from "../dom.js";
import { markdown } from "../markdown.js";
import { toast } from "../components/overlay.js";

export class Notes {
  constructor(text, save) {
    this.text = text;
    this.save = save;
    this.el = h("div.notes");
    this.show();
  }

  show() {
    if (!this.text) {
      fill(this.el, h("button.link.writes", { type: "button", onclick: () => this.edit() }, "Write a note"));
      return;
    }
    fill(this.el, h("div.markdown", markdown(this.text)), button("pencil", "Edit", () => this.edit(), { class: "ghost small writes" }));
  }

  edit() {
    const field = h("textarea.input", { rows: Math.min(20, Math.max(5, this.text.split("\n").length + 1)), "aria-label": "Notes", placeholder: "Markdown: **bold**, `code`, lists, links, tables" });
    field.value = this.text;
    const keep = async () => {
      const wanted = field.value.trimEnd();
      try {
        await this.save(wanted);
        this.text = wanted;
        this.show();
      } catch (error) {
        toast(error.message, "error");
      }
    };
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") this.show();
      else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) keep();
    });
    fill(this.el, field, h("div.row", button("check", "Keep", keep, { class: "primary small", title: "Ctrl Enter" }), button(null, "Cancel", () => this.show(), { class: "small" })));
    field.focus();
  }
}
