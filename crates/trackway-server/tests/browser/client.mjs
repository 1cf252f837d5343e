// Runs as MLflow's clients make them: over its API.

import assert from "node:assert/strict";

/** A client of the server at `url`. */
export function client(url) {
  let made = 0;

  async function call(path, body) {
    const response = await fetch(`${url}/api/2.0/mlflow/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const text = await response.text();
    assert.equal(response.status, 200, `${path}: ${text}`);
    return JSON.parse(text);
  }

  /** A run with a metric `val/loss` of these values; it goes on if there is no `status`. */
  async function makeRun(experiment, name, params, curve, status) {
    const { run } = await call("runs/create", { experiment_id: experiment, run_name: name, start_time: 1700000000000 + made++ });
    const run_id = run.info.run_id;
    const list = Object.entries(params).map(([key, value]) => ({ key, value }));
    const metrics = curve.map((value, step) => ({ key: "val/loss", value, step, timestamp: 1700000000000 + step * 1000 }));
    await call("runs/log-batch", { run_id, params: list });
    for (let at = 0; at < metrics.length; at += 1000) await call("runs/log-batch", { run_id, metrics: metrics.slice(at, at + 1000) });
    if (status) await call("runs/update", { run_id, status, end_time: 1700000100000 });
    return run_id;
  }

  return { call, makeRun };
}

/** A curve that falls towards `low`. */
export const curve = (length, low) => Array.from({ length }, (_, step) => low + 1 / (step + 1));
