import { expect, test } from "vitest";
import { above, inside, said } from "./said";

test("texts as they are, other values as JSON", () => {
  expect([said("<b>"), said(5), said({ a: [1] }), said(null)]).toEqual(["<b>", "5", '{"a":[1]}', "null"]);
});

test("into folders and out again", () => {
  expect([inside("", "a"), inside("a", "b"), above("a/b"), above("a"), above("")]).toEqual(["a", "a/b", "a", "", ""]);
});
