/** Who we are, for all pages: asked once, and again when our name changes. */
import { effectScope } from "vue";
import { api } from "./client";
import { useLive, type Live } from "./live";
import type { Schemas } from "./client";

let shared: Live<Schemas["IdentityJson"]> | undefined;

export function useMe(): Live<Schemas["IdentityJson"]> {
  // Not bound to the first component that asks.
  shared ??= effectScope(true).run(() =>
    useLive((signal) => api.get("/api/identities/current", { signal }), { on: ["peer/about"] }),
  )!;
  return shared;
}
