import { expect, test } from "vitest";
import { mended } from "./words";

test("a wrong word is replaced where it stands, numbers or not", () => {
  expect(mended("apple bannana cherry", { at: 2, typed: "bannana" }, "banana")).toBe("apple banana cherry");
  expect(mended("1 apple 2 bannana\n3 cherry", { at: 2, typed: "bannana" }, "banana")).toBe("1 apple 2 banana\n3 cherry");
  expect(mended("apple apple apple", { at: 2, typed: "apple" }, "ample")).toBe("apple ample apple");
});

test("in a text with several keys the word itself is found", () => {
  expect(mended("one two\n\nthre four", { at: 1, typed: "thre" }, "three")).toBe("one two\n\nthree four");
});

test("a missing word is put in, one too many is taken out", () => {
  expect(mended("apple cherry", { at: 2, typed: "" }, "banana")).toBe("apple banana cherry");
  expect(mended("apple cherry ", { at: 3, typed: "" }, "date")).toBe("apple cherry date");
  expect(mended("apple apple cherry", { at: 2, typed: "apple" }, "")).toBe("apple cherry");
});

test("a word that is not there any more changes nothing", () => {
  expect(mended("apple", { at: 4, typed: "gone" }, "x")).toBe("apple");
});
