// Profile, settings, about: who we are and how this program is.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { atHome, button, gone, heading, holds, link, seen, stage, story } from "./stage.js";

const it = stage(async ({ world }) => {
  it.alice = await world.member("Alice");
});

story(it, "a new name is saved and greets us", async ({ open }) => {
  const page = await open(it.alice, "/profile");
  await page.getByLabel("Your name").fill("Alicia");
  await button(page, "Save").click();
  await seen(link(page, /Alicia/));
  await link(page, "Home").click();
  await atHome(page, "Alicia");
  await it.alice.call("PATCH", "/identities/current", { name: "Alice" });
});

story(it, "the public key is shown whole, and as a picture for a phone", async ({ open }) => {
  const page = await open(it.alice, "/profile");
  const { publicKey } = await it.alice.call("GET", "/identities/current");
  await seen(page.getByText(publicKey));
  await button(page, "Show QR code: Your public key").click();
  const picture = page.getByRole("dialog").getByRole("img");
  await seen(picture);
  await holds(page, () => document.querySelector("dialog[open] img").naturalWidth > 0);
});

story(it, "colours and language are chosen, kept, and come without a flash", async ({ open }) => {
  const page = await open(it.alice, "/profile", { theme: "light" });
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  await seen(heading(page, "Profile"));
  const light = await ground();
  await page.getByLabel("Colours").selectOption("dark");
  await holds(page, (was) => getComputedStyle(document.documentElement).backgroundColor !== was, light);
  const dark = await ground();
  await page.getByLabel("Language").selectOption("de");
  await seen(heading(page, "Profil"));
  await page.reload();
  await seen(heading(page, "Profil"));
  assert.equal(await ground(), dark);
  await page.getByLabel("Farben").selectOption("system");
  await holds(page, (was) => getComputedStyle(document.documentElement).backgroundColor === was, light);
});

story(it, "logging out shows nothing more, and coming in again is one press", async ({ open }) => {
  const page = await open(it.alice, "/profile");
  await button(page, "Log out").click();
  await seen(heading(page, "You are logged out"));
  assert.ok(!(await page.content()).includes("Alice"));
  await button(page, "Come in again").click();
  await seen(heading(page, "Profile"));
});

story(it, "a password is set and changed in the page, and others must know it then", async ({ open, allow }) => {
  allow(/status of (400|429)/);
  const rosa = await it.world.member("Rosa");
  const page = await open(rosa, "/profile");
  await button(page, "Set a password").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("New password").fill("correct horse");
  await button(dialog, "Set a password").click();
  await seen(page.getByText("The password is set."));
  const other = await open(rosa);
  await seen(heading(other, "Welcome back"));
  await button(page, "Change the password").click();
  await dialog.getByLabel("Password until now").fill("wrong horse");
  await dialog.getByLabel("New password").fill("battery staple");
  await button(dialog, "Change the password").click();
  await seen(dialog.getByRole("alert"));
  await dialog.getByLabel("Password until now").fill("correct horse");
  await button(dialog, "Change the password").click();
  await gone(dialog);
  await other.getByLabel("Password", { exact: true }).fill("battery staple");
  await button(other, "Log in").click();
  await atHome(other, "Rosa");
});

story(it, "a setting is changed, said to count later, and put back", async ({ open }) => {
  const page = await open(it.alice, "/settings");
  const config = () => readFile(join(it.alice.home, "config.yaml"), "utf8");
  await page.getByLabel("Use the local network").uncheck();
  await seen(page.getByText("It counts from the next start."));
  assert.match(await config(), /^lan: false$/m);
  await page.getByLabel("Use the local network").check();
  await page.getByLabel("Port", { exact: true }).fill("9113");
  await button(page, "Save: Port").click();
  await seen(button(page, "As usual: Port"));
  assert.match(await config(), /^port: 9113$/m);
  await button(page, "As usual: Port").click();
  await gone(button(page, "As usual: Port"));
  assert.match(await config(), /^#port/m);
});

story(it, "a setting that cannot be is refused at its field", async ({ open, allow }) => {
  allow(/status of 400/);
  const page = await open(it.alice, "/settings");
  await page.getByLabel("Port", { exact: true }).fill("many");
  await button(page, "Save: Port").click();
  await seen(page.getByRole("alert").getByText(/a number from 0 to 65535/));
});

story(it, "a report of a problem says versions and counts, and nothing of ours", async ({ open }) => {
  await it.alice.call("POST", "/spaces", { name: "Secret plans" });
  const page = await open(it.alice, "/about", { permissions: ["clipboard-read", "clipboard-write"] });
  await page.getByLabel(/last lines of the log/).check();
  await button(page, "Copy the text").click();
  await seen(page.getByText("The report is copied."));
  const text = await page.evaluate(() => navigator.clipboard.readText());
  const { publicKey, version, home } = await it.alice.call("GET", "/status");
  assert.match(text, new RegExp(`CoBox ${version.replaceAll(".", "\\.")}`));
  for (const secret of ["Alice", "Secret plans", publicKey, home]) assert.ok(!text.includes(secret), secret);
});
