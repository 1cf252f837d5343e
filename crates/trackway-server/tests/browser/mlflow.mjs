// MLflow's own pages over Trackway's data, under /mlflow/ of the server whose address is the first argument: an experiment's runs,
// and the chart of a run's metric. Ends with 0 when all is well; pictures go to the folder in the second argument, if there is one.

import assert from "node:assert/strict";
import { complaintsOf, launch } from "./chromium.mjs";
import { client, curve } from "./client.mjs";

const [, , url, pictures] = process.argv;
/** They are large, and take long to start. */
const WAIT = 120000;

/** What these pages complain of on any server, and why. */
const KNOWN = [
  [/\/ajax-api\/2\.0\/mlflow\/users\/current$/, "only a server with accounts has it; `mlflow server` without them refuses it, too"],
  [/\/ajax-api\/3\.0\/mlflow\/assistant\//, "talks to a language model, which this server does not; only that panel goes without"],
];
const isKnown = (address) => KNOWN.some(([known]) => known.test(address));

const { call, makeRun } = client(url);
const { experiment_id } = await call("experiments/create", { name: "in MLflow's pages" });
const names = ["first of them", "second of them"];
const runs = [];
for (const [at, name] of names.entries()) runs.push(await makeRun(experiment_id, name, { opt: "adam" }, curve(200, at / 10), "FINISHED"));

const browser = await launch();
const page = await (await browser.newContext({ viewport: { width: 1360, height: 860 } })).newPage();
page.setDefaultTimeout(WAIT);
const complaints = complaintsOf(page, url, (text, address) => isKnown(address));
const refused = [];
page.on("response", (response) => { if (response.status() >= 400 && !isKnown(response.url())) refused.push(`${response.status()} ${response.request().method()} ${response.url()}`); });

let failed = false;
try {
  await page.goto(`${url}/mlflow/#/experiments/${experiment_id}/runs`);
  for (const name of names) await page.waitForSelector(`text=${name}`);
  await page.goto(`${url}/mlflow/#/experiments/${experiment_id}/runs/${runs[0]}`);
  await page.waitForSelector("text=val/loss");
  await page.goto(`${url}/mlflow/#/experiments/${experiment_id}/runs/${runs[0]}/model-metrics`);
  await page.waitForSelector(".js-plotly-plot .scatterlayer .trace path");
  assert.deepEqual([...complaints, ...refused], []);
  console.log("ok: MLflow's pages show runs and a chart");
} catch (error) {
  failed = true;
  console.log(`FAILED: ${error.stack}\n${complaints.join("\n")}\n${refused.join("\n")}`);
}
if (pictures) await page.screenshot({ path: `${pictures}/mlflow.png` });
await browser.close();
process.exit(failed ? 1 : 0);
