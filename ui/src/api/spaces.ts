/** Our spaces, each with its health and the people who are in it. Live. */
import { api, type Schemas } from "./client";
import { useLive, type Live } from "./live";

export type Overview = Schemas["OverviewJson"];

export function useOverviews(): Live<Overview[]> {
  return useLive(load, {
    on: [
      "drive/changed", "drive/conflicts", "space/about", "space/changed", "space/removed", "space/mount", "space/last-sync", "space/health",
      "peer/about", "peer/connection", "member/changed", "member/presence", "member/left",
    ],
    // Proofs grow old without any event.
    every: 60_000,
  });
}

async function load(signal: AbortSignal): Promise<Overview[]> {
  const all = await api.get("/api/overview", { signal });
  return all.sort((a, b) => a.space.name.localeCompare(b.space.name));
}

/** Bytes that are known of and not here yet; 0 once all is here. */
export function missing(space: Pick<Schemas["SpaceJson"], "progress">): number {
  const { known, held, bytesKnown, bytesHeld } = space.progress;
  return held < known ? Math.max(1, bytesKnown - bytesHeld) : 0;
}
