// The native API of the server, /api/trackway/1/ (docs/server-api.md).

const ROOT = "/api/trackway/1/";

/** What the server refused, in its own words. `position` counts characters of a filter. */
export class ApiError extends Error {
  constructor(status, body) {
    super(body?.message || `the server answered ${status}`);
    this.status = status;
    this.code = body?.error_code ?? "";
    this.reason = body?.reason;
    this.position = body?.position;
    this.what = body?.what;
  }
}

async function call(method, path, body, signal) {
  let response;
  try {
    response = await window.trackwayFirst.ask(method, path, body, signal);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    setOnline(false);
    throw new ApiError(0, { message: "The server cannot be reached." });
  }
  setOnline(true);
  if (response.status === 401) {
    // The login page leads back to what stands behind the #.
    location.assign("/login" + location.hash);
    // The page is about to go: nothing is to be said about it.
    await new Promise(() => {});
  }
  const text = await response.text();
  let value = null;
  try {
    value = text ? JSON.parse(text) : null;
  } catch {
    throw new ApiError(response.status, { message: `The server's answer (${response.status}) is not JSON.` });
  }
  if (!response.ok) throw new ApiError(response.status, value);
  return value;
}

let online = true;

function setOnline(now) {
  if (now === online) return;
  online = now;
  document.dispatchEvent(new CustomEvent("onlinechange", { detail: online }));
}

const enc = encodeURIComponent;

export const api = {
  experiments: (view, signal) => call("GET", `experiments?view=${view}`, undefined, signal),
  experiment: (id, signal) => call("GET", `experiments/${enc(id)}`, undefined, signal),
  createExperiment: (name) => call("POST", "experiments", { name }),
  editExperiment: (id, change) => call("PATCH", `experiments/${enc(id)}`, change),
  deleteExperiment: (id) => call("DELETE", `experiments/${enc(id)}`),
  restoreExperiment: (id) => call("POST", `experiments/${enc(id)}/restore`, {}),
  counts: () => call("GET", "experiments/counts"),

  /** What the newest runs have, with few values by the name that filters know. */
  async keys(ids, signal) {
    const keys = await call("POST", "keys", { experiments: ids }, signal);
    const values = {};
    for (const [key, some] of Object.entries(keys.param_values)) values[spell("params", key)] = some;
    for (const [key, some] of Object.entries(keys.tag_values)) values[spell("tags", key)] = some;
    return { ...keys, values };
  },

  searchRuns: (query, signal) => call("POST", "runs/search", query, signal),
  run: (id, signal) => call("GET", `runs/${enc(id)}`, undefined, signal),
  runs: (ids, signal) => call("POST", "runs/get", { runs: ids }, signal),
  editRun: (id, change) => call("PATCH", `runs/${enc(id)}`, change),
  deleteRuns: (runs) => call("POST", "runs/delete", { runs }),
  restoreRuns: (runs) => call("POST", "runs/restore", { runs }),
  charts: (question, signal) => call("POST", "charts", question, signal),
  bands: (question, signal) => call("POST", "bands", question, signal),
  changes: (question, signal) => call("POST", "changes", question, signal),
  artifacts: (id, path, signal) => call("GET", `runs/${enc(id)}/artifacts?path=${enc(path)}`, undefined, signal),
  loggedModels: (query, signal) => call("POST", "logged-models/search", query, signal),
  loggedModel: (id, signal) => call("GET", `logged-models/${enc(id)}`, undefined, signal),
  modelsOfRun: (id, signal) => call("GET", `runs/${enc(id)}/logged-models`, undefined, signal),
  models: (query, signal) => call("POST", "models/search", query, signal),
  model: (name, signal) => call("GET", `models/get?name=${enc(name)}`, undefined, signal),
  editModel: (name, change) => call("PATCH", `models/edit?name=${enc(name)}`, change),
  fileUrl: (id, path, download) => `${ROOT}runs/${enc(id)}/file?path=${enc(path)}${download ? "&download=true" : ""}`,

  /** The first bytes of an artifact as text; `size` is that of the whole file. */
  async text(id, path, signal) {
    const response = await fetch(this.fileUrl(id, path) + "&preview=true", { signal, credentials: "same-origin" });
    if (!response.ok) {
      let body = null;
      try { body = await response.json(); } catch { /* the status says enough */ }
      throw new ApiError(response.status, body);
    }
    return { text: await response.text(), size: Number(response.headers.get("X-Artifact-Size")) };
  },
};

/** The key of a metric, param or tag as the filter language spells it. */
export function spell(kind, key) {
  if (/^[\p{L}\p{N}_.$#]+$/u.test(key) && !/\.(min|max|last|count)$/.test(key)) return `${kind}.${key}`;
  return key.includes("`") ? `${kind}."${key}"` : `${kind}.\`${key}\``;
}

/** A text as the filter language spells it: there is no escape, so it takes the quote that the text does not hold. */
export function spellText(text) {
  return text.includes("'") ? `"${text}"` : `'${text}'`;
}
