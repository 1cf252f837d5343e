// Numbers, times and lengths as people read them.

/** A number in at most `digits` significant digits; the answers of the server hold texts for what JSON has no number for. */
export function number(value, digits = 5) {
  if (value == null) return "";
  if (typeof value === "string") return value === "Infinity" ? "∞" : value === "-Infinity" ? "−∞" : value;
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e9) return integer(value);
  if (size >= 1e7 || size < 1e-4) return value.toExponential(Math.max(0, digits - 3)).replace("e+", "e").replace("-", "−").replace("e-", "e−");
  if (size >= 10 ** (digits - 1)) {
    const rounded = Math.round(value * 10) / 10;
    return Number.isInteger(rounded) ? integer(rounded) : rounded.toFixed(1).replace("-", "−");
  }
  return String(Number(value.toPrecision(digits))).replace("-", "−");
}

export function integer(value) {
  return String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f").replace("-", "−");
}

export function plural(count, one, many = one + "s") {
  return `${integer(count)} ${count === 1 ? one : many}`;
}

/** A length of time in its two largest units. */
export function duration(ms) {
  if (ms == null || !Number.isFinite(ms)) return "";
  if (ms < 0) return "−" + duration(-ms);
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const [d, hr, m, s] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  if (d) return `${d} d ${hr} h`;
  if (hr) return `${hr} h ${m} min`;
  return `${m} min ${s} s`;
}

// Written by hand: to start what the browser has for dates of a country costs a page more than all else in here.
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (number) => String(number).padStart(2, "0");

/** A day of any year. */
export const day = (at) => `${at.getDate()} ${MONTHS[at.getMonth()]}`;

const dayOfYear = (at) => `${day(at)} ${at.getFullYear()}`;
const minute = (at) => `${two(at.getHours())}:${two(at.getMinutes())}`;

/** Dates beyond what browsers know are shown as the number that they are. */
function dateOr(ms, show) {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : show(date);
}

export function date(ms) {
  if (ms == null) return "";
  return dateOr(ms, (at) => (at.getFullYear() === new Date().getFullYear() ? `${day(at)}, ${minute(at)}` : dayOfYear(at)));
}

export function fullDate(ms) {
  return ms == null ? "" : dateOr(ms, (at) => `${dayOfYear(at)}, ${minute(at)}:${two(at.getSeconds())}`);
}

export function ago(ms) {
  if (ms == null) return "";
  const past = Date.now() - ms;
  if (past < 0 || past > 14 * 86400e3) return date(ms);
  if (past < 45e3) return "just now";
  if (past < 3600e3) return `${Math.max(1, Math.round(past / 60e3))} min ago`;
  if (past < 86400e3) return `${Math.round(past / 3600e3)} h ago`;
  const days = Math.round(past / 86400e3);
  return days === 1 ? "yesterday" : `${days} days ago`;
}

export function bytes(count) {
  if (count == null) return "";
  if (count < 1024) return `${count} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let value = count;
  let unit = -1;
  do {
    value /= 1024;
    unit += 1;
  } while (value >= 1024 && unit < units.length - 1);
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** The number that a value of the API stands for: JSON has none for NaN and infinities. */
export function real(value) {
  return typeof value === "string" ? Number(value) : value;
}
