import { expect, test } from "vitest";
import type { Machine } from "@/api/devices";
import type { Overview } from "@/api/spaces";
import { graph, touched, type Node } from "./graph";
import { around, fitted, layout, mean } from "./layout";

const member = (name: string, more: object = {}) => ({
  publicKey: `${name}-key`, name, me: false, standing: "joined", access: "write", online: false,
  devices: [{ peerId: `${name}-machine`, name, writer: "w", online: false }], ...more,
});
const overview = (address: string, members: object[], copies: object[] = []) => ({ space: { address, name: address.toUpperCase() }, members, health: { copies } }) as unknown as Overview;
const peer = (peerId: string, spaces: string[], online = true) => ({ peerId, spaces, online, path: "", sent: 1, received: 2 });

const world = graph(
  { name: "Me", publicKey: "me-key", peers: [peer("bob-machine", ["s1"]), peer("attic-machine", ["s1", "admin"]), peer("who", ["s2"]), peer("gone", ["s1"], false), peer("me-machine", [])] },
  [overview("s1", [member("me", { me: true }), member("bob"), member("cy")], [{ peerId: "attic-machine", online: true }, { peerId: "foreign", online: false }]), overview("s2", [member("bob", { online: true })])],
  [{ address: "a1", publicKey: "attic-key", name: "Attic", peerId: "attic-machine", online: true, admin: true, replicas: 1, replicates: [] } as unknown as Machine],
);
const node = (id: string) => world.nodes.find((one) => one.id === id)!;

test("one person is one thing, in however many spaces and machines", () => {
  expect(world.nodes.filter((one) => one.kind === "person").map((one) => one.id)).toEqual(["person bob-key", "person cy-key"]);
  expect(node("person bob-key")).toMatchObject({ spaces: ["s1", "s2"], online: true });
});

test("devices are ours by name, others by their key; connections without a name are there too, past ones are not", () => {
  expect(node("device a1")).toMatchObject({ name: "Attic", spaces: ["s1"] });
  expect(node("device foreign")).toMatchObject({ name: "", online: false });
  expect(node("peer who")).toMatchObject({ kind: "peer", spaces: ["s2"] });
  expect(world.nodes.some((one) => one.key === "gone" || one.key === "me-machine")).toBe(false);
});

test("a line is live where both meet now", () => {
  const live = (from: string, to: string) => world.edges.find((edge) => edge.from === from && edge.to === to)?.live;
  expect([live("person bob-key", "s1"), live("person bob-key", "s2"), live("person cy-key", "s1"), live("device a1", "s1"), live("me", "s2")]).toEqual([true, false, false, true, true]);
  expect([...touched(world, "s2")].sort()).toEqual(["me", "peer who", "person bob-key", "s2"]);
});

test("a device of ours that keeps nothing yet hangs on us", () => {
  const idle = { address: "a2", publicKey: "k", name: "Idle", online: false, admin: true, replicas: 0, replicates: [] } as unknown as Machine;
  expect(graph({ name: "Me", publicKey: "me-key", peers: [] }, [], [idle]).edges).toEqual([{ from: "device a2", to: "me", live: false }]);
});

test("everything has a place of its own inside the picture, the same each time", () => {
  for (const width of [320, 700, 1100]) {
    const { places, height } = layout(world, width);
    expect(places.size).toBe(world.nodes.length);
    for (const { x, y } of places.values()) expect(x >= 40 && x <= width - 40 && y >= 20 && y <= height - 40, `${width}: ${x} ${y}`).toBe(true);
    const all = [...places.values()];
    for (const [at, one] of all.entries()) for (const other of all.slice(at + 1)) expect(Math.hypot(one.x - other.x, one.y - other.y)).toBeGreaterThan(30);
    expect(layout(world, width)).toEqual(layout(world, width));
  }
});

test("many do not lie on each other: the picture grows", () => {
  const nodes = Array.from({ length: 60 }, (_, n): Node => ({ id: `p${n}`, kind: "person", key: "", name: "", online: false, spaces: [], peers: [] }));
  const { places, height } = layout({ nodes, edges: [] }, 360);
  expect(height).toBeGreaterThan(1500);
  const all = [...places.values()].sort((a, b) => a.y - b.y);
  expect(new Set(all.map(({ x, y }) => `${Math.round(x)} ${Math.round(y)}`)).size).toBe(all.length);
});

test("directions have a middle", () => {
  const degree = Math.PI / 180;
  expect(mean([350 * degree, 10 * degree])).toBeCloseTo(0);
  expect(mean([0, Math.PI])).toBe(0);
  const alone = around([{ id: "x", spaces: ["s"] } as Node], new Map([["s", 2]]));
  expect(alone.get("x")).toBeCloseTo(2);
});

test("names are cut between letters as people see them", () => {
  expect(fitted("Ann", 5)).toBe("Ann");
  expect(fitted("👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 2)).toBe("👩‍👩‍👧‍👦…");
});
