/** What was said, put together from pages of the newest and of earlier ones, and made ready to be shown. Pure. */
import type { Schemas } from "@/api/client";

export type Message = Schemas["MessageJson"];

/** Oldest first, as every peer has it: by the author's clock, then by writer and place in the writer's log. */
function before(a: Message, b: Message): number {
  const time = Date.parse(a.time) - Date.parse(b.time);
  if (time !== 0) return time;
  const [[writerA, blockA], [writerB, blockB]] = [a.id.split("-"), b.id.split("-")];
  if (writerA !== writerB) return writerA! < writerB! ? -1 : 1;
  return Number(blockA) - Number(blockB);
}

/** Both together, each message once; what `newer` says of one counts. */
export function merged(known: readonly Message[], newer: readonly Message[]): Message[] {
  const all = new Map(known.map((message) => [message.id, message]));
  for (const message of newer) all.set(message.id, message);
  return [...all.values()].sort(before);
}

/**
 * The newest page, asked for again. If it does not reach what was known (very much was said meanwhile), what was known is let go
 * of, so that no gap is shown as if nothing was there: earlier ones are asked for again by whoever wants them.
 */
export function renewed(known: readonly Message[], newest: readonly Message[], size: number): { messages: Message[]; gap: boolean } {
  const ids = new Set(known.map((message) => message.id));
  const gap = known.length > 0 && newest.length >= size && !newest.some((message) => ids.has(message.id));
  return { messages: merged(gap ? [] : known, newest), gap };
}

export interface Group {
  /** id of its first message */
  id: string;
  publicKey: string;
  name: string;
  time: string;
  /** whom it is for, if for one alone */
  to?: { key: string; name: string };
  messages: Message[];
}

export interface Day {
  /** midnight at which it begins, in milliseconds, by this machine's clock */
  start: number;
  groups: Group[];
}

/** Messages of one person to the same people, said within so many milliseconds, are one group. */
const TOGETHER = 5 * 60_000;

export function days(messages: readonly Message[]): Day[] {
  const all: Day[] = [];
  for (const message of messages) {
    const start = new Date(message.time).setHours(0, 0, 0, 0);
    let day = all.at(-1);
    if (day?.start !== start) all.push((day = { start, groups: [] }));
    const group = day.groups.at(-1);
    if (group && continues(group, message)) group.messages.push(message);
    else day.groups.push(begun(message));
  }
  return all;
}

function continues(group: Group, message: Message): boolean {
  const last = group.messages.at(-1)!;
  const isSame = group.publicKey === message.publicKey && group.to?.key === (message.private ? (message.to ?? "") : undefined);
  return isSame && Date.parse(message.time) - Date.parse(last.time) < TOGETHER;
}

function begun(message: Message): Group {
  const { id, publicKey, name, time } = message;
  const to = message.private ? { key: message.to ?? "", name: message.toName ?? "" } : undefined;
  return { id, publicKey, name, time, to, messages: [message] };
}

/** Bytes that one message may have. */
export const MOST_BYTES = 30_000;

export function bytesOver(text: string): number {
  return Math.max(0, new TextEncoder().encode(text).length - MOST_BYTES);
}
