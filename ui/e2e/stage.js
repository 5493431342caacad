// What every test in a browser has: Chromium, real programs, and ears for what a page must never do.
//
// A story fails if a page says an error to the console, breaks its own policy, asks anything of another server or opens a box of
// the browser; then pictures of all its pages are in a folder that the failure names. Waiting is always for a condition.
import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { chromium } from "playwright-core";
import { World } from "../scripts/world.js";

export const PHONE = { width: 390, height: 844 };
export const DESKTOP = { width: 1280, height: 860 };
/** How long anything may take on a busy machine before the story has failed. */
const PATIENCE = 30_000;
/** A story that hangs ends. */
const TOO_LONG = 240_000;
/** A refused call at the door is how the page learns that it is shut out. Chromium says so in its console. */
const AT_DOOR = /status of (401|403|409)/;

/** The browser and the programs of one file of stories: `stage.world`, `stage.browser`. `prepare` runs once, before the first. */
export function stage(prepare = async () => {}) {
  const it = {};
  before(async () => {
    it.browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-dev-shm-usage"],
    });
    it.world = await World.begin();
    await prepare(it);
  });
  after(async () => {
    await it.browser?.close();
    await it.world?.end();
  });
  return it;
}

/** One story. `tell` gets `open(node, path, options)`, which answers a page; `allow(regex)` takes a complaint as expected. */
export function story(it, name, tell) {
  test(name, { timeout: TOO_LONG }, async () => {
    const visit = new Visit(it);
    try {
      await tell({ open: (...what) => visit.open(...what), allow: (what) => visit.allowed.push(what), visit });
      visit.judge();
    } catch (error) {
      const more = [error.message, ...visit.complaints, await visit.pictures(name)].join("\n");
      throw new Error(more, { cause: error });
    } finally {
      await visit.end();
    }
  });
}

class Visit {
  contexts = [];
  complaints = [];
  allowed = [AT_DOOR];

  constructor(it) {
    this.it = it;
  }

  /** A page of a program, in a browser of its own (nobody else's cookies). */
  async open(node, path = "/", { viewport = DESKTOP, theme = "light", locale = "en-GB", ...more } = {}) {
    const context = await this.it.browser.newContext({ viewport, colorScheme: theme, locale, reducedMotion: "reduce", ...more });
    context.setDefaultTimeout(PATIENCE);
    this.contexts.push(context);
    await this.#listen(context);
    const page = await context.newPage();
    await page.goto(node.url + path);
    return page;
  }

  async #listen(context) {
    const complain = (text) => this.complaints.push(text);
    context.on("console", (message) => {
      if (message.type() === "error") complain(`console: ${message.text()}`);
    });
    context.on("weberror", (error) => complain(`error: ${error.error().stack}`));
    context.on("dialog", (dialog) => {
      // The browser asks whether to leave, since something would be lost: a story that means to says yes.
      const isLeaving = dialog.type() === "beforeunload";
      complain(isLeaving ? "leaving is asked about" : `a box of the browser: ${dialog.message()}`);
      void (isLeaving ? dialog.accept() : dialog.dismiss());
    });
    context.on("request", (request) => {
      const { hostname, protocol } = new URL(request.url());
      if (!["127.0.0.1", "localhost", ""].includes(hostname)) complain(`${protocol}//${hostname} was asked for something`);
    });
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        console.error(`policy: ${event.violatedDirective} by ${event.blockedURI} ${event.sample}`);
      });
    });
  }

  judge() {
    const wrong = this.complaints.filter((text) => !this.allowed.some((allowed) => allowed.test(text)));
    assert.deepEqual(wrong, []);
  }

  async pictures(name) {
    const folder = mkdtempSync(join(tmpdir(), "cobox-story-"));
    const pages = this.contexts.flatMap((context) => context.pages());
    const file = (n) => join(folder, `${name.replace(/\W+/g, "-").slice(0, 60)}-${n}.png`);
    await Promise.allSettled(pages.map((page, n) => page.screenshot({ path: file(n), timeout: 5000 })));
    return `pictures: ${folder}`;
  }

  async end() {
    await Promise.allSettled(this.contexts.map((context) => context.close()));
  }
}

/** It is in sight, or comes into sight. */
export function seen(locator) {
  return locator.first().waitFor({ state: "visible", timeout: PATIENCE });
}

/** It is gone, or goes. */
export function gone(locator) {
  return locator.first().waitFor({ state: "hidden", timeout: PATIENCE });
}

/** Waits until a page's function is true. */
export function holds(page, condition, argument) {
  return page.waitForFunction(condition, argument, { timeout: PATIENCE });
}

/** Nothing is wider than the window. */
export async function fits(page) {
  const [whole, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(whole <= window, `${page.url()} is ${whole} wide, the window ${window}`);
}

export const button = (page, name) => page.getByRole("button", { name, exact: true });
export const heading = (page, name) => page.getByRole("heading", { name, level: 1 });
/** The space, device or page of this name. */
export const link = (page, name) => page.getByRole("link", { name });

/** The line of a space at home; what needs attention may name it, too. */
export const spaceLine = (page, name) => page.getByRole("region", { name: /^Spaces/ }).getByRole("link", { name });

/** The main thing: name given, at home. */
export async function atHome(page, name) {
  await seen(heading(page, `Hello, ${name}`));
}
