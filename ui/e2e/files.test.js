// Files of a space: brought in, looked at, renamed, moved, deleted, brought back; many of them, and large ones.
import assert from "node:assert/strict";
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../scripts/world.js";
import { PHONE, button, gone, heading, holds, seen, stage, story } from "./stage.js";

const it = stage(async ({ world }) => {
  [it.alice, it.bob] = [await world.member("Alice"), await world.member("Bob")];
});

async function space(name) {
  return (await it.alice.call("POST", "/spaces", { name })).address;
}

const line = (page, name) => page.getByRole("row").filter({ has: page.getByText(name, { exact: true }) });

async function more(page, name, what) {
  await button(page, `More: ${name}`).click();
  await page.getByRole("menuitem", { name: what, exact: true }).click();
}

const names = async (address, path = "") =>
  (await it.alice.call("GET", `/spaces/${address}/drive?path=${encodeURIComponent(path)}`)).children.map((entry) => entry.name).sort();

story(it, "files are uploaded, looked at, renamed, deleted, and brought back", async ({ open }) => {
  const address = await space("Letters");
  const page = await open(it.alice, `/spaces/${address}`);
  await seen(page.getByText("Nothing in here yet"));
  await page.locator("input[type=file]").first().setInputFiles([
    { name: "dear Bob.txt", mimeType: "text/plain", buffer: Buffer.from("Dear Bob,\n\n<script>globalThis.hurt=1</script>\n") },
    { name: "🌷 tulip.svg", mimeType: "image/svg+xml", buffer: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><script>parent.hurt=1</script><circle cx="4" cy="4" r="3"/></svg>') },
  ]);
  await seen(line(page, "dear Bob.txt"));
  await seen(line(page, "🌷 tulip.svg"));
  await page.getByText("dear Bob.txt", { exact: true }).click();
  const preview = page.getByRole("dialog");
  await seen(preview.getByText("Dear Bob,"));
  await button(preview, "The one before").click();
  await seen(preview.getByRole("img", { name: "🌷 tulip.svg" }));
  await page.keyboard.press("Escape");
  await gone(preview);
  assert.equal(await page.evaluate(() => globalThis.hurt), undefined);
  await more(page, "dear Bob.txt", "Rename");
  await page.getByRole("dialog").getByLabel("Name").fill("dear Carol.txt");
  await button(page.getByRole("dialog"), "Rename").click();
  await seen(line(page, "dear Carol.txt"));
  assert.deepEqual(await names(address), ["dear Carol.txt", "🌷 tulip.svg"]);
  await more(page, "dear Carol.txt", "Delete");
  await gone(line(page, "dear Carol.txt"));
  await button(page, "Undo").last().click(); // the other one is about the name
  await seen(line(page, "dear Carol.txt"));
});

story(it, "what is here already is asked about, and both are kept if one wants", async ({ open }) => {
  const address = await space("Twice");
  await it.alice.put(address, "plan.txt", "old");
  const page = await open(it.alice, `/spaces/${address}`);
  await seen(line(page, "plan.txt"));
  await page.locator("input[type=file]").first().setInputFiles([{ name: "plan.txt", mimeType: "text/plain", buffer: Buffer.from("new") }]);
  await button(page.getByRole("dialog"), "Keep both").click();
  await until("two files are there", async () => (await names(address)).length === 2);
});

story(it, "a folder is uploaded whole, and moved into another", async ({ open }) => {
  const address = await space("Pictures");
  const folder = join(it.world.folder, "Holiday");
  mkdirSync(join(folder, "day 1"), { recursive: true });
  writeFileSync(join(folder, "list.txt"), "a");
  writeFileSync(join(folder, "day 1", "sea.txt"), "b");
  const page = await open(it.alice, `/spaces/${address}`);
  await page.locator("input[webkitdirectory]").setInputFiles(folder);
  await until("the folder is there", async () => (await names(address, "Holiday/day 1").catch(() => [])).includes("sea.txt"));
  await button(page, "New folder").click();
  await page.getByRole("dialog").getByLabel("Name").fill("2026");
  await button(page.getByRole("dialog"), "Create").click();
  await seen(line(page, "2026"));
  await more(page, "Holiday", "Move");
  await button(page.getByRole("dialog"), "2026").click();
  await button(page.getByRole("dialog"), "Move here").click();
  await gone(line(page, "Holiday"));
  assert.deepEqual(await names(address, "2026/Holiday"), ["day 1", "list.txt"]);
  await page.getByText("2026", { exact: true }).first().click();
  await seen(line(page, "Holiday"));
  await page.goBack();
  await seen(line(page, "2026"));
});

story(it, "ten thousand files scroll, by wheel and by key", async ({ open }) => {
  const address = await space("Many");
  const folder = join(it.world.folder, "many");
  mkdirSync(folder);
  for (let n = 0; n < 10_000; n++) writeFileSync(join(folder, `file ${String(n).padStart(5, "0")}`), "");
  await it.alice.cli("import", address, folder);
  const page = await open(it.alice, `/spaces/${address}`);
  await page.getByText("many", { exact: true }).click();
  await seen(page.getByText("file 00000", { exact: true }));
  assert.ok((await page.getByRole("row").count()) < 120, "only lines in sight are in the page");
  // What makes it smooth holds at every place, however busy the machine is: few lines are in the page.
  const { most, slowest } = await page.evaluate(async () => {
    let [most, slowest, before] = [0, 0, performance.now()];
    const whole = document.documentElement.scrollHeight;
    for (let at = 0; at < whole; at += whole / 120) {
      scrollTo(0, at);
      await new Promise((next) => requestAnimationFrame(next));
      most = Math.max(most, document.querySelectorAll("[role=row]").length);
      slowest = Math.max(slowest, performance.now() - before);
      before = performance.now();
    }
    return { most, slowest };
  });
  console.log(`ten thousand files: the slowest frame took ${Math.round(slowest)} ms`);
  assert.ok(most > 5 && most < 120, `${most} lines were in the page at once`);
  await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
  await seen(page.getByText("file 09999", { exact: true }));
  await page.evaluate(() => scrollTo(0, 0));
  await page.getByText("file 00000", { exact: true }).press("End");
  await seen(page.getByText("file 09999", { exact: true }));
});

story(it, "lines are dragged onto folders and up again, several at once, and that can be undone", async ({ open }) => {
  const address = await space("Dragged");
  await it.alice.folder(address, "Box");
  for (const name of ["a.txt", "b.txt", "c.txt"]) await it.alice.put(address, name, name);
  const page = await open(it.alice, `/spaces/${address}`);
  await line(page, "a.txt").dragTo(line(page, "Box"));
  await gone(line(page, "a.txt"));
  assert.deepEqual(await names(address, "Box"), ["a.txt"]);
  await line(page, "a.txt").count().then((count) => assert.equal(count, 0));
  await button(page, "Undo").last().click();
  await seen(line(page, "a.txt"));
  for (const name of ["b.txt", "c.txt"]) await page.getByRole("checkbox", { name: `Select ${name}` }).check();
  await line(page, "b.txt").dragTo(line(page, "Box"));
  await gone(line(page, "c.txt"));
  assert.deepEqual(await names(address, "Box"), ["b.txt", "c.txt"]);
  // A folder is not moved into itself, and a file takes nothing.
  await line(page, "Box").dragTo(line(page, "a.txt"));
  assert.deepEqual(await names(address), ["Box", "a.txt"]);
  await page.getByText("Box", { exact: true }).first().click();
  await line(page, "b.txt").dragTo(page.getByRole("navigation", { name: "Where you are" }).getByRole("link").first());
  await gone(line(page, "b.txt"));
  assert.deepEqual(await names(address), ["Box", "a.txt", "b.txt"]);
});

story(it, "a folder and what is shown large survive a reload, and the way back is as it was", async ({ open }) => {
  const address = await space("Reloaded");
  await it.alice.folder(address, "2026");
  await it.alice.put(address, "2026/poem 🌷 #1 50%.txt", "Roses are red.");
  const page = await open(it.alice, `/spaces/${address}`);
  await page.getByText("2026", { exact: true }).first().click();
  await page.getByText("poem 🌷 #1 50%.txt", { exact: true }).click();
  const preview = page.getByRole("dialog");
  await seen(preview.getByText("Roses are red."));
  await page.reload();
  await seen(preview.getByText("Roses are red."));
  await page.goBack();
  await gone(preview);
  await seen(line(page, "poem 🌷 #1 50%.txt"));
  await page.goBack();
  await seen(line(page, "2026"));
});

/** Bytes that all of the browser's processes hold. */
async function memory(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  // What they share counts once: proportional sizes.
  const of = ({ id }) => Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${id}/smaps_rollup`, "utf8"))?.[1] ?? 0) * 1024;
  return processInfo.reduce((sum, one) => sum + of(one), 0);
}

/** How large the file is; a gibibyte by hand: COBOX_UPLOAD=1073741824. */
const LARGE = Number(process.env.COBOX_UPLOAD ?? 64 << 20);

story(it, "a large file is uploaded without being held in the browser's memory", async ({ open }) => {
  const address = await space("Large");
  const path = join(it.world.folder, "large.bin");
  const file = openSync(path, "w");
  ftruncateSync(file, LARGE);
  closeSync(file);
  const page = await open(it.alice, `/spaces/${address}`);
  await seen(heading(page, "Large"));
  const before = await memory(it.browser);
  let most = 0;
  await page.locator("input[type=file]").first().setInputFiles(path);
  await until("all of it is there", async () => {
    most = Math.max(most, await memory(it.browser));
    return (await it.alice.call("GET", `/spaces/${address}`)).size === LARGE;
  }, 600_000);
  assert.ok(most - before < 48 << 20, `the browser grew by ${((most - before) / (1 << 20)).toFixed()} MiB`);
  await seen(line(page, "large.bin"));
});

story(it, "on a phone there is room for names, and a menu for the rest", async ({ open }) => {
  const address = await space("Small screen");
  await it.alice.put(address, `${"a very long name ".repeat(8)}.txt`, "x");
  await it.alice.folder(address, "مجلد العائلة");
  const page = await open(it.alice, `/spaces/${address}`, { viewport: PHONE, hasTouch: true, isMobile: true });
  await page.getByText("مجلد العائلة", { exact: true }).first().tap();
  await seen(page.getByText("Nothing in here yet"));
  await holds(page, () => document.documentElement.scrollWidth <= innerWidth);
});

story(it, "what another member uploads appears while one looks", async ({ open }) => {
  const address = await space("Together");
  const { publicKey } = await it.bob.call("GET", "/identities/current");
  const { code } = await it.alice.call("POST", `/spaces/${address}/invites`, { publicKey });
  const { hint } = await it.alice.call("GET", "/status");
  await it.bob.call("POST", "/spaces/join", { code, peers: [hint] });
  const page = await open(it.alice, `/spaces/${address}`);
  await seen(page.getByText("Nothing in here yet"));
  await it.bob.put(address, "from Bob.txt", "hello");
  await seen(line(page, "from Bob.txt"));
});
