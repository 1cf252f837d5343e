// How a browser shows the token, and where it is led then. Arguments: the address of a server, its token, a folder for pictures or none.

import assert from "node:assert/strict";
import { complaintsOf, launch } from "./chromium.mjs";

const [, , url, token, pictures] = process.argv;
const browser = await launch();
const context = await browser.newContext();
const page = await context.newPage();
page.setDefaultTimeout(20000);
// What is answered 401 stands in the console, too.
const complaints = complaintsOf(page, url, (text) => /status of 401/.test(text));
const place = "/#/experiments/0?q=params.opt+%3D+%27adam%27&sort=metric.val%2Floss";

async function logIn() {
  await page.fill("input[name=token]", token);
  await page.click("text=Log in");
  await page.waitForSelector("h1 >> text=Default");
  assert.equal(page.url(), url + place);
}

let failed = false;
try {
  await page.goto(url + place);
  // A wrong one does not make it forget where it was.
  await page.fill("input[name=token]", "0123456789abcdefWRONG");
  await page.click("text=Log in");
  await page.waitForSelector("text=That is not the token.");
  if (pictures) await page.screenshot({ path: `${pictures}/login.png` });
  await logIn();
  // A session that ends while a page is open: the page asks what is new, and notices.
  await context.clearCookies();
  await page.waitForSelector("input[name=token]");
  await logIn();
  assert.deepEqual(complaints, []);
  console.log("ok: the login page leads back");
} catch (error) {
  failed = true;
  console.log(`FAILED: ${error.stack}\n${page.url()}\n${complaints.join("\n")}`);
}
await browser.close();
process.exit(failed ? 1 : 0);
