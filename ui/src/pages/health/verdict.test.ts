import { expect, test } from "vitest";
import { how, steps, urgency, why, type Copy } from "./verdict";

const NOW = Date.parse("2026-05-03T10:00:00Z");
const DAY = 86_400_000;
const copy = (more: Partial<Copy> = {}): Copy => ({
  peerId: "p", state: "complete", words: "", blocksBehind: 0, bytesBehind: 0, online: true, free: 5e10, lastSyncAt: "2026-05-03T09:00:00Z", ...more,
});
const health = (colour: string, copies: Copy[], more: object = {}) => ({
  colour, copies, reason: "", threshold: 2, tolerance: 7 * DAY, complete: copies.filter((one) => one.state === "complete").length, ...more,
});

test("every colour is explained by what it comes from", () => {
  expect(why(health("green", [], { threshold: 0 }), NOW)).toMatch(/No copies on devices are asked for/);
  expect(why(health("red", []), NOW)).toMatch(/No device keeps a copy/);
  expect(why(health("red", [copy({ state: "partial", lastSyncAt: null })]), NOW)).toMatch(/No copy has been complete/);
  expect(why(health("red", [copy({ state: "stale", lastSyncAt: "2026-04-03T10:00:00Z" })]), NOW)).toMatch(/7 days.*4 weeks ago/);
  expect(why(health("amber", [copy()]), NOW)).toMatch(/^Only 1 device holds.*7 days.*Wanted: 2/);
  expect(why(health("amber", [copy({ state: "behind" })]), NOW)).toMatch(/none has proven what was written since/);
  expect(why(health("green", [copy(), copy()]), NOW)).toMatch(/^2 devices hold everything/);
});

test("every state of a copy has words", () => {
  expect(how(copy(), NOW)).toBe("has everything; last proof: 1 hour ago");
  expect(how(copy({ blocksBehind: 2 }), NOW)).toMatch(/catching up/);
  expect(how(copy({ state: "behind", bytesBehind: 2_000_000 }), NOW)).toMatch(/^2 MB behind/);
  expect(how(copy({ state: "stale" }), NOW)).toMatch(/too long ago/);
  expect(how(copy({ state: "partial", bytesBehind: 0, lastSyncAt: null }), NOW)).toBe("never complete yet");
});

test("advice: what is missing, who is away, who is on the way, where there is no room", () => {
  const kinds = (...args: Parameters<typeof steps>) => steps(...args).map((step) => step.kind);
  expect(kinds(health("red", []))).toEqual(["replicate"]);
  expect(steps(health("red", []))[0]).toMatchObject({ missing: 2 });
  expect(kinds(health("amber", [copy(), copy({ state: "behind", online: false })]))).toEqual(["wake"]);
  expect(kinds(health("amber", [copy({ state: "partial", bytesBehind: 9 })]))).toEqual(["replicate", "wait"]);
  expect(kinds(health("amber", [copy(), copy({ state: "behind", bytesBehind: 9e9, free: 1e9 })]))).toEqual(["room"]);
  expect(kinds(health("amber", [copy(), copy({ state: "behind" })]), (one) => one.state === "behind")).toEqual(["quota"]);
});

test("a safe space needs nothing, but a full disk is told before it hurts", () => {
  expect(steps(health("green", [copy(), copy({ state: "stale", online: false })]))).toEqual([]);
  expect(steps(health("green", [copy({ free: 1000 })])).map((step) => step.kind)).toEqual(["room"]);
  expect(steps(health("green", [copy({ free: 1000 })], { threshold: 0 }))).toEqual([]);
});

test("the worst first, the empty last", () => {
  const all = [["green", false], ["red", true], [undefined, false], ["red", false], ["amber", false]] as const;
  expect(all.map(([colour, isEmpty]) => urgency(colour, isEmpty))).toEqual([2, 3, 1.5, 0, 1]);
});
