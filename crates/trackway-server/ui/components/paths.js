// How lines and bands are drawn: path builders for uPlot in its mode of series with an x of their own.

import uPlot from "../vendor/uplot/uPlot.esm.js";

/** Canvases go wrong far outside of their area; what is clamped lies outside of what is seen. */
const FAR = 20000;
const clamp = (at) => (at < -FAR ? -FAR : at > FAR ? FAR : at);

/** Below so many points a series gets a dot for each. */
const SPARSE = 40;

/** A line through the points; `null` interrupts it. A point without neighbours, and each one of a few, is a dot. */
export function line(u, index) {
  return uPlot.orient(u, index, (series, xs, ys, sx, sy, toX, toY, left, top, width, height) => {
    const stroke = new Path2D();
    const dots = new Path2D();
    const radius = (series.thin ? 1.5 : 2.25) * uPlot.pxRatio;
    const [low, high] = [sx.min, sx.max];
    let shown = 0;
    for (let at = 0; at < xs.length && shown <= SPARSE; at++) if (xs[at] >= low && xs[at] <= high) shown++;
    const sparse = shown <= SPARSE && !series.thin;
    let open = false;
    for (let at = 0; at < xs.length; at++) {
      const y = ys[at];
      if (!isShown(y, sy)) {
        open = false;
        continue;
      }
      const px = clamp(toX(xs[at], sx, width, left));
      const py = clamp(toY(y, sy, height, top));
      if (open) stroke.lineTo(px, py);
      else stroke.moveTo(px, py);
      const lonely = !open && !isShown(ys[at + 1], sy);
      if (sparse || lonely) {
        dots.moveTo(px + radius, py);
        dots.arc(px, py, radius, 0, 2 * Math.PI);
      }
      open = true;
    }
    return { stroke, fill: dots, clip: null, band: null, gaps: null, flags: 0 };
  });
}

/** A band from `data[2]` to `data[3]` around the line. */
export function band(u, index) {
  const [, , lows, highs] = u._data[index];
  const middle = line(u, index);
  const area = uPlot.orient(u, index, (series, xs, ys, sx, sy, toX, toY, left, top, width, height) => {
    const path = new Path2D();
    const bottom = (y) => (sy.distr === 3 && !(y > 0) ? top + height : clamp(toY(y, sy, height, top)));
    let from = 0;
    while (from < xs.length) {
      if (lows[from] == null || !isShown(highs[from], sy)) {
        from++;
        continue;
      }
      let end = from;
      while (end < xs.length && lows[end] != null && isShown(highs[end], sy)) end++;
      for (let at = from; at < end; at++) {
        const px = clamp(toX(xs[at], sx, width, left));
        const py = clamp(toY(highs[at], sy, height, top));
        if (at === from) path.moveTo(px, py);
        else path.lineTo(px, py);
      }
      for (let at = end - 1; at >= from; at--) path.lineTo(clamp(toX(xs[at], sx, width, left)), bottom(lows[at]));
      path.closePath();
      from = end;
    }
    return path;
  });
  return { ...middle, fill: area };
}

export function isShown(y, scale) {
  return y != null && (scale.distr !== 3 || y > 0);
}
