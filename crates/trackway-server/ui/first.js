// What cannot wait for modules: which page an address means, the modules of that page, and its first questions, which are answered
// while the modules come. A classic script on purpose: modules run late.
(function () {
  const BASE = new URL(".", document.currentScript.src);
  const API = "/api/trackway/1/";

  const CHARTS = ["colors.js", "live.js", "components/board.js", "components/chart.js", "components/paths.js", "vendor/uplot/uPlot.esm.js"];

  /** Each page's form of address, names of the parts in it, and modules beside those that `index.html` names. Addresses are those that MLflow's clients print. */
  const PAGES = [
    ["experiments", /^\/(?:experiments)?$/, [], ["components/table.js"]],
    ["run", /^\/experiments\/([^/]+)\/runs\/([^/]+)(?:\/(.*))?$/, ["experiment", "run", "rest"], [...CHARTS, "components/artifacts.js", "markdown.js", "pages/loggedparts.js", "pages/notes.js", "pages/runparts.js"]],
    ["logged", /^\/experiments\/([^/]+)\/models\/([^/]+)(?:\/.*)?$/, ["experiment", "model"], ["pages/loggedparts.js"]],
    ["experiment", /^\/experiments\/([^/]+)(?:\/(runs|models))?$/, ["experiment", "part"], [...CHARTS, "components/picker.js", "components/search.js", "components/table.js", "markdown.js", "pages/loggedlist.js", "pages/loggedparts.js", "pages/runcolumns.js", "pages/runlist.js", "pages/runside.js"]],
    ["run", /^\/runs\/([^/]+)$/, ["run"], []],
    ["compare", /^\/compare(?:-runs)?$/, [], [...CHARTS, "components/parallel.js"]],
    ["models", /^\/models$/, [], ["components/table.js"]],
    ["model", /^\/models\/([^/]+)(?:\/versions\/(\d+))?$/, ["name", "version"], ["markdown.js", "pages/notes.js"]],
  ];

  const decode = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };

  /** What the address says: `{ path, query }`. */
  function place() {
    const [path, query = ""] = (location.hash.slice(1) || "/").split("?");
    return { path: path.replace(/\/+$/, "") || "/", query: new URLSearchParams(query) };
  }

  /** The page of a path, as `{ name, args }`, or null. */
  function pageOf(path) {
    for (const [name, form, parts] of PAGES) {
      const match = form.exec(path);
      if (match) return { name, args: Object.fromEntries(parts.map((part, at) => [part, match[at + 1] === undefined ? undefined : decode(match[at + 1])])) };
    }
    return null;
  }

  /** Asks for all modules of a page at once: they name each other, and would be asked for one after the other. */
  function preload(name) {
    for (const path of PAGES.filter((page) => page[0] === name).flatMap((page) => page[3]).concat(`pages/${name}.js`)) {
      const { href } = new URL(path, BASE);
      if (document.querySelector(`link[href="${href}"]`)) continue;
      document.head.append(Object.assign(document.createElement("link"), { rel: "modulepreload", href }));
    }
  }

  // ---- questions

  let early = new Map();

  function send(method, path, body, signal) {
    const options = { method, signal, headers: { Accept: "application/json" }, credentials: "same-origin" };
    if (body !== undefined) {
      options.headers["Content-Type"] = "application/json";
      options.body = JSON.stringify(body);
    }
    return fetch(API + path, options);
  }

  const key = (method, path, body) => JSON.stringify([method, path, body]);

  /** The answer to a question; it may have been asked already. */
  function ask(method, path, body, signal) {
    const known = early.get(key(method, path, body));
    early.delete(key(method, path, body));
    return known ?? send(method, path, body, signal);
  }

  function askEarly(method, path, body, after = Promise.resolve()) {
    const answer = after.then(() => send(method, path, body));
    // Whoever takes it is told what went wrong.
    answer.catch(() => {});
    early.set(key(method, path, body), answer);
    return answer;
  }

  const page = pageOf(place().path);
  if (page) {
    const { experiment, run, model } = page.args;
    const enc = encodeURIComponent;
    if (experiment) askEarly("GET", `experiments/${enc(experiment)}`);
    if (run) {
      // What has changed is told from here on, so it is asked for before what is shown.
      const since = askEarly("POST", "changes", { runs: [run] });
      askEarly("GET", `runs/${enc(run)}`, undefined, since);
    } else if (model) {
      askEarly("GET", `logged-models/${enc(model)}`);
    } else if (experiment) {
      askEarly("POST", "keys", { experiments: [experiment] });
      askEarly("POST", "changes", { experiment });
    }
    // A browser has few connections for all that: what the server has to think about goes first.
    preload(page.name);
  }

  window.trackwayFirst = {
    place, pageOf, preload, ask,
    /** Answers that nobody took are not believed later. */
    forget() { early = new Map(); },
  };
})();
