// Elements without HTML texts: everything that comes from the store is put in as text, never parsed.

/** An element: `h("a.link", { href, onclick, title }, children...)`. Functions listen, `null` and `false` leave out. */
export function h(spec, props, ...children) {
  const [tag, ...classes] = spec.split(".");
  const el = document.createElement(tag || "div");
  if (classes.length) el.className = classes.join(" ");
  if (props && (typeof props !== "object" || props instanceof Node || Array.isArray(props))) {
    children.unshift(props);
    props = null;
  }
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value == null || value === false) continue;
    if (typeof value === "function") el.addEventListener(key.slice(2), value);
    else if (key === "class") el.className += (el.className ? " " : "") + value;
    else if (key === "style") for (const [name, one] of Object.entries(value)) el.style.setProperty(name, one);
    else if (key === "dataset") Object.assign(el.dataset, value);
    else if (PROPERTIES.has(key)) el[key] = value;
    else el.setAttribute(key, value === true ? "" : String(value));
  }
  append(el, children);
  return el;
}

const PROPERTIES = new Set(["value", "checked", "disabled", "indeterminate", "spellcheck", "selected"]);

export function append(el, children) {
  for (const child of children.flat(3)) {
    if (child == null || child === false) continue;
    el.append(child instanceof Node ? child : String(child));
  }
}

/** Replaces what is in an element. */
export function fill(el, ...children) {
  el.replaceChildren();
  append(el, children);
  return el;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, ...children) {
  const el = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) el.setAttribute(key, value);
  el.append(...children);
  return el;
}

const ICONS = {
  search: "M11 4a7 7 0 1 0 0 14a7 7 0 0 0 0-14M16 16l4.5 4.5",
  close: "M6 6l12 12M18 6L6 18",
  check: "M5 12.5l4.5 4.5L19 7",
  plus: "M12 5v14M5 12h14",
  columns: "M4 5h16v14H4zM10 5v14M15 5v14",
  group: "M4 6h16M8 12h12M8 18h12M4 12h.01M4 18h.01",
  trash: "M5 7h14M10 7V4.5h4V7M7 7l1 13h8l1-13M10.5 11v5.5M13.5 11v5.5",
  restore: "M4 9h11a5 5 0 0 1 0 10h-4M4 9l4-4M4 9l4 4",
  pencil: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  sun: "M12 8a4 4 0 1 0 0 8a4 4 0 0 0 0-8M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M18.7 5.3l-1.4 1.4M6.7 17.3l-1.4 1.4",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  help: "M9 9.5a3 3 0 1 1 4.4 2.6c-.9.5-1.4 1-1.4 2M12 17.5h.01M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18",
  chevron: "M9 6l6 6-6 6",
  down: "M6 9l6 6 6-6",
  eye: "M2.5 12S6 5.5 12 5.5S21.5 12 21.5 12S18 18.5 12 18.5S2.5 12 2.5 12zM12 9.5a2.5 2.5 0 1 0 0 5a2.5 2.5 0 0 0 0-5",
  eyeoff: "M4 4l16 16M9.5 6a9 9 0 0 1 2.5-.5c6 0 9.5 6.5 9.5 6.5a17 17 0 0 1-3 3.7M6 7.6A17 17 0 0 0 2.5 12S6 18.5 12 18.5a9 9 0 0 0 4-.9",
  chart: "M4 4v16h16M7 15l4-5 3 3 5-7",
  table: "M4 5h16v14H4zM4 10h16M4 14.5h16M10 10v9",
  compare: "M12 3v18M5 8h4M5 12h4M5 16h4M15 8h4M15 12h4M15 16h4",
  expand: "M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7",
  zoomout: "M11 4a7 7 0 1 0 0 14a7 7 0 0 0 0-14M16 16l4.5 4.5M8 11h6",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  folder: "M3 6h6l2 2.5h10V19H3z",
  download: "M12 4v11M7.5 11L12 15.5L16.5 11M5 20h14",
  filter: "M4 5h16l-6 8v5l-4 2v-7z",
  sort: "M8 5v14M8 19l-3.5-3.5M8 5M16 19V5M16 5l3.5 3.5",
  live: "M12 9.5a2.5 2.5 0 1 0 0 5a2.5 2.5 0 0 0 0-5M7 7a7 7 0 0 0 0 10M17 7a7 7 0 0 1 0 10",
  model: "M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5l8-4.5M12 12v9",
  flask: "M10 3h4M10.5 3v6L5 19a1.4 1.4 0 0 0 1.2 2h11.6A1.4 1.4 0 0 0 19 19L13.5 9V3M8 14.5h8",
  more: "M6 12h.01M12 12h.01M18 12h.01",
};

export function icon(name, size = 16) {
  const path = svg("path", { d: ICONS[name] ?? "" });
  return svg("svg", { viewBox: "0 0 24 24", width: size, height: size, class: "icon", "aria-hidden": "true" }, path);
}

/** A button with an icon, and a text or a title that says what it does. */
export function button(iconName, text, onclick, props = {}) {
  const { class: extra, ...rest } = props;
  const label = text ? h("span", text) : null;
  return h("button.btn" + (text ? "" : ".square"), { type: "button", class: extra, onclick, "aria-label": text ? null : props.title, ...rest }, iconName && icon(iconName), label);
}

/** Runs `action` when nobody has asked again for `ms`. */
export function debounce(ms, action) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...args), ms);
  };
}

/** Whether keys go into a field just now. */
export function isTyping(event) {
  const el = event.target;
  return el instanceof HTMLElement && (el.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName) && !/^(checkbox|range|radio)$/.test(el.type));
}
