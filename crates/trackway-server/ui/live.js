// Live updates: a small question every few seconds, whose answer is nearly always "nothing". The server looks once a second
// for all who ask, and a page that nobody sees asks nothing.

import { api } from "./api.js";

const EVERY = 2000;
const SLOWEST = 30000;

/**
 * The version to follow from. It is asked for before a page reads what it shows: what changes in between is told then, too.
 * `null` when the server does not say; the page is shown all the same.
 */
export async function begin(question) {
  try {
    return (await api.changes(question)).version;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return null;
  }
}

/**
 * Calls `changed(runs, all)` with the ids of runs that were created or changed since the version that `begin` gave. Ends with
 * the function that it gives back.
 */
export function follow(question, since, changed) {
  let timer = 0;
  let ended = false;
  let wait = EVERY;
  const abort = new AbortController();
  const ask = async () => {
    clearTimeout(timer);
    if (document.hidden) return;
    try {
      const answer = await api.changes({ ...question, since }, abort.signal);
      since = answer.version;
      wait = EVERY;
      if (answer.runs.length || answer.all) await changed(answer.runs, answer.all);
    } catch (error) {
      if (error.name === "AbortError") return;
      wait = Math.min(SLOWEST, wait * 2);
    }
    if (!ended) timer = setTimeout(ask, wait);
  };
  const seen = () => { if (!document.hidden) ask(); };
  document.addEventListener("visibilitychange", seen);
  timer = setTimeout(ask, 200);
  return () => {
    ended = true;
    clearTimeout(timer);
    abort.abort();
    document.removeEventListener("visibilitychange", seen);
  };
}
