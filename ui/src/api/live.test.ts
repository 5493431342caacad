import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { effectScope, nextTick } from "vue";

class FakeSocket {
  static all: FakeSocket[] = [];
  onopen?: () => void;
  onmessage?: (message: { data: string }) => void;
  onclose?: () => void;
  constructor(readonly address: string) {
    FakeSocket.all.push(this);
  }
  close(): void {
    this.onclose?.();
  }
  tell(type: string, address = "0f"): void {
    this.onmessage?.({ data: JSON.stringify({ type, address, time: "", data: {} }) });
  }
}
const last = () => FakeSocket.all.at(-1)!;

/** A page just opened, of a program that lets it in. */
async function opened() {
  vi.resetModules();
  const [{ useLive, startLive, connection, tryNow }, { session }] = [await import("./live"), await import("./session")];
  startLive();
  session.value = "in";
  await nextTick();
  return { useLive, connection, tryNow, session };
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.all = [];
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("location", { protocol: "http:", host: "localhost:9112", hash: "" });
  vi.stubGlobal("document", { hidden: false, addEventListener: () => {}, documentElement: {} });
  vi.stubGlobal("fetch", async () => new Response(null, { status: 204 }));
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("what was asked for before the line of events opened is asked for again, also the first time", async () => {
  const { useLive } = await opened();
  let answer = 0;
  const live = effectScope().run(() => useLive(async () => ++answer, { on: ["message"] }))!;
  await vi.advanceTimersByTimeAsync(1);
  expect(live.data.value).toBe(1);
  last().onopen!(); // what happened since the answer nobody has told us
  await vi.advanceTimersByTimeAsync(1000);
  expect(live.data.value).toBe(2);
});

test("what is shown is asked for again when an event is about it, a flock of events asks once more", async () => {
  const { useLive } = await opened();
  last().onopen!();
  let answer = 0;
  const load = vi.fn(async () => ++answer);
  const live = effectScope().run(() => useLive(load, { on: ["message"], space: () => "0f" }))!;
  await vi.advanceTimersByTimeAsync(1);
  expect([live.data.value, live.loading.value]).toEqual([1, false]);
  last().tell("drive/changed");
  last().tell("message", "other");
  await vi.advanceTimersByTimeAsync(1000);
  expect(load).toHaveBeenCalledTimes(1);
  for (let n = 0; n < 50; n++) last().tell("message");
  await vi.advanceTimersByTimeAsync(2000);
  expect(load).toHaveBeenCalledTimes(3);
  expect(live.data.value).toBe(3);
});

test("events that keep coming do not keep an answer from being shown", async () => {
  const { useLive } = await opened();
  last().onopen!();
  let shown = 0;
  const slow = () => new Promise<number>((done) => setTimeout(() => done(++shown), 400));
  const live = effectScope().run(() => useLive(slow, { on: ["message"] }))!;
  for (let n = 0; n < 100; n++) {
    last().tell("message");
    await vi.advanceTimersByTimeAsync(50);
  }
  expect(live.data.value).toBeGreaterThan(5);
});

test("when the program is back, and when something was missed, everything is asked for again", async () => {
  const { useLive, connection } = await opened();
  last().onopen!();
  const load = vi.fn(async () => 1);
  const scope = effectScope();
  scope.run(() => useLive(load));
  await vi.advanceTimersByTimeAsync(300);
  last().onclose!();
  expect(connection.value).toBe("connecting");
  await vi.advanceTimersByTimeAsync(600);
  last().onclose!();
  expect(connection.value).toBe("away");
  await vi.advanceTimersByTimeAsync(1100);
  last().onopen!();
  await vi.advanceTimersByTimeAsync(300);
  expect(connection.value).toBe("live");
  expect(load).toHaveBeenCalledTimes(2);
  last().tell("events/missed");
  await vi.advanceTimersByTimeAsync(300);
  expect(load).toHaveBeenCalledTimes(3);
  scope.stop();
  last().tell("events/missed");
  await vi.advanceTimersByTimeAsync(300);
  expect(load, "a page that is gone asks nothing").toHaveBeenCalledTimes(3);
});

test("logged out, nothing is followed and nothing is tried", async () => {
  const { session, tryNow } = await opened();
  last().onopen!();
  session.value = "out";
  await nextTick();
  const count = FakeSocket.all.length;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(FakeSocket.all.length).toBe(count);
  session.value = "in";
  await nextTick();
  expect(FakeSocket.all.length).toBe(count + 1);
  tryNow();
  expect(FakeSocket.all.length, "one is enough").toBe(count + 1);
});
