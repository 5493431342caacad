import { expect, test } from "vitest";
import type { Machine } from "@/api/devices";
import { remaining } from "./remains";

const device = (peerId: string) => ({ peerId, name: "", writer: "w", online: false });
const member = (name: string, peerId: string, more: object = {}) => ({
  publicKey: `${name}-key`, name, me: false, standing: "joined", access: "write", online: false, devices: [device(peerId)], ...more,
});
const receipt = (peerId: string, minute: number, more: object = {}) => ({
  peerId, replicator: false, complete: true, free: 1, lastSyncAt: `2026-05-03T10:${10 + minute}:00Z`, ...more,
});

test("devices by their name, members by theirs, unknown ones by their key; the newest proof first", () => {
  const space = {
    members: [member("Bob", "b0"), member("", "c0", { publicKey: "cccccccc1111" })],
    receipts: [receipt("b0", 1), receipt("c0", 2), receipt("d0", 3, { replicator: true }), receipt("eeeeeeee99", 4, { replicator: true })],
  };
  const machines = [{ name: "Attic", peerId: "d0" } as Machine];
  expect(remaining(space, machines).map((one) => [one.kind, one.name])).toEqual([["unknown", "eeeeeeee"], ["device", "Attic"], ["member", "cccccccc"], ["member", "Bob"]]);
});

test("what is not complete, ourselves, and who has left, is no comfort", () => {
  const space = {
    members: [member("Me", "m0", { me: true }), member("Gone", "g0", { standing: "left" })],
    receipts: [receipt("m0", 1), receipt("g0", 2), receipt("p0", 3, { complete: false })],
  };
  expect(remaining(space, [])).toEqual([]);
});
