// Pictures of every page, phone and desktop, light and dark, from real programs; and what axe-core finds on each.
//
//   npm run shots [-- PART-OF-A-NAME...]     into ui/shots; fails if axe-core finds anything or a page says something to the console
//
// The page is the one in the program; if that has none (or with --dev) it comes from Vite, with the program behind it.
import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { launch, look } from "./camera.js";
import { lived } from "./world.js";

const here = fileURLToPath(new URL("..", import.meta.url));
const out = join(here, "shots");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const wanted = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const isDev = process.argv.includes("--dev");
const sizes = { phone: { width: 390, height: 844 }, desktop: { width: 1360, height: 900 } };
mkdirSync(out, { recursive: true });

/** What is pictured: name, whose program, address, and what is done there first. */
function pages({ spaces, devices }) {
  const photos = `/spaces/${spaces["Family photos"]}`;
  const allotment = `/spaces/${spaces["Allotment"]}`;
  const pressed = (name) => async (page) => page.getByRole("button", { name }).first().click();
  return [
    ["welcome", "fresh", "/"],
    ["restore", "fresh", "/restore"],
    ["home", "alice", "/"],
    ["home-create", "alice", "/", pressed("New space")],
    ["home-join", "alice", "/", pressed("Join by code")],
    ["space-files", "alice", photos],
    ["space-files-selected", "alice", photos, async (page) => {
      const boxes = page.locator("[data-at] input[type=checkbox]");
      await boxes.nth(1).click();
      await boxes.nth(3).click({ modifiers: ["Shift"] });
    }],
    ["space-files-menu", "alice", photos, async (page) => page.locator("[data-at='2']").click({ button: "right" })],
    ["space-files-picture", "alice", `${photos}?path=2026&show=May%203.svg`],
    ["space-files-text", "alice", `${photos}?show=notes.md`],
    ["space-history", "alice", `${photos}/history`],
    ["space-history-file", "alice", `${allotment}/history?file=plan.txt`],
    ["space-history-compare", "alice", `${allotment}/history?file=plan.txt`, pressed(/^Compare/)],
    ["space-history-then", "alice", `${photos}/history?at=${encodeURIComponent(new Date().toISOString())}`],
    ["space-conflicts", "alice", `${allotment}/conflicts`],
    ["space-members", "alice", `${photos}/members`],
    ["space-invite", "alice", `${photos}/members`, pressed("Invite somebody")],
    ["space-messages", "alice", `${photos}/messages`],
    ["space-health", "alice", `${photos}/health`],
    ["space-settings", "alice", `${photos}/settings`],
    ["space-leave", "alice", `${photos}/settings`, pressed("Leave this space")],
    ["space-keep", "alice", `${allotment}/health`, pressed("Keep it on a device")],
    ["health", "alice", "/health"],
    ["devices", "alice", "/devices"],
    ["devices-add", "alice", "/devices?add=1"],
    ["device", "alice", `/devices/${devices[0].address}`],
    ["device-keep", "alice", `/devices/${devices[0].address}`, pressed("Keep a space")],
    ["network", "alice", "/network"],
    ["profile", "alice", "/profile"],
    ["settings", "alice", "/settings"],
    ["about", "alice", "/about"],
    ["missing", "alice", "/no/such/place"],
    ["locked", "locked", "/"],
    ["hub", "attic", "/"],
  ];
}

/** Where a browser finds the page of a program. */
async function site(node, servers) {
  const answer = await fetch(`${node.url}/`);
  if (!isDev && answer.headers.get("content-type")?.startsWith("text/html")) return node.url;
  process.env.COBOX_DEV_HOME = node.home;
  const { createServer } = await import("vite");
  const server = await createServer({ root: here, logLevel: "error", server: { port: 0 }, cacheDir: join(here, "node_modules/.vite-shots") });
  await server.listen();
  servers.push(server);
  return `http://127.0.0.1:${server.httpServer.address().port}`;
}

async function take(browser, base, [name, , path, act], [size, viewport], theme, problems) {
  const label = `${name}-${size}-${theme}`;
  const heard = (page) => {
    page.on("console", (message) => {
      const text = message.text();
      // A refused call at the door is how the page learns that it is shut out.
      if (message.type() === "error" && !/401|403|409/.test(text)) problems.push(`${label}: ${text}`);
    });
    page.on("pageerror", (error) => problems.push(`${label}: ${error.message}`));
  };
  const page = await look(browser, base + path, { viewport, theme, act, heard });
  await page.screenshot({ path: join(out, `${label}.png`), fullPage: !act });
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const one of found.violations) problems.push(`${label}: axe ${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`);
  await page.context().close();
}

const { world, alice, attic, spaces } = await lived();
const servers = [];
const problems = [];
const browser = await launch();
try {
  const locked = await world.member("Lena Locked");
  await locked.call("POST", "/register", { password: "correct horse" });
  const nodes = { alice, attic, locked, fresh: await world.fresh() };
  const devices = await alice.call("GET", "/devices");
  const bases = {};
  for (const page of pages({ spaces, devices })) {
    const [name, whose] = page;
    if (wanted.length > 0 && !wanted.some((word) => name.includes(word))) continue;
    bases[whose] ??= await site(nodes[whose], servers);
    for (const size of Object.entries(sizes)) for (const theme of ["light", "dark"]) await take(browser, bases[whose], page, size, theme, problems);
    console.log(name);
  }
} finally {
  await browser.close();
  for (const server of servers) await server.close();
  await world.end();
}
for (const problem of problems) console.error(problem);
process.exit(problems.length > 0 ? 1 : 0);
