import { expect, test } from "vitest";
import { Queue, type Upload } from "./queue";

const file = (size: number) => ({ size }) as File;
const wanted = (count: number) => Array.from({ length: count }, (_, n) => ({ space: "s", path: `f${n}`, file: file(10) }));
const soon = () => new Promise((done) => setTimeout(done));

/** A sender whose uploads end when the test says so. */
function held() {
  const open = new Map<string, { end: () => void; fail: (error: unknown) => void; progress: (sent: number) => void; signal: AbortSignal }>();
  const send = (upload: Upload, signal: AbortSignal, progress: (sent: number) => void) =>
    new Promise<void>((end, fail) => {
      signal.addEventListener("abort", () => fail(new DOMException("", "AbortError")));
      open.set(upload.path, { end, fail, progress, signal });
    });
  const queue = new Queue(send, () => {});
  const states = () => queue.uploads.map((one) => one.state).join(" ");
  return { open, queue, states };
}

test("three at a time, in order", async () => {
  const { open, queue, states } = held();
  queue.add(wanted(5));
  expect(states()).toBe("running running running waiting waiting");
  open.get("f1")!.end();
  await soon();
  expect(states()).toBe("running done running running waiting");
});

test("totals move with what is sent", async () => {
  const { open, queue } = held();
  queue.add(wanted(2));
  open.get("f0")!.progress(4);
  expect(queue.totals()).toEqual({ files: 2, done: 0, failed: 0, open: 2, bytes: 20, sent: 4 });
  open.get("f0")!.end();
  await soon();
  expect(queue.totals()).toMatchObject({ done: 1, sent: 10, open: 1 });
});

test("what is stopped is cut off, counts no more, and makes room", async () => {
  const { open, queue, states } = held();
  queue.add(wanted(4));
  queue.stop(0);
  await soon();
  expect(open.get("f0")!.signal.aborted).toBe(true);
  expect(states()).toBe("stopped running running running");
  expect(queue.totals().files).toBe(3);
  queue.stopAll();
  await soon();
  expect(states()).toBe("stopped stopped stopped stopped");
});

test("what failed says why and is tried again, also only what nobody answered", async () => {
  const { open, queue, states } = held();
  queue.add(wanted(2));
  open.get("f0")!.fail(new Error("full"));
  open.get("f1")!.fail(Object.assign(new Error("away"), { isAway: true }));
  await soon();
  expect(queue.uploads.map((one) => one.problem)).toEqual(["full", "away"]);
  queue.retry((one) => one.isAway === true);
  expect(states()).toBe("failed running");
  queue.retry();
  expect(states()).toBe("running running");
  expect(queue.uploads[0]!.problem).toBeUndefined();
});

test("a new batch begins to count anew, but failures stay", async () => {
  const { open, queue } = held();
  queue.add(wanted(2));
  open.get("f0")!.end();
  open.get("f1")!.fail(new Error("full"));
  await soon();
  queue.add([{ space: "s", path: "g", file: file(5) }]);
  expect(queue.uploads.map((one) => one.path)).toEqual(["f1", "g"]);
});

test("ten thousand small ones go through", async () => {
  let sent = 0;
  const queue = new Queue(async () => void (sent += 1), () => {});
  queue.add(wanted(10_000));
  while (queue.totals().open) await soon();
  expect(sent).toBe(10_000);
});
