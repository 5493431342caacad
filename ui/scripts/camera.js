// A browser that looks at pages as a person does: at one size, in one theme, once nothing more is on its way.
import { chromium } from "playwright-core";

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
}

/** Opens an address, does something there (`act`), and answers the page once it is still. Its context is the caller's to close. */
export async function look(browser, address, { viewport, theme, scale = 1, act, heard = () => {} }) {
  const context = await browser.newContext({ viewport, colorScheme: theme, locale: "en-GB", reducedMotion: "reduce", deviceScaleFactor: scale });
  const page = await context.newPage();
  heard(page);
  await page.goto(address);
  await page.locator("h1").first().waitFor();
  // Nothing more is on its way (events keep their connection open all the time).
  await page.waitForLoadState("networkidle");
  await act?.(page);
  await page.evaluate(() => document.fonts.ready);
  return page;
}
