// The past of a space: versions, what was deleted, and what two people changed apart.
import assert from "node:assert/strict";
import { until } from "../scripts/world.js";
import { button, gone, link, seen, stage, story } from "./stage.js";

const it = stage(async ({ world }) => {
  [it.alice, it.bob] = [await world.member("Alice"), await world.member("Bob")];
});

async function space(name) {
  return (await it.alice.call("POST", "/spaces", { name })).address;
}

async function read(node, address, path) {
  const url = `${node.url}/api/spaces/${address}/files?path=${encodeURIComponent(path)}`;
  const answer = await fetch(url, { headers: { authorization: `Bearer ${node.token}` } });
  return answer.ok ? answer.text() : undefined;
}

/** A space in which Alice and Bob wrote the same file while they were apart. */
async function writtenApart(name) {
  const address = await space(name);
  await it.alice.put(address, "plan.txt", "Tomatoes.\n");
  const { publicKey } = await it.bob.call("GET", "/identities/current");
  const { code } = await it.alice.call("POST", `/spaces/${address}/invites`, { publicKey });
  await it.bob.call("POST", "/spaces/join", { code, peers: [(await it.alice.call("GET", "/status")).hint] });
  await until("Bob has the file", async () => (await read(it.bob, address, "plan.txt")) === "Tomatoes.\n");
  await it.bob.stop();
  await it.alice.put(address, "plan.txt", "Tomatoes and beans.\n");
  await it.alice.stop();
  await it.bob.start();
  await it.bob.put(address, "plan.txt", "Potatoes.\n");
  await it.alice.start();
  await until("Alice sees the conflict", async () => (await it.alice.call("GET", `/spaces/${address}`)).conflicts > 0);
  return address;
}

story(it, "an older version is compared and brought back", async ({ open }) => {
  const address = await space("Versions");
  await it.alice.put(address, "plan.txt", "one\ntwo\nthree\n");
  await it.alice.put(address, "plan.txt", "one\n2\nthree\n");
  const page = await open(it.alice, `/spaces/${address}`);
  await button(page, "More: plan.txt").click();
  await page.getByRole("menuitem", { name: "Versions" }).click();
  await page.getByRole("button", { name: /^Compare:/ }).last().click();
  const dialog = page.getByRole("dialog");
  await seen(dialog.getByRole("cell", { name: /two$/ }));
  await seen(dialog.getByRole("cell", { name: /: 2$/ }));
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: /^Bring back:/ }).last().click();
  await seen(page.getByText("plan.txt is back."));
  assert.equal(await read(it.alice, address, "plan.txt"), "one\ntwo\nthree\n");
});

story(it, "what was deleted is listed and brought back", async ({ open }) => {
  const address = await space("Trash");
  await it.alice.put(address, "poem.txt", "roses");
  await it.alice.call("DELETE", `/spaces/${address}/files?path=poem.txt`);
  const page = await open(it.alice, `/spaces/${address}/history`);
  await seen(link(page, "poem.txt"));
  await button(page, "Bring back").first().click();
  await gone(link(page, "poem.txt"));
  assert.equal(await read(it.alice, address, "poem.txt"), "roses");
});

story(it, "a conflict shows who wrote what, side by side, and one version is kept for all", async ({ open, allow }) => {
  allow(/status of 404/);
  const address = await writtenApart("Allotment");
  const page = await open(it.alice);
  await link(page, /conflict in Allotment/).click();
  await seen(page.getByText("This file was written twice at the same time."));
  await seen(page.getByText("Potatoes.", { exact: false }));
  await seen(page.getByText("Tomatoes and beans.", { exact: false }));
  await button(page, "Keep this one: Bob").click();
  await seen(page.getByText("No conflicts"));
  for (const node of [it.alice, it.bob]) {
    await until("Bob's version counts", async () => (await read(node, address, "plan.txt")) === "Potatoes.\n");
  }
});

story(it, "both versions of a conflict are kept beside each other", async ({ open, allow }) => {
  allow(/status of 404/);
  const address = await writtenApart("Orchard");
  const page = await open(it.alice, `/spaces/${address}/conflicts`);
  await button(page, "Keep both").click();
  await seen(page.getByText("No conflicts"));
  const { children } = await it.alice.call("GET", `/spaces/${address}/drive?path=`);
  const texts = await Promise.all(children.map((one) => read(it.alice, address, one.name)));
  assert.deepEqual(texts.sort(), ["Potatoes.\n", "Tomatoes and beans.\n"]);
});
