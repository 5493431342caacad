// A device on the network: set up, told to keep a space, shown to somebody else, and the health that comes of it.
import assert from "node:assert/strict";
import { until } from "../scripts/world.js";
import { button, gone, heading, link, seen, stage, story } from "./stage.js";

const it = stage(async ({ world }) => {
  [it.alice, it.bob] = [await world.member("Alice"), await world.member("Bob")];
  it.address = (await it.alice.call("POST", "/spaces", { name: "Family photos" })).address;
  await it.alice.put(it.address, "may.txt", "x".repeat(50_000));
  it.attic = await world.device("attic");
});

story(it, "a device that waits is seen by itself and set up", async ({ open }) => {
  const page = await open(it.alice, "/devices");
  await page.getByRole("button", { name: /^Set up.*attic/ }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name for it").fill("Attic");
  await button(dialog, "Set it up").click();
  await seen(heading(page, "Attic"));
  await seen(page.getByText("You are the only one who commands it."));
  const [device] = await it.alice.call("GET", "/devices");
  assert.equal(device.name, "Attic");
});

story(it, "it keeps a space, says how far it is, and the space becomes safe", async ({ open }) => {
  const [device] = await it.alice.call("GET", "/devices");
  const [page, health] = [await open(it.alice, `/devices/${device.address}`), await open(it.alice, `/spaces/${it.address}/health`)];
  await button(page, "Keep a space").first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Space", { exact: true }).selectOption({ label: "Family photos" });
  await button(dialog, "Keep it").click();
  await gone(dialog);
  await seen(page.getByText(/has everything/));
  await seen(health.getByText("Safe"));
  await seen(page.getByText("Keep Family photos"));
  await seen(page.getByText("done", { exact: true }));
});

story(it, "it is shown to one more administrator, with a warning while it lasts, and hidden again", async ({ open }) => {
  const [device] = await it.alice.call("GET", "/devices");
  const [page, bobs] = [await open(it.alice, `/devices/${device.address}`), await open(it.bob, "/devices")];
  await button(page, "Let one more administrator in").click();
  await seen(page.getByRole("alert").getByText("Everybody on its network sees this device now"));
  await seen(bobs.getByText("lets one more administrator in"));
  await button(page, "Hide now").click();
  await gone(page.getByText("Everybody on its network sees this device now"));
  await gone(bobs.getByText("lets one more administrator in"));
});

story(it, "a second administrator joins by code, from anywhere", async ({ open }) => {
  const [device] = await it.alice.call("GET", "/devices");
  const [page, bobs] = [await open(it.alice, `/devices/${device.address}`), await open(it.bob, "/devices")];
  const { publicKey } = await it.bob.call("GET", "/identities/current");
  await button(page, "Add an administrator").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Their public key").fill(publicKey);
  await button(dialog, "Make the code").click();
  const code = await dialog.getByRole("region", { name: "Invite code" }).innerText();
  await button(dialog, "Done").click();
  await button(bobs, "Add a device").first().click();
  const adding = bobs.getByRole("dialog");
  await adding.locator("label", { hasText: "I have an invite code" }).click();
  await adding.getByRole("textbox", { name: "Invite code" }).fill(code);
  await button(adding, "Join").click();
  await until("Bob commands it", async () => (await it.bob.call("GET", "/devices")).some((one) => one.admin));
  await seen(page.getByText("added by Alice"));
});

story(it, "it stops keeping a space only after the name is typed, and after saying that it was the last copy", async ({ open }) => {
  const [device] = await it.alice.call("GET", "/devices");
  const page = await open(it.alice, `/devices/${device.address}`);
  await button(page, "What can be done with Family photos").click();
  await page.getByRole("menuitem", { name: "Stop keeping it" }).click();
  const dialog = page.getByRole("dialog");
  await seen(dialog.getByText(/only complete copy/));
  await dialog.getByLabel(/To go on, type/).fill("Family photos");
  await button(dialog, "Stop keeping it").click();
  await seen(page.getByText("It keeps nothing yet"));
  const replicates = async () => (await it.alice.call("GET", `/devices/${device.address}`)).replicates;
  await until("the device has heard of it", async () => (await replicates()).length === 0);
});

story(it, "who opens the device itself reads what it is and where to go, in both themes", async ({ open }) => {
  for (const theme of ["light", "dark"]) {
    const page = await open(it.attic, "/", { theme });
    await seen(heading(page, "This is a CoBox device"));
    assert.equal(await link(page, "localhost:9112").first().getAttribute("href"), "http://localhost:9112");
    assert.ok(!(await page.content()).includes("Attic"));
  }
});
