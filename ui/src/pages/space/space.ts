/** The space whose page this is, for all its tabs: asked for once, live. */
import { computed, inject, type ComputedRef, type InjectionKey } from "vue";
import type { Schemas } from "@/api/client";
import type { Live } from "@/api/live";

export type SpaceDetail = Schemas["SpaceDetailJson"];
export const SPACE: InjectionKey<Live<SpaceDetail>> = Symbol("space");

/** For tabs. They are only shown once the space is there, so its data always is. */
export function useSpace(): { space: ComputedRef<SpaceDetail>; address: ComputedRef<string>; reload: () => Promise<void> } {
  const live = inject(SPACE)!;
  const space = computed(() => live.data.value!);
  return { space, address: computed(() => space.value.address), reload: live.reload };
}
