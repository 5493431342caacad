import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { colour } from "./colour";

test("a key has one colour, keys have many, and what is no key is grey", () => {
  const keys = Array.from({ length: 200 }, (_, n) => createHash("sha256").update(`${n}`).digest("hex"));
  for (const key of keys) expect(colour(key)).toEqual(colour(key));
  expect(new Set(keys.map((key) => colour(key).hue)).size).toBeGreaterThan(100);
  for (const { hue, second, chroma } of keys.map(colour)) {
    for (const angle of [hue, second]) expect(angle >= 0 && angle < 360).toBe(true);
    expect(chroma).toBeLessThan(0.17);
  }
  expect(colour("").chroma).toBeLessThan(0.02);
});
