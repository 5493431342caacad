/**
 * What happens in the program, as it happens; and data that follows it.
 *
 * One web socket for the whole page (server-sent events would use up one of the six connections that a browser opens to a
 * program). It comes back by itself. Nothing the program knows is kept twice: `useLive` asks again when it may have changed.
 */
import { onScopeDispose, readonly, ref, shallowRef, watch, type Ref, type ShallowRef, type WatchSource } from "vue";
import { ApiError, type Schemas } from "./client";
import { begin, session } from "./session";

export type LiveEvent = Schemas["EventJson"];

/** Types of events that a program tells; what each means is in docs/api.md. */
export type Kind = LiveEvent["type"];

/** `away`: it was there and does not answer any more; the page tries on. */
export type Link = "connecting" | "live" | "away";

const link = ref<Link>("connecting");
export const connection = readonly(link);

const listeners = new Set<(event: LiveEvent) => void>();
/** Called when anything may have been missed. */
const refreshers = new Set<() => void>();

const FIRST_WAIT = 500;
const LONGEST_WAIT = 8000;
let socket: WebSocket | undefined;
let wait = FIRST_WAIT;
let timer: ReturnType<typeof setTimeout> | undefined;

function connect(): void {
  clearTimeout(timer);
  const secure = location.protocol === "https:" ? "wss" : "ws";
  const opened = new WebSocket(`${secure}://${location.host}/api`);
  socket = opened;
  opened.onopen = () => {
    [link.value, wait] = ["live", FIRST_WAIT];
    // Also the first time: what was asked for before this may have changed without being told.
    refresh();
  };
  opened.onmessage = (message) => hear(JSON.parse(String(message.data)) as LiveEvent);
  opened.onclose = () => {
    if (socket === opened) lost();
  };
}

function hear(event: LiveEvent): void {
  if (event.type === "events/missed") refresh();
  for (const listener of [...listeners]) listener(event);
}

function refresh(): void {
  for (const one of [...refreshers]) one();
}

/** Not told at once: a program that starts again is back before anybody should worry. */
function lost(): void {
  socket = undefined;
  link.value = wait > FIRST_WAIT ? "away" : "connecting";
  timer = setTimeout(retry, wait);
  wait = Math.min(wait * 2, LONGEST_WAIT);
}

/** A session may have ended with the program that knew it: ask first, the socket does not say why it is refused. */
async function retry(): Promise<void> {
  await begin();
  if (session.value === "in") connect();
}

/** Tries at once: somebody pressed a button, or looks at the page again. */
export function tryNow(): void {
  if (socket) return;
  clearTimeout(timer);
  void retry();
}

/** Follows the session: in = live. Called once. */
export function startLive(): void {
  watch(
    session,
    (state) => {
      // What was refused at the door is asked for again.
      if (state === "in") refresh();
      if (state === "in" && !socket) connect();
      if (state !== "in" && state !== "away") stop();
    },
    { immediate: true },
  );
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && session.value === "in") tryNow();
  });
}

function stop(): void {
  clearTimeout(timer);
  const closing = socket;
  socket = undefined;
  wait = FIRST_WAIT;
  closing?.close();
}

/** Hears events while the caller's component is there. */
export function useEvents(listener: (event: LiveEvent) => void): void {
  listeners.add(listener);
  onScopeDispose(() => listeners.delete(listener));
}

export interface Live<T> {
  /** what the program said last; stays while it is asked again */
  data: Readonly<ShallowRef<T | undefined>>;
  /** why there is nothing, or nothing newer */
  error: Readonly<Ref<ApiError | undefined>>;
  /** nothing has been said yet */
  loading: Readonly<Ref<boolean>>;
  /** asks again now */
  reload: () => Promise<void>;
}

export interface LiveOptions {
  /** which events change what is shown; nothing given: none do */
  on?: Kind[] | ((event: LiveEvent) => boolean);
  /** only events about this space */
  space?: () => string;
  /** asked again from the start when it changes */
  watch?: WatchSource | WatchSource[];
  /** milliseconds after which it is asked again without any event */
  every?: number;
}

/** Events come in flocks: the first is answered at once, what follows within this many milliseconds together. */
const GATHER = 250;

/** Data that follows the program. `load` gets a signal that ends it when nobody waits for its answer any more. */
export function useLive<T>(load: (signal: AbortSignal) => Promise<T>, options: LiveOptions = {}): Live<T> {
  const data = shallowRef<T>();
  const error = ref<ApiError>();
  const loading = ref(true);
  let running: AbortController | undefined;
  let gathering: ReturnType<typeof setTimeout> | undefined;
  let again = false;

  async function reload(): Promise<void> {
    running?.abort();
    const mine = (running = new AbortController());
    try {
      const answer = await load(mine.signal);
      if (running !== mine) return;
      [data.value, error.value] = [answer, undefined];
    } catch (failure) {
      if (running !== mine) return;
      running = undefined;
      if (!(failure instanceof ApiError)) throw failure;
      error.value = failure;
    }
    [loading.value, running] = [false, undefined];
    settle();
  }

  /** Never cuts off an answer that is on its way: while events keep coming, something must be shown. */
  function soon(): void {
    if (gathering || running) {
      again = true;
      return;
    }
    gathering = setTimeout(() => {
      gathering = undefined;
      settle();
    }, GATHER);
    void reload();
  }

  function settle(): void {
    if (!again || gathering || running) return;
    again = false;
    soon();
  }

  const wants = (event: LiveEvent): boolean => {
    if (options.space && event.address !== options.space()) return false;
    return typeof options.on === "function" ? options.on(event) : !!options.on?.includes(event.type);
  };
  useEvents((event) => {
    if (wants(event)) soon();
  });
  refreshers.add(soon);
  if (options.watch) {
    watch(options.watch, () => {
      [data.value, error.value, loading.value] = [undefined, undefined, true];
      void reload();
    });
  }
  const ticking = options.every ? setInterval(() => document.hidden || soon(), options.every) : undefined;
  onScopeDispose(() => {
    refreshers.delete(soon);
    running?.abort();
    running = undefined;
    clearTimeout(gathering);
    clearInterval(ticking);
  });
  void reload();
  return { data, error, loading, reload } as Live<T>;
}
