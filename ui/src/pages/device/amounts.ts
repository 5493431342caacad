/** Amounts on a device's page: how far a copy is, limits, time. Pure. */
import type { Schemas } from "@/api/client";

type Replica = Schemas["DeviceReplicaJson"];
type Copy = Schemas["CopyJson"];

const GB = 1e9;

/** A limit as it is entered, in gigabytes, to bytes: nothing entered is no limit (`null`); no number is no answer. */
export function limit(text: string): number | null | undefined {
  const tight = text.trim().replace(",", ".");
  if (!tight) return null;
  const value = /^\d+(\.\d+)?$/.test(tight) ? Math.round(Number(tight) * GB) : NaN;
  return value > 0 && Number.isSafeInteger(value) ? value : undefined;
}

/** The other way round, for the field. */
export function inGigabytes(bytes: number | null | undefined): string {
  return bytes ? String(Math.round((bytes / GB) * 1000) / 1000) : "";
}

export interface HowFar {
  state: "unknown" | "complete" | "incomplete";
  /** blocks, if the device told them */
  have?: number;
  known?: number;
  bytesHave?: number;
  bytesKnown?: number;
  /** bytes still to come */
  missing?: number;
  /** RFC 3339: when the device proved that it holds everything */
  provenAt?: string;
}

/**
 * How far a copy is. Of our own spaces its receipts tell at once (`copy`); of others, and before it has sent any, its last report
 * does. The device knows of no more than it was sent: a report of an empty shelf is no sign of completeness.
 */
export function howFar(replica: Replica, copy: Copy | undefined): HowFar {
  const told = replica.progress ?? undefined;
  const of = told && { have: told.have, known: told.known, bytesHave: told.bytesHave, bytesKnown: told.bytesKnown };
  if (copy) {
    const provenAt = copy.lastSyncAt ?? undefined;
    if (copy.blocksBehind === 0 && copy.state !== "partial") return { state: "complete", ...of, provenAt };
    return { state: "incomplete", ...of, missing: copy.bytesBehind, provenAt };
  }
  if (!told || told.known === 0) return { state: "unknown" };
  return told.have >= told.known ? { state: "complete", ...of } : { state: "incomplete", ...of, missing: told.bytesKnown - told.bytesHave };
}

/** Less than this is little for a disk that others rely on. */
const LITTLE = 2 * GB;

export function isLow(free: number | null | undefined): boolean {
  return typeof free === "number" && free < LITTLE;
}

/** Milliseconds for which it has been running, if it has gone on since it said so. */
export function upSince(status: Pick<Schemas["DeviceStatusJson"], "uptime" | "at">, now: number): number {
  return status.uptime * 1000 + Math.max(0, now - Date.parse(status.at));
}

/** "9:05" of what is left; never below zero. */
export function countdown(until: string, now: number): string {
  const seconds = Math.max(0, Math.ceil((Date.parse(until) - now) / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const two = (value: number) => String(value).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
