import { expect, test } from "vitest";
import { fate, listed, said, type Command } from "./commands";

const command = (name: string, more: Partial<Command> = {}): Command => ({ id: name, command: name, author: "a", authorName: "Ann", time: "", state: "done", words: "", ...more });
const nameOf = (key: string) => ({ s1: "Photos", k1: "Bob" })[key];

test("commands in words, with the names that are known", () => {
  expect(said(command("replicate", { address: "s1" }), nameOf)).toBe("Keep Photos");
  expect(said(command("replicate", { address: "s1", name: "pics", quota: 5e9 }), nameOf)).toMatch(/^Keep pics, at most 5/);
  expect(said(command("unreplicate", { address: "0123456789abcdef" }), nameOf)).toBe("Stop keeping 01234567");
  expect(said(command("quota", { address: "s1" }), nameOf)).toBe("No limit for Photos");
  expect(said(command("add-admin", { publicKey: "k1" }), nameOf)).toBe("Take commands of Bob");
  expect(said(command("of-the-future"), nameOf)).toBe("of-the-future");
});

test("newest first; questions about its state only if wanted, or if they went wrong", () => {
  const all = [command("replicate"), command("status"), command("hide"), command("status", { id: "x", state: "refused" })];
  expect(listed(all, false).map((one) => one.id)).toEqual(["x", "hide", "replicate"]);
  expect(listed(all, true).length).toBe(4);
});

test("a fate that this page does not know is no success", () => expect(fate(command("hide", { state: "x" }))).toBe("waiting"));
