// Two people in one space: invited, joined, talking, and leaving, all by clicking.
import assert from "node:assert/strict";
import { until } from "../scripts/world.js";
import { atHome, button, gone, heading, link, seen, stage, story } from "./stage.js";

const it = stage(async ({ world }) => {
  [it.alice, it.bob] = [await world.member("Alice"), await world.member("Bob")];
});
const CLIPBOARD = { permissions: ["clipboard-read", "clipboard-write"] };

/** Alice's new space, with Bob in it. */
async function shared(name) {
  const { address } = await it.alice.call("POST", "/spaces", { name });
  const { publicKey } = await it.bob.call("GET", "/identities/current");
  const { code } = await it.alice.call("POST", `/spaces/${address}/invites`, { publicKey });
  const { hint } = await it.alice.call("GET", "/status");
  await it.bob.call("POST", "/spaces/join", { code, peers: [hint] });
  await until("Alice sees Bob", async () => (await it.alice.call("GET", `/spaces/${address}/members`)).some((one) => one.name === "Bob" && one.standing === "joined"));
  return address;
}

story(it, "Bob sends his key, Alice makes a code, Bob is in", async ({ open }) => {
  const [alices, bobs] = [await open(it.alice, "/", CLIPBOARD), await open(it.bob, "/", CLIPBOARD)];
  await atHome(bobs, "Bob");
  await link(bobs, "Profile").click();
  await button(bobs, "Copy: Your public key").click();
  await seen(bobs.getByText("Copied: Your public key"));
  const key = await bobs.evaluate(() => navigator.clipboard.readText());
  await atHome(alices, "Alice");
  await button(alices, "Create a space").click();
  await alices.getByLabel("Name of the space").fill("Allotment");
  await button(alices.getByRole("dialog"), "Create a space").click();
  await seen(heading(alices, "Allotment"));
  await link(alices, "Members").click();
  await button(alices, "Invite somebody").click();
  const dialog = alices.getByRole("dialog");
  await dialog.getByLabel("Their public key").fill(key);
  await seen(dialog.getByText("add, change, move and delete files", { exact: false }));
  await button(dialog, "Make the code").click();
  const code = await dialog.getByRole("region", { name: "Invite code" }).innerText();
  await seen(dialog.getByRole("img", { name: /QR code/ }));
  await button(dialog, "Done").click();
  await link(bobs, "Home").click();
  await button(bobs, "Join by code").first().click();
  await bobs.getByRole("dialog").getByLabel("Invite code").fill(code);
  await button(bobs.getByRole("dialog"), "Join by code").click();
  await seen(heading(bobs, "Allotment"));
  await link(bobs, "Members").click();
  await seen(bobs.getByText("invited by Alice"));
  await seen(alices.getByText("invited by you"));
  await seen(alices.getByText("2 members"));
});

story(it, "what is no public key is refused in words, before anything is done", async ({ open }) => {
  const { address } = await it.alice.call("POST", "/spaces", { name: "Careful" });
  const page = await open(it.alice, `/spaces/${address}/members`);
  await button(page, "Invite somebody").click();
  await page.getByLabel("Their public key").fill("Bob");
  await button(page, "Make the code").click();
  await seen(page.getByRole("alert"));
  const members = await it.alice.call("GET", `/spaces/${address}/members`);
  assert.equal(members.length, 1);
});

story(it, "messages arrive while one looks, and a sealed one reaches only whom it is for", async ({ open }) => {
  const address = await shared("Talk");
  const [alices, bobs] = [await open(it.alice, `/spaces/${address}/messages`), await open(it.bob, `/spaces/${address}/messages`)];
  await alices.getByLabel("Your message").fill("Who has the tent? 🏕️ <b>bold</b>");
  await alices.keyboard.press("Enter");
  await seen(alices.getByRole("log").getByText("Who has the tent? 🏕️ <b>bold</b>"));
  await seen(bobs.getByRole("log").getByText("Who has the tent? 🏕️ <b>bold</b>"));
  await bobs.getByLabel("To", { exact: true }).selectOption({ label: "Alice alone" });
  await bobs.getByLabel("Your message").fill("I have, but do not tell.");
  await button(bobs, "Send").click();
  await seen(alices.getByRole("log").getByText("I have, but do not tell."));
  await seen(alices.getByRole("log").getByText(/to you alone/));
});

story(it, "a space is renamed for all, and its wish for copies too", async ({ open }) => {
  const address = await shared("Old name");
  const [alices, bobs] = [await open(it.alice, `/spaces/${address}/settings`), await open(it.bob, `/spaces/${address}/settings`)];
  await seen(heading(bobs, "Old name"));
  await alices.getByRole("textbox", { name: "Name", exact: true }).fill("New name");
  await button(alices, "Save").first().click();
  await seen(heading(alices, "New name"));
  await seen(heading(bobs, "New name"));
  await alices.getByLabel(/^Copies wanted/).fill("2");
  await button(alices, "Save").last().click();
  await until("the wish is written", async () => (await it.bob.call("GET", `/spaces/${address}/health`)).threshold === 2);
});

story(it, "leaving says what is lost, wants the name typed, and others see it", async ({ open, allow }) => {
  // What was on its way when the space went is not found any more.
  allow(/status of 404/);
  const address = await shared("Enough");
  await it.alice.put(address, "only here.txt", "x");
  const [bobs, alices] = [await open(it.bob, `/spaces/${address}/settings`), await open(it.alice, `/spaces/${address}/members`)];
  await button(bobs, "Leave this space …").click();
  const dialog = bobs.getByRole("dialog");
  await seen(dialog.getByText("What is lost"));
  const leave = button(dialog, "Leave and delete");
  assert.ok(await leave.isDisabled());
  await dialog.getByLabel(/To go on, type/).fill("enough");
  assert.ok(await leave.isDisabled());
  await dialog.getByLabel(/To go on, type/).fill("Enough");
  await leave.click();
  await atHome(bobs, "Bob");
  await gone(link(bobs, /Enough/));
  await seen(alices.getByRole("heading", { name: /Have left/ }));
  assert.ok(!(await it.bob.call("GET", "/spaces")).some((space) => space.address === address));
});
