import { expect, test } from "vitest";
import { bytesOver, days, merged, renewed, type Message } from "./timeline";

const said = (id: string, time: string, more: Partial<Message> = {}): Message => ({ id, time, publicKey: "a1", name: "Ann", private: false, text: id, ...more });
const at = (minute: number) => new Date(2026, 4, 3, 12, minute).toISOString();
const ids = (messages: readonly Message[]) => messages.map((message) => message.id);

test("pages become one list, each message once, in the order that all peers have", () => {
  const known = [said("b-1", at(1)), said("b-2", at(3))];
  const more = [said("a-1", at(0)), said("b-1", at(1), { name: "Anna" }), said("a-10", at(3)), said("a-9", at(3))];
  const all = merged(known, more);
  expect(ids(all)).toEqual(["a-1", "b-1", "a-9", "a-10", "b-2"]);
  expect(all[1]!.name).toBe("Anna");
});

test("fractions of a second are compared as times, not as texts", () => {
  expect(ids(merged([said("a-1", "2026-05-03T10:00:00.5Z")], [said("a-2", "2026-05-03T10:00:00.45Z")]))).toEqual(["a-2", "a-1"]);
});

test("a gap is never shown as if nothing was there", () => {
  const known = [said("a-1", at(0)), said("a-2", at(1))];
  expect(renewed(known, [said("a-8", at(8)), said("a-9", at(9))], 2)).toMatchObject({ gap: true });
  expect(ids(renewed(known, [said("a-8", at(8)), said("a-9", at(9))], 2).messages)).toEqual(["a-8", "a-9"]);
  expect(ids(renewed(known, [said("a-2", at(1)), said("a-3", at(2))], 2).messages)).toEqual(["a-1", "a-2", "a-3"]);
  // A page that is not full is all there is.
  expect(renewed(known, [said("a-8", at(8))], 2).gap).toBe(false);
});

test("days and groups: another person, another reader, a pause begin a new one", () => {
  const messages = [
    said("a-1", at(0)),
    said("a-2", at(2)),
    said("a-3", at(3), { private: true, to: "b2" }),
    said("a-4", at(4), { private: true, to: "c3" }),
    said("b-1", at(5), { publicKey: "b2" }),
    said("b-2", at(30), { publicKey: "b2" }),
    said("b-3", new Date(2026, 4, 4, 0, 0).toISOString(), { publicKey: "b2" }),
  ];
  const all = days(messages);
  expect(all.map((day) => day.groups.map((group) => ids(group.messages)))).toEqual([[["a-1", "a-2"], ["a-3"], ["a-4"], ["b-1"], ["b-2"]], [["b-3"]]]);
  expect(all[1]!.start).toBe(new Date(2026, 4, 4).getTime());
});

test("length is counted in bytes, as the program does", () => {
  expect(bytesOver("a".repeat(30_000))).toBe(0);
  expect(bytesOver("ä".repeat(15_001))).toBe(2);
});
