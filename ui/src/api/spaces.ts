/** Our spaces with what the list of the API leaves out: their health and their members. Live. */
import { api, type Schemas } from "./client";
import { useLive, type Live } from "./live";

export interface Overview {
  space: Schemas["SpaceJson"];
  /** missing if it could not be told just now */
  health?: Schemas["HealthJson"];
  members: Schemas["MemberJson"][];
}

export function useOverviews(): Live<Overview[]> {
  return useLive(load, {
    on: [
      "drive/changed", "drive/conflicts", "space/about", "space/mount", "space/last-sync", "space/health", "peer/about", "peer/connection",
      "member/presence", "member/left",
    ],
    // Proofs grow old without any event.
    every: 60_000,
  });
}

async function load(signal: AbortSignal): Promise<Overview[]> {
  const spaces = await api.get("/api/spaces", { signal });
  const all = await Promise.all(spaces.map((space) => overview(space, signal)));
  return all.sort((a, b) => a.space.name.localeCompare(b.space.name));
}

/** A space that was deleted in this moment has neither. */
async function overview(space: Schemas["SpaceJson"], signal: AbortSignal): Promise<Overview> {
  const path = { space: space.address };
  const [health, members] = await Promise.allSettled([
    api.get("/api/spaces/{space}/health", { path, signal }),
    api.get("/api/spaces/{space}/members", { path, signal }),
  ]);
  return {
    space,
    health: health.status === "fulfilled" ? health.value : undefined,
    members: members.status === "fulfilled" ? members.value.filter((member) => member.standing === "joined") : [],
  };
}

/** Bytes that are known of and not here yet; 0 once all is here. */
export function missing(space: Pick<Schemas["SpaceJson"], "progress">): number {
  const { known, held, bytesKnown, bytesHeld } = space.progress;
  return held < known ? Math.max(1, bytesKnown - bytesHeld) : 0;
}
