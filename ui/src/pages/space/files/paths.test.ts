import { expect, test } from "vitest";
import { ending, freeName, fromQuery, isWithin, join, last, nameProblem, parent, steps, toQuery } from "./paths";

test("paths are cut and joined", () => {
  expect([join("", "a"), join("a", "b"), parent("a/b/c"), parent("a"), parent(""), last("a/b"), last("a")]).toEqual(["a", "a/b", "a/b", "", "", "b", "a"]);
  expect(steps("a/b")).toEqual([{ name: "a", path: "a" }, { name: "b", path: "a/b" }]);
  expect(steps("")).toEqual([]);
});

test("a folder is within itself, its namesake's neighbour is not", () => {
  expect([isWithin("a/b", "a"), isWithin("a", "a"), isWithin("ab", "a"), isWithin("x", "")]).toEqual([true, true, false, true]);
});

test("every path survives the page's address", () => {
  for (const path of ["", "2026/May 1.svg", "100% sure/%41", "🎸/Träumerei", "مرحبا", "a\udcff/\udc80b", "a\ud83c\udfb8\udcff"]) {
    expect(fromQuery(toQuery(path))).toBe(path);
    expect(toQuery(path).isWellFormed()).toBe(true);
  }
  expect(fromQuery(undefined)).toBe("");
  expect(fromQuery("/a//b/")).toBe("a/b");
});

test("a free name counts before the ending", () => {
  const taken = new Set(["plan 2.txt", "plan 3.txt"]);
  expect(freeName("plan.txt", (name) => taken.has(name))).toBe("plan 4.txt");
  expect(freeName("plan 2.txt", (name) => taken.has(name))).toBe("plan 4.txt");
  expect(freeName(".profile", () => false)).toBe(".profile 2");
  expect([ending("a.tar.gz"), ending(".x"), ending("a")]).toEqual([5, 2, 1]);
});

test("what cannot be a name is told apart", () => {
  expect(["", ".", "..", "a/b", "ä".repeat(128), "ok", "a".repeat(255)].map(nameProblem)).toEqual(["empty", "dots", "dots", "slash", "long", undefined, undefined]);
});
