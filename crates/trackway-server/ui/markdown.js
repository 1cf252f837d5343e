// The part of Markdown that notes use, made into elements; what it does not know stays text. Nothing is parsed as HTML.

import { h } from "./dom.js";

export function markdown(text) {
  const out = document.createDocumentFragment();
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    if (/^\s*```/.test(line)) {
      const from = ++at;
      while (at < lines.length && !/^\s*```/.test(lines[at])) at++;
      out.append(h("pre", h("code", lines.slice(from, at).join("\n"))));
      at++;
    } else if (/^#{1,6}\s/.test(line)) {
      const level = line.indexOf(" ");
      out.append(h(`h${Math.min(6, level + 2)}`, inline(line.slice(level).trim())));
      at++;
    } else if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(line)) {
      out.append(h("hr"));
      at++;
    } else if (/^\s*([-*+]|\d+[.)])\s+/.test(line)) {
      const numbered = /^\s*\d/.test(line);
      const list = h(numbered ? "ol" : "ul");
      while (at < lines.length && /^\s*([-*+]|\d+[.)])\s+/.test(lines[at])) {
        const item = lines[at].replace(/^\s*([-*+]|\d+[.)])\s+/, "");
        const box = item.match(/^\[([ xX])\]\s+(.*)$/);
        list.append(box ? h("li.task", h("input", { type: "checkbox", checked: box[1] !== " ", disabled: true }), inline(box[2])) : h("li", inline(item)));
        at++;
      }
      out.append(list);
    } else if (/^\s*>/.test(line)) {
      const from = at;
      while (at < lines.length && /^\s*>/.test(lines[at])) at++;
      out.append(h("blockquote", inline(lines.slice(from, at).map((one) => one.replace(/^\s*>\s?/, "")).join("\n"))));
    } else if (line.includes("|") && /^[\s|:-]+$/.test(lines[at + 1] ?? "") && (lines[at + 1] ?? "").includes("-")) {
      const cells = (row) => row.trim().replace(/^\||\|$/g, "").split("|").map((cell) => inline(cell.trim()));
      const body = [];
      const head = cells(line);
      at += 2;
      while (at < lines.length && lines[at].includes("|")) body.push(cells(lines[at++]));
      out.append(h("table.plain", h("thead", h("tr", head.map((cell) => h("th", cell)))), h("tbody", body.map((row) => h("tr", row.map((cell) => h("td", cell)))))));
    } else if (!line.trim()) {
      at++;
    } else {
      const from = at;
      while (at < lines.length && lines[at].trim() && (at === from || !/^\s*(```|>|#{1,6}\s|[-*+]\s|\d+[.)]\s)/.test(lines[at]))) at++;
      out.append(h("p", inline(lines.slice(from, at).join("\n"))));
    }
  }
  return out;
}

const INLINE = /(`+)(.+?)\1|\*\*(.+?)\*\*|__(.+?)__|\*([^\s*](?:.*?[^\s*])?)\*|\[([^\]\n]+)\]\(([^\s)]+)\)|(https?:\/\/[^\s<>"')\]]+)|\n/;

function inline(text, depth = 0) {
  const parts = [];
  let rest = text;
  while (rest) {
    const found = depth < 6 && INLINE.exec(rest);
    if (!found) break;
    if (found.index) parts.push(rest.slice(0, found.index));
    const [whole, , code, bold, bold2, italic, label, href, bare] = found;
    if (code !== undefined) parts.push(h("code", code));
    else if (bold ?? bold2) parts.push(h("strong", inline(bold ?? bold2, depth + 1)));
    else if (italic) parts.push(h("em", inline(italic, depth + 1)));
    else if (href) parts.push(link(href, inline(label, depth + 1)));
    else if (bare) parts.push(link(bare, bare));
    else parts.push(h("br"));
    rest = rest.slice(found.index + whole.length);
  }
  if (rest) parts.push(rest);
  return parts;
}

/** Only addresses of the web and places of this page: `javascript:` and its like stay text. */
function link(href, label) {
  const safe = /^(https?:\/\/|mailto:|#\/)/i.test(href);
  return safe ? h("a", { href, rel: "noopener noreferrer", target: href.startsWith("#") ? null : "_blank" }, label) : h("span", label);
}
