import { expect, test } from "vitest";
import { all, kept, NONE, ranged, toggled } from "./selection";

const order = ["a", "b", "c", "d"];
const names = (selection: { names: ReadonlySet<string> }) => [...selection.names].sort().join("");

test("a press selects, another takes it back", () => {
  const one = toggled(NONE, "b");
  expect(names(one)).toBe("b");
  expect(names(toggled(one, "b"))).toBe("");
});

test("a range goes from the last press, in either direction, and keeps the rest", () => {
  const b = toggled(NONE, "b");
  expect(names(ranged(b, "d", order))).toBe("bcd");
  expect(names(ranged(b, "a", order))).toBe("ab");
  expect(names(ranged(toggled(toggled(NONE, "a"), "c"), "d", order))).toBe("acd");
  expect(names(ranged(NONE, "c", order))).toBe("c");
  expect(names(ranged(b, "gone", order))).toBe("b");
});

test("what is gone is not selected any more", () => {
  expect(names(kept(all(order), ["a", "d", "e"]))).toBe("ad");
  const same = all(["a"]);
  expect(kept(same, order)).toBe(same);
});
