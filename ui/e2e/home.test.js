// The first page: spaces are made, joined and seen changing, by mouse and by keyboard, in one tab and in two.
import assert from "node:assert/strict";
import { PHONE, atHome, button, heading, holds, link, seen, stage, story } from "./stage.js";

const it = stage(async ({ world }) => {
  [it.alice, it.bob] = [await world.member("Alice"), await world.member("Bob")];
});

/** Alice's space, with Bob in it. */
async function shared(name) {
  const { address } = await it.alice.call("POST", "/spaces", { name });
  const { publicKey } = await it.bob.call("GET", "/identities/current");
  const { code } = await it.alice.call("POST", `/spaces/${address}/invites`, { publicKey });
  const { hint } = await it.alice.call("GET", "/status");
  await it.bob.call("POST", "/spaces/join", { code, peers: [hint] });
  return address;
}

story(it, "a space is created; back, forward and reload do what they should", async ({ open }) => {
  const page = await open(it.alice);
  await atHome(page, "Alice");
  await button(page, "Create a space").click();
  await page.getByLabel("Name of the space").fill("Choir");
  await button(page.getByRole("dialog"), "Create a space").click();
  await seen(heading(page, "Choir"));
  const { pathname } = new URL(page.url());
  const [{ address }] = await it.alice.call("GET", "/spaces");
  assert.equal(pathname, `/spaces/${address}`);
  await page.reload();
  await seen(heading(page, "Choir"));
  await page.goBack();
  await atHome(page, "Alice");
  await page.goForward();
  await seen(heading(page, "Choir"));
  await link(page, "Home").first().click();
  await seen(link(page, /Choir/));
});

story(it, "a second tab and a second browser see it at once", async ({ open }) => {
  const page = await open(it.alice);
  await atHome(page, "Alice");
  const tab = await page.context().newPage();
  await tab.goto(it.alice.url);
  await atHome(tab, "Alice");
  const elsewhere = await open(it.alice, "/", { viewport: PHONE });
  await atHome(elsewhere, "Alice");
  await it.alice.call("POST", "/spaces", { name: "Seen at once" });
  await it.alice.call("PATCH", "/identities/current", { name: "Alice A." });
  for (const one of [page, tab, elsewhere]) {
    await seen(link(one, /Seen at once/));
    await atHome(one, "Alice A.");
  }
  await it.alice.call("PATCH", "/identities/current", { name: "Alice" });
});

story(it, "a space is joined with a code that was sent, broken into lines", async ({ open }) => {
  const { address } = await it.alice.call("POST", "/spaces", { name: "Joined by code" });
  await it.alice.put(address, "plan.txt", "Sing.\n");
  const page = await open(it.bob);
  await atHome(page, "Bob");
  await button(page, "Join by code").click();
  const dialog = page.getByRole("dialog");
  const { publicKey } = await it.bob.call("GET", "/identities/current");
  await seen(dialog.getByText(publicKey));
  const { code } = await it.alice.call("POST", `/spaces/${address}/invites`, { publicKey });
  await dialog.getByLabel("Invite code").fill(`${code.slice(0, 50)}\n  ${code.slice(50)}\n`);
  await button(dialog, "Join by code").click();
  await seen(heading(page, "Joined by code"));
  assert.ok((await it.bob.call("GET", "/spaces")).some((space) => space.address === address));
});

story(it, "a code for somebody else is refused in words, and nothing is lost", async ({ open, allow }) => {
  allow(/status of 400/);
  const { address } = await it.alice.call("POST", "/spaces", { name: "Not yours" });
  const { publicKey } = await (await it.world.fresh()).call("GET", "/identities/current");
  const { code } = await it.alice.call("POST", `/spaces/${address}/invites`, { publicKey });
  const page = await open(it.bob);
  await atHome(page, "Bob");
  await button(page, "Join by code").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Invite code").fill(code);
  await button(dialog, "Join by code").click();
  await seen(dialog.getByRole("alert"));
  assert.equal(await dialog.getByLabel("Invite code").inputValue(), code);
});

story(it, "what another member does is seen without a reload", async ({ open }) => {
  const address = await shared("Band");
  const page = await open(it.alice);
  const line = link(page, /Band/);
  await seen(line.getByText("2 members"));
  await it.bob.put(address, "song.txt", "x".repeat(123_000));
  await seen(line.getByText("123 kB"));
  await it.alice.call("PATCH", `/spaces/${address}`, { name: "The Band" });
  await seen(link(page, /The Band/));
});

const WORDS = {
  en: { locale: "en-GB", welcome: "Welcome to CoBox", hello: "Hello", create: "Create a space", skip: "Skip to the content", members: "Members" },
  de: { locale: "de-DE", welcome: "Willkommen bei CoBox", hello: "Hallo", create: "Space anlegen", skip: "Zum Inhalt springen", members: "Mitglieder" },
};

for (const [language, words] of Object.entries(WORDS)) {
  story(it, `the main story needs no mouse: ${language}`, async ({ open }) => {
    const page = await open(await it.world.fresh(), "/", { locale: words.locale });
    await seen(heading(page, words.welcome));
    const keys = page.keyboard;
    await keys.type("Käthe");
    await keys.press("Enter");
    await seen(heading(page, `${words.hello}, Käthe`));
    await holds(page, () => document.activeElement?.matches("h1"));
    const to = async (name) => {
      for (let n = 0; n < 40; n++) {
        await keys.press("Tab");
        const there = await page.evaluate(() => [document.activeElement?.textContent?.trim(), document.activeElement?.getAttribute("aria-label")]);
        if (there.includes(name)) return page.evaluate(() => document.activeElement.matches(":focus-visible"));
      }
      throw new Error(`no way to ${name} with the Tab key`);
    };
    assert.ok(await to(words.create), "whoever uses the keyboard sees where they are");
    await keys.press("Enter");
    await seen(page.getByRole("dialog"));
    await keys.press("Escape");
    await holds(page, (name) => document.activeElement?.textContent?.trim() === name, words.create);
    // As quick as can be: the dialog is told that it was closed when it is open again already.
    for (let again = 0; again < 5; again++) {
      await keys.press("Enter");
      await keys.press("Escape");
    }
    await keys.press("Enter");
    await holds(page, () => document.activeElement?.matches("dialog input"));
    await keys.type("Quiet");
    await keys.press("Enter");
    await seen(heading(page, "Quiet"));
    await holds(page, () => document.activeElement?.matches("h1"));
    await page.goto(page.url());
    await seen(heading(page, "Quiet"));
    await keys.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), words.skip);
    await keys.press("Enter");
    await to(words.members);
    await keys.press("Enter");
    await holds(page, () => location.pathname.endsWith("/members"));
  });
}

story(it, "what the program refuses, and why a space is at risk, is said in the page's language", async ({ open, allow }) => {
  allow(/status of 409/);
  const { address } = await it.alice.call("POST", "/spaces", { name: "Unsafe" });
  await it.alice.put(address, "only here.txt", "x");
  const page = await open(it.alice, "/", { locale: "de-DE" });
  await seen(link(page, /Unsafe ist in Gefahr/).getByText("Kein Gerät bewahrt eine Kopie auf", { exact: false }));
  await button(page, "Neuer Space").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name des Space").fill("Unsafe");
  await button(dialog, "Space anlegen").click();
  await seen(dialog.getByRole("alert").getByText("Einen Space mit diesem Namen hast du schon. Wähle einen anderen."));
});
