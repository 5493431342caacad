// Real programs with real data, for pictures and for tests: two members and a device, in homes of their own that are thrown away.
import { execFile, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttp } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));

/** The program: `COBOX`, or what cargo built last. */
export function program() {
  const built = ["release", "debug"].map((kind) => join(root, "target", kind, "cobox"));
  const found = [process.env.COBOX, ...built].find((path) => path && existsSync(path));
  if (!found) throw new Error("no program: build it (cargo build) or name it in COBOX");
  return found;
}

/** A UDP port that nobody uses, so that these programs hear only each other. */
async function lanPort() {
  const socket = createSocket("udp4");
  await new Promise((bound) => socket.bind(0, "127.0.0.1", bound));
  const { port } = socket.address();
  await new Promise((closed) => socket.close(closed));
  return String(port);
}

/** A TCP port that nobody uses, for a program that stays the same to a browser when it starts again. */
async function apiPort() {
  const server = createServer();
  await new Promise((bound) => server.listen(0, "127.0.0.1", bound));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return String(port);
}

export class Node {
  constructor(home, args) {
    this.home = home;
    this.args = args;
  }

  get port() {
    return JSON.parse(readFileSync(join(this.home, "run"), "utf8")).port;
  }

  get token() {
    return readFileSync(join(this.home, "token"), "utf8").trim();
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Runs until `stop`; answers once its API does. */
  async start() {
    this.child = spawn(program(), ["--home", this.home, ...this.args], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((ready, failed) => {
      this.child.stdout.once("data", ready);
      this.child.once("exit", (status) => failed(new Error(`cobox ended at once (${status})`)));
    });
    this.child.stdout.resume();
    return this;
  }

  async stop() {
    if (this.child?.exitCode !== null) return;
    const ended = new Promise((done) => this.child.once("exit", done));
    this.child.kill("SIGTERM");
    await ended;
  }

  /** A command of the command line; its JSON, if it says any. */
  async cli(...words) {
    const { stdout } = await run(program(), ["--home", this.home, "--json", ...words], { maxBuffer: 1 << 24 });
    try {
      return JSON.parse(stdout);
    } catch {
      return stdout;
    }
  }

  /** A call of the API. */
  async call(method, path, body) {
    const answer = await fetch(`${this.url}/api${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, ...(body && { "content-type": "application/json" }) },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  async folder(space, path) {
    await this.call("POST", `/spaces/${encodeURIComponent(space)}/folders?path=${encodeURIComponent(path)}&parents=true`);
  }

  /** Bytes into a file of a space. */
  put(space, path, bytes) {
    return this.putBytes(space, encodeURIComponent(path), bytes);
  }

  /** As `put`, with a path of any bytes, as it stands in an address. */
  async putBytes(space, path, bytes) {
    const address = `${this.url}/api/spaces/${encodeURIComponent(space)}/files?path=${path}`;
    const answer = await fetch(address, { method: "PUT", headers: { authorization: `Bearer ${this.token}` }, body: bytes });
    if (!answer.ok) throw new Error(`put ${path}: ${answer.status} ${await answer.text()}`);
  }
}

/** Waits until something holds; it is looked at again and again, for half a minute if nothing else is said. */
export async function until(what, holds, patience = 30_000) {
  const end = Date.now() + patience;
  while (Date.now() < end) {
    if (await holds()) return;
    await new Promise((later) => setTimeout(later, 100));
  }
  throw new Error(`waited in vain: ${what}`);
}

export class World {
  static async begin() {
    const world = new World();
    world.folder = mkdtempSync(join(tmpdir(), "cobox-world-"));
    world.lan = await lanPort();
    world.nodes = [];
    world.servers = [];
    return world;
  }

  /** Somebody with a name. With `stays` at a port that it has again after a restart. */
  async member(name, { stays = false } = {}) {
    const port = stays ? await apiPort() : "0";
    const node = await this.#start(name, ["up", "--port", port, "--lan-port", this.lan]);
    if (name) await node.call("PATCH", "/identities/current", { name });
    return node;
  }

  /** A program that nobody has used yet. */
  fresh() {
    return this.#start("fresh", ["up", "--port", "0", "--no-lan"]);
  }

  device(name) {
    return this.#start(name, ["hub", "--port", "0", "--lan-port", this.lan, "--name", name]);
  }

  async #start(name, args) {
    const home = join(this.folder, `${this.nodes.length}`);
    mkdirSync(home);
    const node = await new Node(home, args).start();
    this.nodes.push(node);
    return node;
  }

  /** A file of this machine with these bytes. */
  file(name, bytes) {
    const path = join(this.folder, name);
    writeFileSync(path, bytes);
    return path;
  }

  /** Another program of this machine that serves a page. */
  async page(html) {
    const server = createHttp((_, answer) => answer.setHeader("content-type", "text/html").end(html));
    await new Promise((bound) => server.listen(0, "127.0.0.1", bound));
    this.servers.push(server);
    return { url: `http://localhost:${server.address().port}/` };
  }

  async end() {
    for (const server of this.servers) server.close();
    await Promise.all(this.nodes.map((node) => node.stop()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Alice and Bob share two spaces, a device keeps one of them, a second device waits; one file was changed apart. */
export async function lived() {
  const world = await World.begin();
  try {
    return await live(world);
  } catch (error) {
    await world.end();
    throw error;
  }
}

async function live(world) {
  const [alice, bob, attic] = [await world.member("Alice Amsel"), await world.member("Bob Brunnen"), await world.device("attic")];
  const spaces = {};
  for (const name of ["Family photos", "Allotment", "Band: Träumerei 🎸"]) spaces[name] = (await alice.call("POST", "/spaces", { name })).address;
  const photos = spaces["Family photos"];
  for (const folder of ["2026", "Letters"]) await alice.folder(photos, folder);
  for (const [path, text] of Object.entries(texts())) await alice.put(photos, path, text);
  await alice.put(spaces["Allotment"], "plan.txt", "Tomatoes along the wall.\n");
  const key = (await bob.call("GET", "/identities/current")).publicKey;
  const hint = (await alice.call("GET", "/status")).hint;
  for (const address of [photos, spaces["Allotment"]]) {
    const { code } = await alice.call("POST", `/spaces/${address}/invites`, { publicKey: key });
    await bob.call("POST", "/spaces/join", { code, peers: [hint] });
  }
  await until("Bob has the files", async () => (await bob.call("GET", "/spaces")).every((space) => space.files > 0 && space.indexed));
  await alice.call("POST", `/spaces/${photos}/messages`, { text: "The pictures of May are in. The one with the ladder is the best." });
  await bob.call("POST", `/spaces/${photos}/messages`, { text: "Lovely, thank you! Who has the tent, by the way?" });
  await until("the device is heard", async () => (await alice.call("GET", "/devices/seen")).length > 0);
  const [seen] = await alice.call("GET", "/devices/seen");
  await alice.call("POST", "/devices", { publicKey: seen.publicKey, name: "Attic" });
  await alice.call("POST", "/devices/Attic/commands", { command: "replicate", address: photos, name: "photos", wait: 10_000 });
  await until("the device has all", async () => (await alice.call("GET", `/spaces/${photos}/health`)).complete > 0);
  await changeApart(alice, bob, spaces["Allotment"]);
  await world.device("new-hub");
  await until("the new device is heard", async () => (await alice.call("GET", "/devices/seen")).some((one) => !one.claimed));
  return { world, alice, bob, attic, spaces };
}

async function changeApart(alice, bob, address) {
  await bob.stop();
  await alice.put(address, "plan.txt", "Tomatoes along the wall, beans at the fence.\n");
  await alice.stop();
  await bob.start();
  await bob.put(address, "plan.txt", "Potatoes along the wall.\n");
  await alice.start();
  await until("the conflict is seen", async () => (await alice.call("GET", "/spaces")).some((space) => space.conflicts > 0));
}

function texts() {
  const picture = (hue) => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 300"><rect width="400" height="300" fill="hsl(${hue} 45% 80%)"/><circle cx="${80 + hue / 2}" cy="90" r="42" fill="hsl(${hue + 40} 80% 70%)"/><path d="M0 220 120 120l90 90 70-50 120 90v50H0z" fill="hsl(${hue} 30% 45%)"/></svg>`;
  const all = { "Letters/dear Bob.txt": "Dear Bob,\n\nthe pictures are in the folder 2026.\n\nAlice\n", "notes.md": "# To do\n\n- sort the pictures\n- print ten\n" };
  for (let n = 1; n <= 8; n++) all[`2026/May ${n}.svg`] = picture(n * 40);
  all["2026/🌷 tulips.svg"] = picture(330);
  all["مرحبا.txt"] = "A name from right to left.\n";
  return all;
}
