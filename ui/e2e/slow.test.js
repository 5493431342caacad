// A slow line: what waits is said, nothing is done twice, long things show how far they are and can be stopped.
import assert from "node:assert/strict";
import { until } from "../scripts/world.js";
import { atHome, button, gone, heading, link, seen, spaceLine, stage, story } from "./stage.js";

const it = stage(async ({ world }) => {
  it.alice = await world.member("Alice");
});

/** From now on the page's line has this many bytes a second, and each call takes so much longer (ms). */
async function slow(page, rate, latency = 0) {
  const line = await page.context().newCDPSession(page);
  const of = (bytes) => line.send("Network.emulateNetworkConditions", { offline: false, latency, downloadThroughput: bytes, uploadThroughput: bytes });
  await of(rate);
  return { mend: () => of(-1) };
}

async function space(name) {
  return (await it.alice.call("POST", "/spaces", { name })).address;
}

const KIB = 1 << 10;
const bytes = (length) => ({ name: "long.bin", mimeType: "application/octet-stream", buffer: Buffer.alloc(length, 7) });
const names = async (address) => (await it.alice.call("GET", `/spaces/${address}/drive?path=`)).children.map((entry) => entry.name);

story(it, "a page that waits says so, and is not empty by mistake", async ({ open }) => {
  const address = await space("Far away");
  await it.alice.put(address, "poem.txt", "roses");
  const page = await open(it.alice);
  await atHome(page, "Alice");
  await seen(spaceLine(page, /Far away/));
  const { mend } = await slow(page, 200 * KIB, 3000);
  await spaceLine(page, /Far away/).click();
  await seen(page.getByRole("status").getByText("Loading …"));
  assert.equal(await page.getByText("Nothing in here yet").count(), 0);
  await seen(page.getByText("poem.txt", { exact: true }));
  await gone(page.getByText("Loading …"));
  await mend();
});

story(it, "an impatient person who presses twice makes one space", async ({ open }) => {
  const page = await open(it.alice);
  await atHome(page, "Alice");
  const asked = [];
  page.on("request", (request) => request.method() === "POST" && asked.push(request.url()));
  await slow(page, 200 * KIB, 1500);
  await button(page, "New space").first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name of the space").fill("Once");
  const create = button(dialog, "Create a space");
  await create.dblclick();
  await page.keyboard.press("Enter");
  assert.ok(await create.isDisabled(), "it waits, and shows that");
  assert.equal(await create.getAttribute("aria-busy"), "true");
  await seen(heading(page, "Once"));
  assert.equal(asked.length, 1);
  const spaces = await it.alice.call("GET", "/spaces");
  assert.equal(spaces.filter((one) => one.name.startsWith("Once")).length, 1);
});

story(it, "an upload on a slow line shows how far it is, is stopped, and leaves nothing behind", async ({ open }) => {
  const address = await space("Slow upload");
  const page = await open(it.alice, `/spaces/${address}`);
  await seen(page.getByText("Nothing in here yet"));
  await slow(page, 256 * KIB);
  await page.locator("input[type=file]").first().setInputFiles([bytes(24 << 20)]);
  const uploads = page.getByRole("region", { name: "Uploads" });
  const bar = uploads.getByRole("progressbar");
  const part = async () => Number(await bar.getAttribute("aria-valuenow"));
  await until("it moves", async () => (await part()) >= 2);
  const before = await part();
  await until("it moves on", async () => (await part()) > before);
  assert.ok((await part()) < 100);
  await button(uploads, "Stop: long.bin").click();
  await gone(uploads);
  await page.reload();
  await seen(page.getByText("Nothing in here yet"));
  assert.deepEqual(await names(address), []);
});

story(it, "who leaves while something is uploaded is asked, and told afterwards what was not", async ({ open, allow, visit }) => {
  allow(/leaving/);
  const address = await space("Cut off");
  await it.alice.folder(address, "2026");
  const page = await open(it.alice, `/spaces/${address}?path=2026`);
  await seen(page.getByText("Nothing in here yet"));
  await slow(page, 64 * KIB);
  await page.locator("input[type=file]").first().setInputFiles([bytes(8 << 20)]);
  const uploads = page.getByRole("region", { name: "Uploads" });
  await seen(button(uploads, "Stop: long.bin"));
  // Browsers only ask people who have done something in the page.
  await page.getByText("Nothing in here yet").click();
  await page.reload();
  assert.ok(visit.complaints.some((text) => text.startsWith("leaving")), "the browser asks before it leaves");
  await seen(uploads.getByText("1 file was not uploaded"));
  await seen(uploads.getByText("long.bin"));
  await link(uploads, "Choose them again").click();
  await gone(uploads);
  assert.deepEqual(await it.alice.call("GET", `/spaces/${address}/drive?path=2026`).then((folder) => folder.children), []);
  await page.reload();
  await seen(page.getByText("Nothing in here yet"));
  assert.equal(await uploads.count(), 0, "told once");
});
