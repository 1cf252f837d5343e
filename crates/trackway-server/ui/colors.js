// A colour for each run that stays while the page lives, whatever is shown beside it.

const LIGHT = ["#2f6fde", "#d9480f", "#2b8a3e", "#9c36b5", "#c2255c", "#0b7285", "#a06a00", "#5f3dc4", "#e8590c", "#087f5b", "#1864ab", "#a61e4d", "#5c940d", "#862e9c", "#c92a2a", "#3b5bdb", "#846358", "#1098ad", "#d6336c", "#4c6272"];
const DARK = ["#6ea8fe", "#ff9452", "#69db7c", "#da77f2", "#ff7aa2", "#3bc9db", "#ffd43b", "#a78bfa", "#ffb37a", "#38d9a9", "#74c0fc", "#f783ac", "#a9e34b", "#cc8ef5", "#ff8787", "#91a7ff", "#d3b6a8", "#66d9e8", "#faa2c1", "#b4c2cf"];

const taken = new Map();

function hash(text) {
  let value = 2166136261;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 16777619);
  return value >>> 0;
}

/** How many things have each colour. */
const counts = LIGHT.map(() => 0);

function give(id, slot) {
  if (taken.has(id)) counts[taken.get(id)]--;
  taken.set(id, slot);
  counts[slot]++;
}

/** The colour that fewest have, from that of the hash on. */
function choose(id, used) {
  const first = hash(id) % LIGHT.length;
  let best = first;
  for (let next = 1; next < LIGHT.length; next++) {
    const slot = (first + next) % LIGHT.length;
    if (used[slot] < used[best]) best = slot;
  }
  return best;
}

/** Gives each of these its colour, and one of its own as long as there are enough: they are shown together. */
export function assign(ids) {
  const used = LIGHT.map(() => 0);
  const late = [];
  for (const id of ids) {
    const slot = taken.get(id);
    if (slot !== undefined && !used[slot]) used[slot]++;
    else late.push(id);
  }
  for (const id of late) {
    const slot = choose(id, used);
    used[slot]++;
    give(id, slot);
  }
}

export function isDark() {
  return document.documentElement.dataset.theme === "dark";
}

export function color(id) {
  if (!taken.has(id)) give(id, choose(id, counts));
  return (isDark() ? DARK : LIGHT)[taken.get(id)];
}

/** The same with an opacity of 0 to 1. */
export function faded(hex, alpha) {
  return hex + Math.round(alpha * 255).toString(16).padStart(2, "0");
}
