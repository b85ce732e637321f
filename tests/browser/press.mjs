// Presses every operation of the explorer: Authorize, then "Try it out" and "Execute" with the examples as they stand.
// Prints the answers by status; fails unless each is 2xx.
//   ADMIN_KEY=… node tests/browser/press.mjs http://127.0.0.1:8080

import { strict as assert } from "node:assert";
import puppeteer from "puppeteer-core";

const gateway = process.argv[2];
const key = process.env.ADMIN_KEY;
assert.ok(gateway && key, "the gateway's address and ADMIN_KEY are needed");

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
});

async function explorer(context) {
  const page = await context.newPage();
  await page.setViewport({ width: 1400, height: 1000 });
  await page.goto(`${gateway}/docs/`);
  await page.waitForSelector(".opblock");
  return page;
}

const isAuthorized = async (page) => (await page.$(".authorization__btn.locked, .auth-wrapper .btn.authorize.locked")) !== null;

async function press(page, id) {
  const block = await page.waitForSelector(`.opblock[id$="-${id}"]`);
  await block.$eval(".opblock-summary-control", (element) => element.click());
  const tryOut = await page.waitForSelector(`.opblock[id$="-${id}"] .try-out__btn`);
  await tryOut.evaluate((element) => element.click());
  const execute = await page.waitForSelector(`.opblock[id$="-${id}"] .execute`);
  await execute.evaluate((element) => element.click());
  const selector = `.opblock[id$="-${id}"] .live-responses-table tbody .response-col_status`;
  const invalid = `.opblock[id$="-${id}"] .parameters .invalid, .opblock[id$="-${id}"] textarea.invalid`;
  const shown = await page.waitForSelector(`${selector}, ${invalid}`, { timeout: 60_000 });
  const answer = await shown.evaluate((element) => {
    const body = element.closest(".live-responses-table")?.querySelector(".response-col_description")?.innerText ?? "";
    return { status: Number.parseInt(element.innerText, 10), body: body.slice(0, 600) };
  });
  // Folded again, so that the page stays small.
  await block.$eval(".opblock-summary-control", (element) => element.click());
  return answer;
}

let failed = 0;
try {
  const page = await explorer(browser.defaultBrowserContext());
  assert.equal(await page.title(), "dbt-gateway API");
  const guide = await page.$eval("#guide", (element) => element.innerText);
  assert.match(guide, /Get a gateway key[\s\S]*keys create/);
  assert.equal(await isAuthorized(page), false, "authorized without a key");

  await page.click(".auth-wrapper .authorize");
  const input = await page.waitForSelector(".auth-container input");
  await input.type(key);
  await page.click(".auth-btn-wrapper .authorize");
  await page.click(".auth-btn-wrapper .btn-done");
  await page.reload();
  await page.waitForSelector(".opblock");
  assert.equal(await isAuthorized(page), true, "the key is lost by a reload");
  const other = await explorer(await browser.createBrowserContext());
  assert.equal(await isAuthorized(other), false, "the key is kept beyond the session");
  await other.close();
  console.log("the key is kept for the session");

  const blocks = await page.$$eval(".opblock", (all) =>
    all.map((block) => ({ id: block.id.split("-").at(-1), method: block.querySelector(".opblock-summary-method").innerText })),
  );
  // What is made is looked at before it is deleted.
  blocks.sort((a, b) => Number(a.method === "DELETE") - Number(b.method === "DELETE"));
  const byStatus = new Map();
  for (const { id } of blocks) {
    const { status, body } = await press(page, id);
    byStatus.set(status, [...(byStatus.get(status) ?? []), id]);
    if (!(status >= 200 && status < 300)) {
      failed += 1;
      console.error(`${id} answered ${status}: ${body}`);
    }
  }
  for (const [status, ids] of [...byStatus].sort(([a], [b]) => a - b)) console.log(`${status}: ${ids.length} (${ids.join(", ")})`);
  console.log(`explorer: ${blocks.length - failed} passed, ${failed} failed`);
  assert.ok(blocks.length > 40, `${blocks.length} operations`);
} finally {
  await browser.close();
}
process.exitCode = failed === 0 ? 0 : 1;
