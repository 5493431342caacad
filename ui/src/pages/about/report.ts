/**
 * What a report of a problem says: versions and counts. Never a name, a key, an address, a path: those who read it have no
 * business with them, and reports are copied into public places.
 */
import type { Schemas } from "@/api/client";

type Status = Schemas["StatusJson"];
/** Lines of the log in a report, at most. */
const MOST = 60;

export function facts(status: Status, browser: string): string[] {
  const online = status.peers.filter((peer) => peer.online).length;
  return [
    `CoBox ${status.version}`,
    `Browser: ${browser}`,
    `Spaces: ${status.spaces.length}, with ${status.spaces.reduce((sum, space) => sum + space.files, 0)} files and ${status.spaces.reduce((sum, space) => sum + space.conflicts, 0)} conflicts`,
    `Copies kept for others: ${status.replicas.length}`,
    `Peers: ${status.peers.length}, ${online} of them online`,
  ];
}

/** The last lines of the log without what is ours alone. */
export function masked(lines: readonly string[], status: Status): string[] {
  const names = [status.name, ...status.spaces.map((space) => space.name)].filter((name) => name.length > 1);
  // Longer ones first: one name may be a part of another.
  const own = [status.home, ...names.sort((a, b) => b.length - a.length)];
  return lines.slice(-MOST).map((line) => own.reduce((text, word) => text.replaceAll(word, "…"), line)).map(mask);
}

/** Whatever looks like a key, an address of a network, or a path. */
function mask(line: string): string {
  return line
    .replace(/\b[0-9a-f]{12,}\b/gi, "…")
    .replace(/\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b/g, "…")
    .replace(/\[?\b(?:[0-9a-f]{0,4}:){3,}[0-9a-f]{0,4}\b\]?(?::\d+)?/gi, "…")
    .replace(/"[^"]*"/g, '"…"')
    .replace(/(^|[\s=(])(?:\/[^\s/:,)]+){2,}\/?/g, "$1…");
}
