/**
 * Why a space is green, amber or red, in words, and what to do about it.
 *
 * The colour is the program's; the words are made here from the same facts, so that they are in the person's language. Pure.
 */
import type { Schemas } from "@/api/client";
import { ago, bytes, span } from "@/lib/i18n";
import { t } from "@/texts/health";

type Health = Schemas["HealthJson"];
export type Copy = Schemas["CopyJson"];

export function why(health: Health, now: number): string {
  const { threshold, copies, complete, colour } = health;
  const time = span(health.tolerance);
  if (threshold === 0) return t("whyNoneWanted");
  if (copies.length === 0) return t("whyNoCopies");
  if (colour === "red") {
    const newest = copies.map((copy) => copy.lastSyncAt).filter((at) => !!at).sort((a, b) => Date.parse(b!) - Date.parse(a!))[0];
    return newest ? t("whyOld", { time, ago: ago(newest, now) }) : t("whyNoneComplete");
  }
  if (complete === 0) return t("whyBehindOnly", { time });
  return t(colour === "green" ? "whyMany" : "whyFew", { n: complete, wanted: threshold, time });
}

/** How one copy is. */
export function how(copy: Copy, now: number): string {
  const [size, when] = [bytes(copy.bytesBehind), copy.lastSyncAt ? ago(copy.lastSyncAt, now) : ""];
  switch (copy.state) {
    case "complete":
      return t(copy.blocksBehind === 0 ? "copyComplete" : "copyCatching", { ago: when });
    case "behind":
      return t("copyBehind", { size, ago: when });
    case "stale":
      return t("copyStale", { ago: when });
    default:
      return copy.bytesBehind > 0 ? t("copyPartial", { size }) : t("copyPartialNothing");
  }
}

export type Step =
  | { kind: "replicate"; missing: number }
  | { kind: "wake" | "wait" | "room" | "quota"; copy: Copy };

/** Less than this, or than what is to come, is too little room. */
const LITTLE = 500_000_000;

/**
 * What helps, the most urgent first. `isFull` says whether a device left something out because of its limit. A safe space needs
 * nothing but room for what comes.
 */
export function steps(health: Health, isFull: (copy: Copy) => boolean = () => false): Step[] {
  const { threshold, copies, colour } = health;
  if (threshold === 0) return [];
  const room = copies.filter((copy) => copy.free < Math.max(LITTLE, copy.bytesBehind)).map((copy): Step => ({ kind: "room", copy }));
  if (colour === "green") return room;
  const lacking = copies.filter((copy) => copy.state !== "complete");
  const full = lacking.filter(isFull);
  const rest = lacking.filter((copy) => !full.includes(copy) && copy.free >= Math.max(LITTLE, copy.bytesBehind));
  const missing = threshold - copies.length;
  return [
    ...full.map((copy): Step => ({ kind: "quota", copy })),
    ...room,
    ...(missing > 0 ? [{ kind: "replicate" as const, missing }] : []),
    ...rest.filter((copy) => !copy.online).map((copy): Step => ({ kind: "wake", copy })),
    ...rest.filter((copy) => copy.online).map((copy): Step => ({ kind: "wait", copy })),
  ];
}

const ORDER = ["red", "amber", "green"];

/** The worst first; those of which nothing is known, and empty ones, after those that are at risk. */
export function urgency(colour: string | undefined, isEmpty: boolean): number {
  if (isEmpty) return 3;
  const at = ORDER.indexOf(colour ?? "");
  return at < 0 ? 1.5 : at;
}
