// Getting in, staying in, being shut out; and a program that goes away.
import assert from "node:assert/strict";
import { atHome, button, gone, heading, link, seen, stage, story } from "./stage.js";

const it = stage(async ({ world }) => {
  it.alice = await world.member("Alice");
  it.locked = await world.member("Lena");
  await it.locked.call("POST", "/register", { password: "correct horse" });
});
const PASSWORD = "correct horse";

async function logIn(page, password = PASSWORD) {
  await page.getByLabel("Password", { exact: true }).fill(password);
  await button(page, "Log in").click();
}

story(it, "the first start asks for a name and nothing else", async ({ open }) => {
  const fresh = await it.world.fresh();
  const page = await open(fresh);
  await seen(heading(page, "Welcome to CoBox"));
  assert.ok(await button(page, "Begin").isDisabled());
  await page.getByLabel(/known to your friends/).fill("Frida 🌻");
  await button(page, "Begin").click();
  await atHome(page, "Frida 🌻");
  assert.equal((await fresh.call("GET", "/status")).name, "Frida 🌻");
  await seen(page.getByText("No space yet"));
  await page.reload();
  await atHome(page, "Frida 🌻");
});

story(it, "a password can be set at the first start, and is asked for from then on", async ({ open }) => {
  const fresh = await it.world.fresh();
  const page = await open(fresh);
  await page.getByLabel(/known to your friends/).fill("Gerda");
  await page.getByRole("switch").check();
  await page.getByLabel("Password", { exact: true }).fill("battery staple");
  await button(page, "Begin").click();
  await atHome(page, "Gerda");
  const other = await open(fresh);
  await seen(heading(other, "Welcome back"));
  assert.ok(!(await other.content()).includes("Gerda"));
});

story(it, "a password logs in, to the page that was wanted; a wrong one says so", async ({ open }) => {
  const page = await open(it.locked, "/devices");
  await seen(heading(page, "Welcome back"));
  await logIn(page, "wrong horse");
  await seen(page.getByRole("alert"));
  await logIn(page);
  await seen(heading(page, "Devices"));
  assert.equal(new URL(page.url()).pathname, "/devices");
  const cookies = await page.context().cookies();
  assert.ok(cookies.every((cookie) => cookie.httpOnly && cookie.sameSite === "Strict"));
});

story(it, "a ticket from the command line lets in one browser, once", async ({ open }) => {
  const { url } = await it.locked.cli("open", "--print");
  const path = url.slice(it.locked.url.length);
  const page = await open(it.locked, path);
  await atHome(page, "Lena");
  assert.equal(new URL(page.url()).hash, "");
  const late = await open(it.locked, path);
  await seen(late.getByText(/that ticket was used/i));
  const again = await it.locked.cli("open", "--print");
  await late.goto(again.url);
  await atHome(late, "Lena");
});

story(it, "a session that ends asks for the password, and the page is as it was", async ({ open }) => {
  const page = await open(it.locked);
  await logIn(page);
  await atHome(page, "Lena");
  await link(page, "Network").first().click();
  await seen(heading(page, "Network"));
  await it.locked.call("DELETE", "/auth/sessions");
  await link(page, "Home").first().click();
  await seen(heading(page, "Welcome back"));
  await logIn(page);
  await atHome(page, "Lena");
});

story(it, "a session that ends without a password is opened again, unnoticed", async ({ open }) => {
  const page = await open(it.alice);
  await atHome(page, "Alice");
  await it.alice.call("DELETE", "/auth/sessions");
  await button(page, "Create a space").click();
  await page.getByLabel("Name of the space").fill("After all");
  await button(page.getByRole("dialog"), "Create a space").click();
  await seen(heading(page, "After all"));
});

story(it, "a program that stops is missed, and found again with what happened meanwhile", async ({ open, allow }) => {
  allow(/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|WebSocket/);
  const olga = await it.world.member("Olga", { stays: true });
  const page = await open(olga);
  await atHome(page, "Olga");
  await olga.stop();
  await seen(page.getByRole("alert").getByText(/does not answer/));
  await atHome(page, "Olga");
  await olga.start();
  await olga.call("POST", "/spaces", { name: "Made meanwhile" });
  await button(page, "Try now").click();
  await gone(page.getByRole("alert"));
  await seen(link(page, /Made meanwhile/));
  await seen(page.getByText("CoBox is back."));
});

story(it, "addresses that lead nowhere say so and lead home", async ({ open }) => {
  const page = await open(it.alice, "/no/such/place");
  await seen(heading(page, "There is nothing here"));
  await link(page, "Go home").click();
  await atHome(page, "Alice");
  await page.goBack();
  await seen(heading(page, "There is nothing here"));
});

story(it, "German is spoken to those who want it", async ({ open }) => {
  const page = await open(it.alice, "/", { locale: "de-AT" });
  await seen(heading(page, "Hallo, Alice"));
  assert.equal(await page.getAttribute("html", "lang"), "de");
});
