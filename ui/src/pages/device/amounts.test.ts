import { expect, test } from "vitest";
import { countdown, howFar, inGigabytes, isLow, limit, upSince } from "./amounts";

const replica = (progress?: object) => ({ address: "a", addedAt: "", ...(progress && { progress: { bytesHave: 10, bytesKnown: 40, have: 1, known: 4, overQuota: false, size: 10, ...progress } }) });
const copy = (more: object) => ({ peerId: "p", state: "complete", words: "", blocksBehind: 0, bytesBehind: 0, online: true, free: 0, ...more });

test("limits are entered in gigabytes; nothing is no limit, nonsense is no answer", () => {
  expect([limit(""), limit("  "), limit("200"), limit("0,5")]).toEqual([null, null, 200e9, 5e8]);
  for (const text of ["0", "-1", "x", "1e9", "1.2.3", "9".repeat(30)]) expect(limit(text), text).toBeUndefined();
  expect([inGigabytes(5e8), inGigabytes(null), inGigabytes(undefined)]).toEqual(["0.5", "", ""]);
});

test("of our own spaces the receipts count, not an old report", () => {
  expect(howFar(replica({}), copy({ lastSyncAt: "2026-05-03T10:00:00Z" }))).toMatchObject({ state: "complete", provenAt: "2026-05-03T10:00:00Z" });
  expect(howFar(replica({ have: 4 }), copy({ state: "behind", blocksBehind: 2, bytesBehind: 7 }))).toMatchObject({ state: "incomplete", missing: 7 });
  expect(howFar(replica(), copy({ state: "partial" }))).toMatchObject({ state: "incomplete" });
});

test("of others' spaces the device's report counts; nothing known is not everything held", () => {
  expect(howFar(replica(), undefined)).toEqual({ state: "unknown" });
  expect(howFar(replica({ have: 0, known: 0 }), undefined)).toEqual({ state: "unknown" });
  expect(howFar(replica({}), undefined)).toMatchObject({ state: "incomplete", missing: 30 });
  expect(howFar(replica({ have: 4 }), undefined)).toMatchObject({ state: "complete" });
});

test("the countdown counts whole seconds and stops at zero", () => {
  const now = Date.parse("2026-05-03T10:00:00Z");
  expect(countdown("2026-05-03T10:10:00Z", now)).toBe("10:00");
  expect(countdown("2026-05-03T10:00:05.200Z", now)).toBe("0:06");
  expect(countdown("2026-05-03T11:01:01Z", now)).toBe("1:01:01");
  expect(countdown("2026-05-03T09:00:00Z", now)).toBe("0:00");
});

test("running time goes on, little room is little room", () => {
  expect(upSince({ uptime: 60, at: "2026-05-03T10:00:00Z" }, Date.parse("2026-05-03T10:00:30Z"))).toBe(90_000);
  expect(upSince({ uptime: 60, at: "2026-05-03T10:00:00Z" }, Date.parse("2026-05-03T09:00:00Z"))).toBe(60_000);
  expect([isLow(1e9), isLow(3e9), isLow(null), isLow(undefined)]).toEqual([true, false, false, false]);
});
