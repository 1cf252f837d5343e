// How long a person waits for Trackway's pages. The argument is a plan in JSON, which `benches/pages` makes. Times are those of
// the page's own clock, from the start of the navigation, or from the input event, up to the frame behind the one in which what
// was waited for has been drawn.

import assert from "node:assert/strict";
import { complaintsOf, launch } from "./chromium.mjs";

const plan = JSON.parse(process.argv[2]);
const SIZE = { width: 1360, height: 860 };
const WAIT = 30000;
/** A drag takes this part of the chart, again and again. */
const DRAG = [0.3, 0.7];
const DEPTHS = 12;
const JUMPS = 20;
const WHEELS = 80;
/** Longer frames are seen as a halt. */
const LONG_FRAME = 50;

// ---- what is told

const told = new Map();

function tell(what, ms) {
  if (!told.has(what)) told.set(what, []);
  told.get(what).push(ms);
}

function print() {
  console.log(`${"".padEnd(58)}${["median", "min", "max"].map((name) => name.padStart(9)).join("")}  (ms)`);
  for (const [what, all] of told) {
    const sorted = all.toSorted((a, b) => a - b);
    const figures = [sorted[sorted.length >> 1], sorted[0], sorted.at(-1)];
    console.log(`${what.padEnd(58)}${figures.map((ms) => ms.toFixed(1).padStart(9)).join("")}  ${all.length} times`);
  }
}

// ---- what is done in the page

/** Before any script of the page: a clock that knows what has been painted, and a count of questions about charts. */
function prepare(patience) {
  const bench = (window.bench = { asked: 0, frames: [] });
  const { fetch } = window;
  window.fetch = (...args) => {
    if (String(args[0]).endsWith("/charts")) bench.asked++;
    return fetch(...args);
  };
  /** When `check` holds and a frame that shows it was painted. */
  bench.when = (check) => new Promise((done, give) => {
    setTimeout(() => give(new Error(`it never came to: ${check}`)), patience);
    const look = () => {
      if (!check()) return false;
      watch.disconnect();
      requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())));
      return true;
    };
    const watch = new MutationObserver(look);
    watch.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    look();
  });
  // Nobody may wait for some of them.
  addEventListener("unhandledrejection", (event) => event.preventDefault());
  bench.chart = bench.when(() => document.querySelector('.chart[data-state="ready"] canvas'));
  bench.rows = bench.when(() => document.querySelector(".vt-row .run-link"));
  bench.all = bench.when(() => /^[^+]+ runs?$/.test(document.querySelector(".count-line")?.textContent));
  /** From the next event of this kind until the chart that it makes the server be asked for is there. */
  bench.drawnAfter = (kind) => new Promise((done) => {
    const { asked } = bench;
    addEventListener(kind, ({ timeStamp }) => {
      bench.when(() => bench.asked > asked && !document.querySelector(".chart.is-busy")).then((end) => done(end - timeStamp));
    }, { capture: true, once: true });
  });
  /** Goes to a row of the table, whose height is told by that of all. */
  bench.jump = async (part) => {
    const table = document.querySelector(".vt");
    const count = Number(table.getAttribute("aria-rowcount"));
    const height = document.querySelector(".vt-body").offsetHeight / count;
    const start = performance.now();
    table.scrollTop = part * (table.scrollHeight - table.clientHeight);
    const first = Math.floor(table.scrollTop / height);
    const last = Math.min(count, first + Math.floor(table.clientHeight / height)) - 1;
    const isThere = (at) => document.querySelector(`.vt-row[data-at="${at}"] .run-link`)?.textContent;
    return await bench.when(() => isThere(first) && isThere(last)) - start;
  };
  bench.recordFrames = () => {
    bench.frames = [];
    bench.recording = true;
    let before = null;
    const frame = (now) => {
      if (before !== null) bench.frames.push(now - before);
      before = now;
      if (bench.recording) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  };
  /** When the page came, its last script, the first question of charts and its answer. */
  bench.parts = () => {
    const all = performance.getEntriesByType("resource");
    const asked = all.find((one) => one.name.endsWith("/charts"));
    const scripts = all.filter((one) => one.name.endsWith(".js"));
    return { page: performance.getEntriesByType("navigation")[0].responseEnd, scripts: Math.max(...scripts.map((one) => one.responseEnd)), asked: asked.startTime, answered: asked.responseEnd };
  };
}

// ---- the measurements

const browser = await launch();

/** A browser that knows nothing of these pages. */
async function fresh(run) {
  const context = await browser.newContext({ viewport: SIZE });
  await context.addInitScript(prepare, WAIT);
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT);
  const complaints = complaintsOf(page, plan.url, () => false);
  await run(page);
  assert.deepEqual(complaints, []);
  await context.close();
}

/** Opens an address from nothing; another page lies between, so that the whole page is made anew. */
async function visit(page, hash) {
  await page.goto("about:blank");
  await page.goto(`${plan.url}/${hash}`, { waitUntil: "commit" });
}

async function firstChart(page, hash, what) {
  await visit(page, hash);
  tell(what, await page.evaluate(() => bench.chart));
  return page.evaluate(() => bench.parts());
}

async function longMetric(page) {
  const hash = `#/experiments/${plan.long}/runs/${plan.run}?tab=charts`;
  const parts = await firstChart(page, hash, "first chart, browser that was never here");
  tell("    page has come", parts.page);
  tell("    scripts have come", parts.scripts);
  tell("    points are asked for", parts.asked);
  tell("    points have come", parts.answered);
  await firstChart(page, hash, "first chart, browser that was here before");
  for (let depth = 1; depth <= DEPTHS; depth++) {
    const width = await zoom(page, DRAG);
    if (width < 20) break;
  }
  await page.keyboard.down("Shift");
  tell("moved along the axis", await drag(page, [0.7, 0.4]));
  await page.keyboard.up("Shift");
  const reset = await page.evaluateHandle(() => [bench.drawnAfter("keydown")]);
  await page.keyboard.press("Escape");
  tell("all of it again", await reset.evaluate(([done]) => done));
}

/** Drags over a part of the chart. */
async function drag(page, [from, to]) {
  const box = await page.locator(".chart .u-over").boundingBox();
  const at = (part) => [box.x + box.width * part, box.y + box.height / 2];
  await page.mouse.move(...at(from));
  await page.mouse.down();
  await page.mouse.move(...at(to), { steps: 4 });
  const drawn = await page.evaluateHandle(() => [bench.drawnAfter("mouseup")]);
  await page.mouse.up();
  return drawn.evaluate(([done]) => done);
}

async function zoom(page, part) {
  const ms = await drag(page, part);
  const [low, high] = /z=(-?[\d.]+)\.\.([\d.]+)/.exec(decodeURIComponent(page.url())).slice(1).map(Number);
  tell("zoom, all depths", ms);
  // Depths are told by their power of ten: where the lines are drawn from statistics, and where from points.
  tell(`    to less than ${(10 ** Math.ceil(Math.log10(high - low))).toLocaleString("en")} points`, ms);
  return high - low;
}

async function table(page) {
  await visit(page, `#/experiments/${plan.wide}`);
  tell("table of runs, to its first rows", await page.evaluate(() => bench.rows));
  tell("table of runs, to all of its rows", await page.evaluate(() => bench.all));
  assert.equal(await page.getAttribute(".vt", "aria-rowcount"), String(plan.runs));
  for (let at = 1; at <= JUMPS; at++) {
    tell("scrolled to a row anywhere", await page.evaluate((part) => bench.jump(part), (at * 0.618034) % 1));
  }
  await page.evaluate(() => bench.jump(0));
  await page.mouse.move(SIZE.width / 2, SIZE.height / 2);
  await page.evaluate(() => bench.recordFrames());
  for (let at = 0; at < WHEELS; at++) await page.mouse.wheel(0, 700);
  const frames = await page.evaluate(() => { bench.recording = false; return bench.frames; });
  assert.ok(await page.evaluate(() => document.querySelector(".vt").scrollTop > 0), "the wheel moves the table");
  frames.forEach((ms) => tell("frames while the wheel turns", ms));
  longFrames += frames.filter((ms) => ms > LONG_FRAME).length;
}

let longFrames = 0;
for (let round = 0; round < plan.rounds; round++) {
  await fresh(longMetric);
  await fresh(table);
  await fresh((page) => firstChart(page, `#/experiments/${plan.wide}?tab=charts`, "charts of the runs, to the first"));
}
print();
console.log(`frames longer than ${LONG_FRAME} ms while the wheel turned: ${longFrames}`);
await browser.close();
