import { expect, test } from "vitest";
import type { Version } from "../history/versions";
import { canKeepAll, nameBeside } from "./settle";

test("a kept version is named after its author", () => {
  expect(nameBeside("plan.txt", "Bob Brunnen", () => false)).toBe("plan (Bob Brunnen).txt");
  expect(nameBeside("plan", "a/b", () => false)).toBe("plan (a b)");
  const taken = new Set(["plan (Bob).txt"]);
  expect(nameBeside("plan.txt", "Bob", (name) => taken.has(name))).toBe("plan (Bob) 2.txt");
});

test("only files can all be kept", () => {
  const written = { what: "written", size: 1 } as Version;
  const deleted = { what: "deleted", size: null } as Version;
  expect(canKeepAll("content", [written, written])).toBe(true);
  expect(canKeepAll("name", [written, written])).toBe(true);
  expect(canKeepAll("life", [written, deleted])).toBe(false);
  expect(canKeepAll("place", [written, written])).toBe(false);
});
