import { expect, test } from "vitest";
import { next, sorted } from "./sort";

const compare = new Intl.Collator("en", { numeric: true, sensitivity: "base" }).compare;
const item = (name: string, kind = "file", size = 0, time = 0) => ({ name, kind, size, time });
const items = [item("b10", "file", 5, 3), item("B2", "file", 9, 1), item("a", "file", 5, 2), item("z", "folder", 0, 9), item("c", "folder", 0, 8)];
const names = (by: "name" | "size" | "time", down: boolean) => sorted(items, { by, down }, compare).map((one) => one.name);

test("folders first, then as people count", () => {
  expect(names("name", false)).toEqual(["c", "z", "a", "B2", "b10"]);
  expect(names("name", true)).toEqual(["z", "c", "b10", "B2", "a"]);
  expect(names("size", true)).toEqual(["c", "z", "B2", "a", "b10"]);
  expect(names("time", false)).toEqual(["c", "z", "B2", "a", "b10"]);
});

test("pressing the same head turns the order round", () => {
  expect(next({ by: "name", down: false }, "name")).toEqual({ by: "name", down: true });
  expect(next({ by: "name", down: true }, "size")).toEqual({ by: "size", down: true });
  expect(next({ by: "size", down: true }, "name")).toEqual({ by: "name", down: false });
});

test("ten thousand are in order at once", () => {
  const many = Array.from({ length: 10_000 }, (_, n) => item(`file ${(n * 7919) % 10_000}.txt`));
  const begin = performance.now();
  expect(sorted(many, { by: "name", down: false }, compare)[42]!.name).toBe("file 42.txt");
  expect(performance.now() - begin).toBeLessThan(2000);
});
