import { expect, test } from "vitest";
import { decoded } from "./text";

const utf8 = (text: string) => new TextEncoder().encode(text);

test("text is text, in the encodings that people have", () => {
  expect(decoded(utf8("schön\n\t🎸"), false)).toBe("schön\n\t🎸");
  expect(decoded(new Uint8Array([0xff, 0xfe, 0x61, 0]), false)).toBe("a");
  expect(decoded(new Uint8Array([0x73, 0x63, 0x68, 0xf6, 0x6e]), false)).toBe("schön");
});

test("a character that is cut in two does not spoil the rest", () => {
  expect(decoded(utf8("ab🎸").subarray(0, 4), true)).toBe("ab");
});

test("noise is none", () => {
  expect(decoded(new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]), false)).toBeUndefined();
});
