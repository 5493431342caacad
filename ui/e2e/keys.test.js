// Keys outside of this machine: on paper, in a file; and the password that locks those in it.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { until } from "../scripts/world.js";
import { atHome, button, gone, heading, link, seen, spaceLine, stage, story } from "./stage.js";

const it = stage();
const PASSWORD = "correct horse";
/** What a page says whose program has gone. */
const STOPPED = /ERR_CONNECTION|ERR_EMPTY_RESPONSE|WebSocket/;
const POEM = "Roses are red.\n";

/** Somebody with a space that a replicator keeps, so that the space can come back without them. */
async function lived(name, space) {
  const [who, keeper] = [await it.world.member(name), await it.world.member(`${name}'s keeper`)];
  const { address } = await who.call("POST", "/spaces", { name: space });
  await who.put(address, "poem.txt", POEM);
  await keeper.call("POST", "/replicas", { address, peers: [(await who.call("GET", "/status")).hint] });
  await until("the copy is complete", async () => (await who.call("GET", `/spaces/${address}/health`)).complete > 0);
  return { who, keeper, address };
}

/** Presses a button that saves a file, and answers where it is. */
async function saved(page, pressed, name) {
  const coming = page.waitForEvent("download");
  await pressed.click();
  const path = join(it.world.folder, name);
  await (await coming).saveAs(path);
  return path;
}

const textOf = (pdf) => execFileSync("pdftotext", [pdf, "-"], { encoding: "utf8" });

/** What a phone reads from the sheet. */
function codesOf(pdf) {
  const folder = join(it.world.folder, "codes");
  mkdirSync(folder);
  execFileSync("pdftoppm", ["-r", "150", "-gray", "-png", pdf, join(folder, "page")]);
  const pages = readdirSync(folder).filter((name) => name.endsWith(".png"));
  // A page without a code is a failure to it.
  const scan = (name) => spawnSync("zbarimg", ["-q", "--raw", join(folder, name)], { encoding: "utf8" }).stdout;
  return pages.map(scan).join("\n");
}

async function poem(node, address) {
  const url = `${node.url}/api/spaces/${address}/files?path=poem.txt`;
  const answer = await fetch(url, { headers: { authorization: `Bearer ${node.token}` } });
  return answer.ok ? answer.text() : undefined;
}

async function logIn(page, password) {
  await page.getByLabel("Password", { exact: true }).fill(password);
  await button(page, "Log in").click();
}

story(it, "who has never printed their keys is asked to, once more when a space was added, and not after that", async ({ open }) => {
  const ida = await it.world.member("Ida");
  const page = await open(ida);
  await atHome(page, "Ida");
  await seen(page.getByText("No space yet"));
  assert.equal(await page.getByText("Back up your keys").count(), 0, "nothing can be lost yet");
  await ida.call("POST", "/spaces", { name: "Choir" });
  await link(page, /Back up your keys/).click();
  await seen(heading(page, "Profile"));
  const pdf = await saved(page, button(page, "Make the PDF"), "ida.pdf");
  assert.equal(readFileSync(pdf).subarray(0, 5).toString(), "%PDF-");
  await seen(page.getByText(/^Last made on/));
  await link(page, "Home").first().click();
  await atHome(page, "Ida");
  await seen(spaceLine(page, /Choir/));
  await gone(link(page, /Back up your keys/));
  await ida.call("POST", "/spaces", { name: "Band" });
  await seen(link(page, /Print your keys again/).getByText("Band"));
  await ida.cli("backup", "identity", "--pdf", join(it.world.folder, "ida 2.pdf"));
  await gone(link(page, /Print your keys again/));
});

story(it, "the words on the paper bring back name, space and files on a fresh machine; a wrong one is named and mended", async ({ open, allow }) => {
  allow(STOPPED);
  const { who, address } = await lived("Alice", "Letters");
  const page = await open(who, "/profile");
  const pdf = await saved(page, button(page, "Make the PDF"), "alice.pdf");
  await who.stop();
  const fresh = await it.world.fresh();
  const anew = await open(fresh);
  await seen(heading(anew, "Welcome to CoBox"));
  await link(anew, "Restore from a paper key or backup file").click();
  await seen(heading(anew, "Get everything back"));
  const text = textOf(pdf);
  const first = /^1 +(\w+)|\b1\.? +([a-z]+)/m.exec(text);
  const word = first[1] ?? first[2];
  await anew.getByLabel("Words, or texts of QR codes").fill(text.replace(word, `${word}x`));
  await seen(anew.getByText(new RegExp(`“${word}x”`)));
  assert.ok(await button(anew, "Restore").isDisabled());
  await button(anew, word).first().click();
  await gone(anew.getByText("Not quite right yet"));
  const name = anew.getByLabel("Your name");
  if (await name.count()) await name.fill("Alice");
  await button(anew, "Restore").click();
  await atHome(anew, "Alice");
  await spaceLine(anew, /Letters/).click();
  await seen(anew.getByText("poem.txt", { exact: true }));
  await until("the file is whole", async () => (await poem(fresh, address)) === POEM);
});

story(it, "the QR codes on the paper do too, and the name is on them", async ({ open, allow }) => {
  allow(STOPPED);
  const { who, address } = await lived("Bruno", "Pictures");
  const { publicKey } = await who.call("GET", "/identities/current");
  const page = await open(who, "/profile");
  const pdf = await saved(page, button(page, "Make the PDF"), "bruno.pdf");
  await who.stop();
  const fresh = await it.world.fresh();
  const anew = await open(fresh, "/restore");
  await anew.getByLabel("Words, or texts of QR codes").fill(codesOf(pdf));
  await seen(anew.getByText("Pictures"));
  await button(anew, "Restore").click();
  await atHome(anew, "Bruno");
  assert.equal((await fresh.call("GET", "/identities/current")).publicKey, publicKey);
  await until("the file is whole", async () => (await poem(fresh, address)) === POEM);
  assert.equal(await anew.getByText("Back up your keys").count(), 0, "the paper is in their hands");
});

story(it, "keys move to another machine in a sealed file, which opens by its passphrase only", async ({ open, allow }) => {
  allow(/status of (400|404)/);
  allow(STOPPED);
  const { who, address } = await lived("Clara", "Moving");
  const page = await open(who, "/profile");
  await button(page, "Export keys").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Passphrase for the file").fill("short");
  assert.ok(await button(dialog, "Make the file").isDisabled());
  await dialog.getByLabel("Passphrase for the file").fill("battery staple");
  const file = await saved(page, button(dialog, "Make the file"), "clara.age");
  await gone(dialog);
  assert.ok(!readFileSync(file).includes("Moving"));
  const fresh = await it.world.fresh();
  const anew = await open(fresh, "/restore");
  await anew.locator("label", { hasText: "A file of keys" }).click();
  await anew.locator("input[type=file]").setInputFiles(file);
  await anew.getByLabel("Its passphrase").fill("battery stable");
  await button(anew, "Restore").click();
  await seen(anew.getByRole("alert").getByText(/passphrase is another one/));
  await anew.getByLabel("Its passphrase").fill("battery staple");
  await button(anew, "Restore").click();
  await atHome(anew, "Clara");
  await seen(spaceLine(anew, /Moving/));
  await until("the file is whole", async () => (await poem(fresh, address)) === POEM);
});

story(it, "locking shuts every tab and forgets the keys; the password opens all again", async ({ open, allow }) => {
  allow(/status of (404|423)/); // between two houses there is none
  allow(STOPPED);
  const lena = await it.world.member("Lena", { stays: true });
  const { address } = await lena.call("POST", "/spaces", { name: "Diary" });
  await lena.put(address, "poem.txt", POEM);
  await lena.call("POST", "/register", { password: PASSWORD });
  const page = await open(lena, "/profile");
  await logIn(page, PASSWORD);
  await seen(heading(page, "Profile"));
  const tab = await page.context().newPage();
  await tab.goto(`${lena.url}/spaces/${address}`);
  await seen(tab.getByText("poem.txt", { exact: true }));
  await button(page, "Lock now").click();
  for (const one of [page, tab]) {
    await seen(heading(one, "Welcome back"));
    assert.ok(!(await one.content()).includes("poem.txt"));
  }
  await until("it is locked", async () => (await (await fetch(`${lena.url}/api/system`)).json()).locked);
  await logIn(tab, "wrong horse");
  await seen(tab.getByRole("alert").getByText(/not the password/));
  await logIn(tab, PASSWORD);
  await seen(tab.getByText("poem.txt", { exact: true }));
  await page.reload();
  await seen(heading(page, "Profile"));
});

story(it, "a password is removed by who knows it, and others come in without one", async ({ open, allow }) => {
  allow(/status of (400|429)/);
  const rita = await it.world.member("Rita");
  await rita.call("POST", "/register", { password: PASSWORD });
  const page = await open(rita, "/profile");
  await logIn(page, PASSWORD);
  await button(page, "Remove the password").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Password until now").fill("wrong horse");
  await button(dialog, "Remove the password").click();
  await seen(dialog.getByRole("alert").getByText(/not the password/));
  await dialog.getByLabel("Password until now").fill(PASSWORD);
  await button(dialog, "Remove the password").click();
  await gone(dialog);
  await seen(page.getByText("No password is set."));
  await atHome(await open(rita), "Rita");
});

story(it, "logging out everywhere shuts the other browsers, and what they had open is not shown", async ({ open }) => {
  const nora = await it.world.member("Nora");
  await nora.call("POST", "/spaces", { name: "Secret plans" });
  await nora.call("POST", "/register", { password: PASSWORD });
  const [page, other] = [await open(nora, "/profile"), await open(nora)];
  for (const one of [page, other]) await logIn(one, PASSWORD);
  await seen(spaceLine(other, /Secret plans/));
  await button(page, "Log out in all browsers").click();
  await seen(heading(page, "You are logged out"));
  await link(other, "Devices").first().click();
  await seen(heading(other, "Welcome back"));
  assert.ok(!(await other.content()).includes("Secret plans"));
  await logIn(other, PASSWORD);
  await seen(heading(other, "Devices"));
});
