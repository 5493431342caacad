// Every page, in both themes and on a phone: no barrier that axe-core knows, nothing wider than the window, one heading.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { lived } from "../scripts/world.js";
import { DESKTOP, PHONE, fits, seen, stage, story } from "./stage.js";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const it = stage(async () => {
  await it.world.end();
  Object.assign(it, await lived());
  it.fresh = await it.world.fresh();
  it.locked = await it.world.member("Lena");
  await it.locked.call("POST", "/register", { password: "correct horse" });
  [it.device] = await it.alice.call("GET", "/devices");
});

const SPACE = ["", "/history", "/conflicts", "/members", "/messages", "/health", "/settings"];
const OTHERS = ["/", "/health", "/devices", "/network", "/profile", "/settings", "/about", "/restore", "/no/such/place"];

async function look(page, path) {
  await seen(page.locator("h1"));
  await page.waitForLoadState("networkidle");
  assert.equal(await page.locator("h1").count(), 1, `${path}: headings`);
  await fits(page);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const found = violations.map((one) => `${path}: ${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`);
  assert.deepEqual(found, []);
}

story(it, "the first page and every part of a space have no barriers in German", async ({ open }) => {
  const page = await open(it.alice, "/", { locale: "de-DE", viewport: PHONE });
  for (const path of ["/", ...SPACE.map((tab) => `/spaces/${it.spaces["Allotment"]}${tab}`), "/profile"]) {
    await page.goto(it.alice.url + path);
    await look(page, path);
    assert.equal(await page.getAttribute("html", "lang"), "de");
  }
});

story(it, "the plain page of a device has no barriers", async ({ open }) => {
  for (const theme of ["light", "dark"]) {
    const page = await open(it.attic, "/", { theme, viewport: PHONE });
    await seen(page.locator("h1"));
    await fits(page);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
    assert.deepEqual(violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`), []);
  }
});

for (const theme of ["light", "dark"]) {
  for (const [size, viewport] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
    story(it, `every page has no barriers: ${theme}, ${size}`, async ({ open }) => {
      const [photos, allotment] = [it.spaces["Family photos"], it.spaces["Allotment"]];
      const paths = [...OTHERS, ...[photos, allotment].flatMap((space) => SPACE.map((tab) => `/spaces/${space}${tab}`)), `/devices/${it.device.address}`];
      const page = await open(it.alice, "/", { theme, viewport });
      for (const path of paths) {
        await page.goto(it.alice.url + path);
        await look(page, path);
      }
      for (const node of [it.fresh, it.locked]) await look(await open(node, "/", { theme, viewport }), "the door");
    });
  }
}
