// Names by hostile hands, and what the page may load.
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { PHONE, atHome, fits, heading, link, seen, stage, story } from "./stage.js";

const HANDLER = `<img src=x onerror="globalThis.hurt=1">`;
const SCRIPT = `${HANDLER}<script>globalThis.hurt=1</script>`;
const NAMES = [
  HANDLER,
  "{{ constructor.constructor('globalThis.hurt=1')() }}",
  "javascript:globalThis.hurt=1",
  "مساحة العائلة",
  "\u202egnp.erutcip",
  "👩‍👩‍👧‍👦 🎉",
  "long".repeat(24),
];

const it = stage(async ({ world }) => {
  [it.alice, it.mallory] = [await world.member("Alice"), await world.member("Mallory")];
  const { hint } = await it.alice.call("GET", "/status");
  const { publicKey } = await it.mallory.call("GET", "/identities/current");
  await it.mallory.call("PATCH", "/identities/current", { name: HANDLER });
  it.spaces = [];
  for (const name of NAMES) {
    const { address } = await it.alice.call("POST", "/spaces", { name });
    it.spaces.push(address);
    for (const file of NAMES) await it.alice.put(address, file, SCRIPT);
    await it.alice.putBytes(address, "%FF%FE%80 no text", SCRIPT);
  }
  const [address] = it.spaces;
  const { code } = await it.alice.call("POST", `/spaces/${address}/invites`, { publicKey });
  await it.mallory.call("POST", "/spaces/join", { code, peers: [hint] });
  await it.mallory.call("POST", `/spaces/${address}/messages`, { text: SCRIPT });
});

const TABS = ["", "/history", "/conflicts", "/members", "/messages", "/health", "/settings"];

async function unhurt(page) {
  assert.equal(await page.evaluate(() => globalThis.hurt), undefined);
  await fits(page);
}

story(it, "hostile names at home run nothing and push nothing apart", async ({ open }) => {
  for (const viewport of [undefined, PHONE]) {
    const page = await open(it.alice, "/", { viewport });
    await atHome(page, "Alice");
    for (const name of NAMES) await seen(page.getByText(name, { exact: true }));
    await unhurt(page);
  }
});

story(it, "hostile names in every part of a space run nothing and push nothing apart", async ({ open }) => {
  const page = await open(it.alice, "/", { viewport: PHONE });
  for (const [n, address] of it.spaces.entries()) {
    // All parts of the worst, the first part of the others.
    for (const tab of n === 0 ? TABS : TABS.slice(0, 1)) {
      await page.goto(`${it.alice.url}/spaces/${address}${tab}`);
      await seen(heading(page, NAMES[n]));
      await page.waitForLoadState("networkidle");
      await unhurt(page);
    }
  }
});

story(it, "a name that turns the reading direction turns no other words", async ({ open }) => {
  const page = await open(it.alice);
  const line = link(page, /gnp\.erutcip/);
  await seen(line);
  const isolated = await line.locator("bdi").first().evaluate((name) => getComputedStyle(name).unicodeBidi);
  assert.match(isolated, /isolate/);
});

story(it, "a member's name is shown as it is, everywhere", async ({ open }) => {
  const page = await open(it.mallory);
  await atHome(page, HANDLER);
  await unhurt(page);
});

story(it, "what is loaded at first is small, and all of it comes from the program", async ({ open, visit }) => {
  const context = await visit.it.browser.newContext();
  const page = await context.newPage();
  const bodies = [];
  page.on("response", (response) => {
    if (!new URL(response.url()).pathname.startsWith("/api")) bodies.push(response.body());
  });
  await page.goto(it.alice.url);
  await atHome(page, "Alice");
  await page.evaluate(() => document.fonts.ready);
  const sizes = (await Promise.all(bodies)).map((body) => gzipSync(body).length);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(sizes.length > 3 && total < 150_000, `${total} bytes in ${sizes.length} files`);
  await context.close();
});

story(it, "what another page sends here is refused, and a frame shows nothing", async ({ visit }) => {
  const context = await visit.it.browser.newContext();
  const page = await context.newPage();
  // Another program of this machine serves a page that means no good.
  const server = await it.world.page(`<iframe src="${it.alice.url}/"></iframe>`);
  await page.goto(server.url);
  const call = (path) => page.evaluate(async (to) => fetch(to, { method: "POST", credentials: "include", mode: "no-cors" }).then((r) => r.type), path);
  await call(`${it.alice.url}/api/auth/here`);
  await call(`${it.alice.url}/api/stop`);
  assert.equal((await it.alice.call("GET", "/status")).name, "Alice");
  const frame = page.frames().find((one) => one !== page.mainFrame());
  assert.ok(!(await frame.content()).includes("CoBox"));
  assert.deepEqual(await context.cookies(it.alice.url), []);
  await context.close();
});
