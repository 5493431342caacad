/** Announcing devices that we could set up: not those that obey us already. By name, then key. */
import type { Schemas } from "@/api/client";
import type { Machine } from "@/api/devices";
import { collator } from "@/lib/i18n";

export type Seen = Schemas["SeenDeviceJson"];

export function offered(seen: readonly Seen[], machines: readonly Machine[]): Seen[] {
  const ours = new Set(machines.filter((machine) => machine.admin).map((machine) => machine.peerId));
  return seen
    .filter((one) => !ours.has(one.publicKey))
    .sort((a, b) => Number(a.claimed) - Number(b.claimed) || collator.value.compare(a.name, b.name) || (a.publicKey < b.publicKey ? -1 : 1));
}

/** The code as the program takes it: eight digits, however they are written. */
export function digits(code: string): string {
  return code.replace(/\D/g, "");
}
