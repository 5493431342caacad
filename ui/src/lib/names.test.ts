import { expect, test } from "vitest";
import { encode, exact, shown, toName } from "./names";

const b64 = (bytes: number[]) => btoa(String.fromCharCode(...bytes));

test("text stays text", () => {
  for (const name of ["plan.txt", "schön", "🎸", "a b&c+d"]) {
    expect(exact({ name })).toBe(name);
    expect(toName(name)).toEqual({ name });
    expect(decodeURIComponent(encode(name))).toBe(name);
  }
});

test("bytes that are no text survive every way", () => {
  for (const bytes of [[0xff], [0x61, 0xff, 0x62], [0xe2, 0x82], [0xc3, 0xb6, 0x80], [0xed, 0xa0, 0x80]]) {
    const text = exact({ name: "?", nameBytes: b64(bytes) });
    expect(toName(text).nameBytes).toBe(b64(bytes));
    expect(shown(text).isWellFormed()).toBe(true);
    const inUrl = encode(text).replace(/%([0-9A-F]{2})|(.)/g, (_, hex: string, plain: string) => `${hex ? parseInt(hex, 16) : plain.charCodeAt(0)},`);
    expect(inUrl).toBe(bytes.map((byte) => `${byte},`).join(""));
  }
});
