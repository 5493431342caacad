/** Who else holds everything of a space, by what they have signed: what remains when we leave. Pure. */
import type { Schemas } from "@/api/client";
import type { Machine } from "@/api/devices";
import { short } from "@/lib/colour";

export interface Remaining {
  peerId: string;
  kind: "device" | "member" | "unknown";
  name: string;
  /** RFC 3339: when it last proved that it held everything */
  at: string;
}

/** Newest proof first; our own machine is left out, and whoever has left. */
export function remaining(space: Pick<Schemas["SpaceDetailJson"], "members" | "receipts">, machines: readonly Machine[]): Remaining[] {
  const all = space.receipts.filter((receipt) => receipt.complete).flatMap((receipt): Remaining[] => {
    const { peerId, lastSyncAt: at } = receipt;
    const machine = machines.find((one) => one.peerId === peerId);
    if (machine) return [{ peerId, kind: "device", name: machine.name, at }];
    const member = space.members.find((one) => one.devices.some((device) => device.peerId === peerId));
    if (member?.me || member?.standing === "left") return [];
    if (member) return [{ peerId, kind: "member", name: member.name || short(member.publicKey), at }];
    return [{ peerId, kind: receipt.replicator ? "unknown" : "member", name: short(peerId), at }];
  });
  return all.sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
}
