import { expect, test } from "vitest";
import type { Schemas } from "@/api/client";
import { deviceOf, hasBytes, type Version } from "./versions";

const members = [{ devices: [{ writer: "aa00", name: "Laptop" }, { writer: "bb00", name: "Alice" }] }] as unknown as Schemas["MemberJson"][];

test("a version was written on the device that its id names", () => {
  expect(deviceOf(members, { id: "aa00-12", author: "Alice" })).toBe("Laptop");
  expect(deviceOf(members, { id: "bb00-1", author: "Alice" })).toBeUndefined();
  expect(deviceOf(members, { id: "cc00-1", author: "Alice" })).toBeUndefined();
});

test("only what was written can be looked at", () => {
  const version = (what: string, size?: number | null) => ({ what, size }) as Version;
  expect([version("written", 0), version("deleted", null), version("moved"), version("written")].map(hasBytes)).toEqual([true, false, false, false]);
});
