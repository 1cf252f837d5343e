// The browser that scripts of this folder drive: TRACKWAY_CHROMIUM names the program.

import { chromium } from "playwright-core";

/** Headless Chromium. */
export function launch() {
  return chromium.launch({ executablePath: process.env.TRACKWAY_CHROMIUM, args: ["--no-sandbox"] });
}

/** A list that is filled with what a page should not do: errors, dialogs, requests to elsewhere. `isMeant(text, url)` tells errors that should be. */
export function complaintsOf(page, url, isMeant) {
  const complaints = [];
  page.on("console", (message) => { if (message.type() === "error" && !isMeant(message.text(), message.location().url)) complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(error.stack));
  page.on("dialog", (dialog) => { complaints.push(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => { if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url())) complaints.push(`asked elsewhere: ${request.url()}`); });
  return complaints;
}
