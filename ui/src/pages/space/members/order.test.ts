import { expect, test } from "vitest";
import { ordered } from "./order";

const member = (name: string, more: object = {}) => ({ publicKey: `${name}0`, name, me: false, standing: "joined", access: "write", online: false, devices: [], ...more });

test("ourselves first, then who is there, then by name; the nameless last", () => {
  const all = [member("zoe"), member(""), member("Bob 10"), member("bob 2"), member("Ann", { me: true }), member("Yan", { online: true })];
  expect(ordered(all).joined.map((one) => one.name)).toEqual(["Ann", "Yan", "bob 2", "Bob 10", "zoe", ""]);
});

test("those who have not come or have left are apart", () => {
  const all = [member("a", { standing: "left" }), member("b", { standing: "invited" }), member("c")];
  const { joined, invited, left } = ordered(all);
  expect([joined, invited, left].map((part) => part.map((one) => one.name))).toEqual([["c"], ["b"], ["a"]]);
});
