import { expect, test } from "vitest";
import type { Machine } from "@/api/devices";
import { digits, offered } from "./offered";

const seen = (name: string, publicKey: string, claimed = false) => ({ name, publicKey, claimed, needsCode: false, at: "" });

test("what obeys us already is not offered; what waits for an owner comes first", () => {
  const all = [seen("b", "1", true), seen("hub 10", "2"), seen("hub 2", "3"), seen("attic", "4", true)];
  const machines = [{ peerId: "4", admin: true } as Machine, { peerId: "1", admin: false } as Machine];
  expect(offered(all, machines).map((one) => one.name)).toEqual(["hub 2", "hub 10", "b"]);
});

test("a code is its digits", () => expect(digits(" 1234-56 78\n")).toBe("12345678"));
