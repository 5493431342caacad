// The pictures of the README, from real programs: the first page in both themes, and four phones beside each other.
//
//   npm run pictures     into docs/pictures
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { launch, look } from "./camera.js";
import { lived } from "./world.js";

const out = fileURLToPath(new URL("../../docs/pictures", import.meta.url));
// Wide enough for two columns.
const DESKTOP = { width: 1280, height: 970 };
const PHONE = { width: 390, height: 820 };

async function picture(browser, address, options) {
  const page = await look(browser, address, options);
  const bytes = await page.screenshot();
  await page.context().close();
  return bytes;
}

/** Side by side on nothing, each with the edge that a phone has. */
async function beside(browser, phones) {
  const page = await browser.newPage({ viewport: { width: phones.length * (PHONE.width + 30) - 30 + 2, height: PHONE.height + 2 } });
  const images = phones.map((bytes) => `<img src="data:image/png;base64,${bytes.toString("base64")}">`);
  const style = `body{margin:1px;display:flex;gap:30px}img{width:${PHONE.width}px;height:${PHONE.height}px;border-radius:32px;outline:1px solid #8886}`;
  await page.setContent(`<style>${style}</style>${images.join("")}`);
  const bytes = await page.screenshot({ omitBackground: true });
  await page.close();
  return bytes;
}

const { world, alice, spaces } = await lived();
const browser = await launch();
try {
  const [photos, allotment] = [spaces["Family photos"], spaces["Allotment"]];
  for (const [name, theme] of [["home", "light"], ["home-dark", "dark"]]) {
    writeFileSync(join(out, `${name}.png`), await picture(browser, alice.url, { viewport: DESKTOP, theme, scale: 1.5 }));
  }
  const phones = [
    [`/spaces/${photos}?path=2026`, "light"],
    [`/spaces/${allotment}/conflicts`, "dark"],
    [`/spaces/${photos}/messages`, "light"],
    ["/network", "dark"],
  ];
  const taken = [];
  for (const [path, theme] of phones) taken.push(await picture(browser, alice.url + path, { viewport: PHONE, theme }));
  writeFileSync(join(out, "phones.png"), await beside(browser, taken));
} finally {
  await browser.close();
  await world.end();
}
