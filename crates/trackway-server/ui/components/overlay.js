// What lies above a page: dialogs, menus, short messages.

import { h, fill, icon, button, append } from "../dom.js";

let open = null;

/** Whether there was something to close. */
export function closeTop() {
  if (!open) return false;
  open.close();
  return true;
}

export const isOpen = () => Boolean(open);

/** A dialog; `build(close)` gives what is in it. The focus goes back where it was. */
export function dialog(title, build, { wide = false } = {}) {
  closeTop();
  const before = document.activeElement;
  const close = () => {
    if (open?.veil !== veil) return;
    veil.remove();
    open = null;
    before?.focus?.();
  };
  const box = h("div.dialog", { class: wide ? "wide" : "", role: "dialog", "aria-modal": "true", "aria-label": title },
    h("header", h("h2", title), button("close", "", close, { title: "Close (Esc)", class: "ghost" })));
  const veil = h("div.veil", { onmousedown: (event) => event.target === veil && close() }, box);
  open = { veil, close };
  append(box, [build(close)]);
  document.body.append(veil);
  (box.querySelector("[autofocus]") ?? box.querySelector("input, textarea, .btn.primary") ?? box.querySelector("button")).focus();
  // Tab stays within.
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Tab") return;
    const all = [...box.querySelectorAll("button, input, textarea, select, a[href]")].filter((el) => !el.disabled && el.offsetParent);
    const [first, last] = [all[0], all.at(-1)];
    if (event.shiftKey && document.activeElement === first) { event.preventDefault(); last.focus(); }
    else if (!event.shiftKey && document.activeElement === last) { event.preventDefault(); first.focus(); }
  });
  return close;
}

/** Asks before something is done. */
export function confirm(title, text, action, run) {
  dialog(title, (close) => h("div.dialog-body",
    h("p", text),
    h("footer", h("button.btn", { type: "button", onclick: () => close() }, "Cancel"),
      h("button.btn.primary", { type: "button", class: /delete/i.test(action) ? "danger" : "", onclick: () => { close(); run(); } }, action))));
}

/** Asks for a text. */
export function prompt(title, label, value, action, run) {
  dialog(title, (close) => {
    const input = h("input.input", { value, autofocus: true, "aria-label": label, spellcheck: false });
    const send = (event) => {
      event.preventDefault();
      if (!input.value.trim()) return;
      close();
      run(input.value.trim());
    };
    return h("form.dialog-body", { onsubmit: send }, h("label.stack", h("span", label), input),
      h("footer", h("button.btn", { type: "button", onclick: () => close() }, "Cancel"), h("button.btn.primary", { type: "submit" }, action)));
  });
}

/** A small box below a button, which stays until something else is clicked. */
export function popover(anchor, build, { align = "left" } = {}) {
  if (open?.anchor === anchor) return void closeTop();
  closeTop();
  const close = () => {
    if (open?.box !== box) return;
    box.remove();
    removeEventListener("mousedown", outside, true);
    open = null;
    anchor.setAttribute("aria-expanded", "false");
    anchor.focus?.();
  };
  const outside = (event) => {
    if (!box.contains(event.target) && !anchor.contains(event.target)) close();
  };
  const box = h("div.popover", { role: "dialog" });
  open = { box, anchor, close };
  fill(box, build(close));
  document.body.append(box);
  anchor.setAttribute("aria-expanded", "true");
  const at = anchor.getBoundingClientRect();
  const left = align === "right" ? at.right - box.offsetWidth : at.left;
  box.style.left = `${Math.max(8, Math.min(left, innerWidth - box.offsetWidth - 8))}px`;
  const below = at.bottom + 6;
  box.style.top = `${below}px`;
  box.style.maxHeight = `${Math.max(160, innerHeight - below - 12)}px`;
  addEventListener("mousedown", outside, true);
  box.querySelector("input, button")?.focus();
  return close;
}

let toasts = null;

/** A message that goes away by itself; `undo` is offered as a button. */
export function toast(text, kind = "info", undo = null) {
  toasts ??= document.body.appendChild(h("div.toasts", { role: "status", "aria-live": "polite" }));
  if ([...toasts.children].some((one) => one.dataset.text === text)) return;
  const el = h("div.toast", { class: kind, dataset: { text } }, kind === "error" && icon("close"), h("span", text),
    undo && h("button.btn.ghost.small", { type: "button", onclick: () => { el.remove(); undo(); } }, "Undo"));
  toasts.append(el);
  setTimeout(() => el.remove(), kind === "error" || undo ? 8000 : 3500);
}
