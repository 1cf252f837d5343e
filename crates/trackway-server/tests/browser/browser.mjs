// Trackway's pages in a real browser, over a server whose address is the first argument. Runs are made through MLflow's API,
// as its clients make them. Ends with 0 when all is well; pictures go to the folder in the second argument, if there is one.

import assert from "node:assert/strict";
import { complaintsOf, launch } from "./chromium.mjs";
import { client, curve } from "./client.mjs";

const [, , url, pictures] = process.argv;
const WAIT = 20000;

// ---- what is there

const { call, makeRun } = client(url);
const HOSTILE = "<img src=x onerror=alert(1)> <script>alert(2)</script>";
const { experiment_id } = await call("experiments/create", { name: "browser" });
const spiky = curve(5000, 0.2).map((value, step) => (step === 3210 ? 40 : value));
const adam = await makeRun(experiment_id, "adam one", { opt: "adam", lr: "0.1" }, spiky, "FINISHED");
await makeRun(experiment_id, "sgd one", { opt: "sgd", lr: "0.2" }, curve(300, 0.5), "FAILED");
await makeRun(experiment_id, HOSTILE, { opt: "sgd", lr: HOSTILE }, curve(300, 0.7), "FINISHED");
const live = await makeRun(experiment_id, "live one", { opt: "lion", lr: "0.3" }, curve(10, 0.9), null);
await call("runs/set-tag", { run_id: adam, key: "mlflow.note.content", value: `# Note\n\n${HOSTILE} **bold** [bad](javascript:alert(3))` });

// ---- the browser

const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, colorScheme: "light" });
const page = await context.newPage();
page.setDefaultTimeout(WAIT);
// What a refused filter is answered stands in the console too, and is meant to be there.
const complaints = complaintsOf(page, url, (text) => /status of 400/.test(text));

const steps = [];
const step = (name, run) => steps.push([name, run]);
const names = () => page.$$eval(".vt-row .run-link", (links) => links.map((link) => link.textContent));
const until = (check, ...args) => page.waitForFunction(check, ...args);
const rowsAre = (...wanted) => until((all) => JSON.stringify([...document.querySelectorAll(".vt-row")].sort((a, b) => a.dataset.at - b.dataset.at).map((row) => row.querySelector(".run-link")?.textContent)) === JSON.stringify(all), wanted);

step("experiments are listed", async () => {
  await page.goto(url);
  await page.click("a.strong >> text=browser");
  await rowsAre("live one", HOSTILE, "sgd one", "adam one");
});

step("a filter finds, and a wrong one says where", async () => {
  const field = page.locator(".search input");
  await field.fill("params.opt = 'adam' and metrics.val/loss < 1");
  await rowsAre("adam one");
  assert.match(page.url(), /q=params/);
  await field.fill("params.opt = ");
  await page.waitForSelector(".search-note.is-error");
  await page.keyboard.press("Escape");
  assert.match(await page.textContent(".search-note"), /Character 13: expected a text/);
  await field.fill("sgd");
  await rowsAre("sgd one");
  await page.reload();
  await rowsAre("sgd one");
  await page.locator(".search input").fill("");
  await rowsAre("live one", HOSTILE, "sgd one", "adam one");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
});

step("a column sorts both ways", async () => {
  await page.click(".vt-title >> text=lr");
  await rowsAre(HOSTILE, "live one", "sgd one", "adam one").catch(() => rowsAre("adam one", "sgd one", "live one", HOSTILE));
  const first = await names();
  await page.click(".vt-title >> text=lr");
  await rowsAre(...first.reverse());
  await page.click(".vt-title >> text=Started");
});

step("keys move and open", async () => {
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), "Filter runs");
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await page.waitForSelector(".dialog >> text=Keys");
  await page.keyboard.press("Escape");
  await until(() => !document.querySelector(".dialog"));
  await until(() => document.querySelector('.vt-row[data-at="0"] .run-link'));
  for (let at = 0; at < 4; at++) {
    await page.keyboard.press("j");
    if ((await page.textContent(".vt-row.is-cursor .run-link")) === "adam one") break;
  }
  await page.keyboard.press("Enter");
  await until((id) => location.hash.includes(id), adam);
});

step("a run shows its note as text, and is renamed in place", async () => {
  await page.waitForSelector(".markdown strong");
  assert.ok((await page.textContent(".markdown")).includes(HOSTILE));
  assert.equal(await page.$$eval(".markdown a, .markdown img, .markdown script", (found) => found.length), 0);
  await page.dblclick("h1.editable");
  await page.fill("h1.editable input", "adam renamed");
  await page.keyboard.press("Enter");
  await until(() => document.querySelector(".crumbs span")?.textContent === "adam renamed");
  await page.reload();
  await page.waitForSelector("h1 >> text=adam renamed");
});

step("the chart has the spike, a drag zooms into it, Esc takes it back", async () => {
  await page.click(".tabs >> text=Charts");
  const chart = page.locator('.chart[data-metric="val/loss"]');
  await until(() => document.querySelector('.chart[data-metric="val/loss"][data-state="ready"] .u-over'));
  const ask = page.waitForRequest((request) => request.url().endsWith("/charts"));
  const box = await chart.locator(".u-over").boundingBox();
  const at = (part) => box.x + box.width * part;
  await page.mouse.move(at(0.6), box.y + 40);
  await page.mouse.down();
  await page.mouse.move(at(0.7), box.y + 40, { steps: 5 });
  await page.mouse.up();
  const { range } = JSON.parse((await ask).postData());
  assert.ok(range[0] > 2000 && range[1] < 4500 && range[0] < 3210 && range[1] > 3210, `${range}`);
  await until(() => /z=\d/.test(location.hash) && !document.querySelector(".chart.is-busy"));
  const zoomed = await page.locator(".u-over").boundingBox();
  const [low, high] = /z=([\d.]+)\.\.([\d.]+)/.exec(decodeURIComponent(page.url())).slice(1).map(Number);
  await page.mouse.move(zoomed.x + zoomed.width * ((3210 - low) / (high - low)), zoomed.y + 4);
  await until(() => [...document.querySelectorAll(".chart-tip b")].some((value) => value.textContent === "40"));
  await picture("chart");
  await page.keyboard.press("Escape");
  await until(() => !/z=/.test(location.hash));
});

step("a page asks for nothing twice, and keeps its files", async () => {
  const asked = [];
  const note = (request) => asked.push(new URL(request.url()).pathname);
  page.on("request", note);
  await page.reload();
  await until(() => document.querySelector('.chart[data-state="ready"] canvas'));
  page.off("request", note);
  for (const path of [`runs/${adam}`, `experiments/${experiment_id}`, "charts"]) {
    assert.equal(asked.filter((one) => one === `/api/trackway/1/${path}`).length, 1, `${path} of ${asked.join(" ")}`);
  }
  assert.equal(await page.evaluate(() => performance.getEntriesByType("resource").filter((one) => /[.]js$/.test(one.name) && one.transferSize > 0).length), 0);
});

step("runs are compared", async () => {
  await page.goto(`${url}/#/experiments/${experiment_id}`);
  await page.waitForSelector(".vt-row .run-link");
  await page.locator(".vt-row .vt-check").nth(1).click();
  await page.locator(".vt-row .vt-check").nth(3).click();
  await page.keyboard.press("c");
  await page.waitForSelector("h1 >> text=Compare 2 runs");
  assert.match(await page.textContent("table.compare"), /adam renamed/);
  assert.match(await page.textContent("table.compare"), /val\/loss/);
  await page.click(".tabs >> text=Charts");
  await until(() => document.querySelector('.chart[data-state="ready"]'));
  await page.click(".tabs >> text=Parallel");
  await until(() => document.querySelectorAll(".parallel-svg .p-line").length === 2);
  await picture("parallel");
});

step("a run that logs is followed", async () => {
  await page.goto(`${url}/#/experiments/${experiment_id}/runs/${live}?tab=charts`);
  await until(() => document.querySelector('.chart[data-state="ready"] .u-over'));
  const again = page.waitForResponse((response) => response.url().endsWith("/charts"));
  await call("runs/log-metric", { run_id: live, key: "val/loss", value: 0.1, step: 11, timestamp: 1700000011000 });
  const { charts } = await (await again).json();
  assert.equal(charts[0].series[0].points, 11);
  await call("runs/log-metric", { run_id: live, key: "fresh", value: 1, step: 1, timestamp: 1700000011000 });
  await page.waitForSelector('.chart[data-metric="fresh"]');
  await call("runs/update", { run_id: live, status: "FINISHED", end_time: 1700000200000 });
  await page.waitForSelector(".facts .status.finished");
});

step("new runs appear in the table by themselves", async () => {
  await page.goto(`${url}/#/experiments/${experiment_id}`);
  await page.waitForSelector(".vt-row .run-link");
  await makeRun(experiment_id, "latecomer", { opt: "adam" }, [1], "FINISHED");
  await page.waitForSelector(".run-link >> text=latecomer");
});

step("runs are deleted and come back", async () => {
  await page.locator(".vt-row", { hasText: "latecomer" }).locator(".vt-check").click();
  await page.click(".selection >> text=Delete");
  await page.click(".dialog >> text=Delete >> nth=-1");
  await until(() => ![...document.querySelectorAll(".run-link")].some((link) => link.textContent === "latecomer"));
  await page.click(".toast >> text=Undo");
  await page.waitForSelector(".run-link >> text=latecomer");
});

step("it is dark when the system is, and when somebody says so", async () => {
  const theme = () => page.evaluate(() => [document.documentElement.dataset.theme, getComputedStyle(document.body).backgroundColor]);
  const [, light] = await theme();
  await page.emulateMedia({ colorScheme: "dark" });
  // The page is told a little later.
  await until(() => document.documentElement.dataset.theme === "dark");
  const [, dark] = await theme();
  assert.notEqual(light, dark);
  await page.keyboard.press("t");
  assert.deepEqual(await theme(), ["light", light]);
  await page.reload();
  assert.equal((await theme())[0], "light");
  await page.keyboard.press("t");
  await picture("dark");
});

step("logged models are shown with their runs", async () => {
  const params = [{ key: "depth", value: "7" }, { key: "note", value: HOSTILE }];
  const name = "<img src=x onerror=alert(4)>";
  const { model } = await call("logged-models", { experiment_id, name, source_run_id: adam, params });
  const { model_id } = model.info;
  const metrics = [{ key: "acc", value: 0.875, step: 3, timestamp: 1700000000000, model_id, dataset_name: "digits" }];
  await call("runs/log-batch", { run_id: adam, metrics });
  await page.goto(`${url}/#/experiments/${experiment_id}/runs/${adam}`);
  await page.waitForSelector("[data-card=models] >> text=made");
  assert.match(await page.textContent("[data-card=models]"), /acc 0\.875.*depth 7/s);
  await page.goto(`${url}/#/experiments/${experiment_id}`);
  await page.click(".tabs >> text=Models");
  await page.waitForSelector(".vt-row >> text=acc 0.875");
  await picture("models");
  await page.click(".vt-row a.strong");
  await page.waitForSelector("[data-card=metrics] >> text=digits");
  assert.equal(await page.textContent("h1"), name);
  assert.match(await page.textContent("[data-card=params]"), /depth.*7/s);
  await picture("model");
  await page.click(".crumbs >> text=browser");
  await page.waitForSelector(".vt-row >> text=acc 0.875");
  await page.click(".tabs >> text=Table");
  await page.waitForSelector(".vt-row .run-link");
  assert.match(page.url(), /tab=runs/);
});

step("there are empty pages, wrong addresses, and models", async () => {
  await page.goto(`${url}/#/models`);
  await page.waitForSelector("text=No models yet");
  await page.goto(`${url}/#/experiments/${experiment_id}/runs/${"0".repeat(32)}`).catch(() => {});
  await page.waitForSelector("text=Not found");
  await page.goto(`${url}/#/nowhere`);
  await page.waitForSelector("text=There is no page /nowhere");
});

async function picture(name) {
  if (pictures) await page.screenshot({ path: `${pictures}/${name}.png` });
}

let failed = false;
for (const [name, run] of steps) {
  try {
    await run();
    // A run that is not there is answered 404, which the console names.
    const unexpected = complaints.splice(0).filter((text) => !(/status of 404/.test(text) && name.startsWith("there are empty")));
    assert.deepEqual(unexpected, []);
    console.log(`ok: ${name}`);
  } catch (error) {
    failed = true;
    console.log(`FAILED: ${name}\n${error.stack}\n${complaints.splice(0).join("\n")}`);
    await picture("failed");
    break;
  }
}
await browser.close();
process.exit(failed ? 1 : 0);
