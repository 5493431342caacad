import { expect, test } from "vitest";
import { pasted } from "./publickey";

const KEY = "6224701ddc863c02657ac34d129629c69cab80609a902cfacc2ba1bb6b95adf6";

test("a key is found as people paste it", () => {
  const kinds = [KEY, ` ${KEY}\n`, KEY.toUpperCase(), `My key: ${KEY}.`, `${KEY.slice(0, 40)}\n  ${KEY.slice(40)}`, KEY.match(/.{8}/g)!.join(" "), `\u200b${KEY}`];
  for (const text of kinds) expect(pasted(text)).toEqual({ key: KEY });
});

test("what is no key is told apart", () => {
  expect(pasted("  ")).toEqual({ wrong: "empty" });
  expect(pasted(KEY.slice(1))).toEqual({ wrong: "short" });
  expect(pasted(`${KEY}a`)).toEqual({ wrong: "long" });
  expect(pasted("x".repeat(300))).toEqual({ wrong: "code" });
  expect(pasted("alice")).toEqual({ wrong: "other" });
  // Two keys: which one is meant is not ours to guess.
  expect("wrong" in pasted(`${KEY} ${KEY.replaceAll("6", "7")}`)).toBe(true);
});
