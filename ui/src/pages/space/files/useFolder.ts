/** One folder of a space, live: its entries in the chosen order, and what can be done with them. */
import { computed, ref, type Ref } from "vue";
import { useLive, type LiveEvent } from "@/api/live";
import { collator } from "@/lib/i18n";
import { keep, kept } from "@/lib/kept";
import { shown } from "@/lib/names";
import { done, failed } from "@/lib/toast";
import { t } from "@/texts/files";
import { createFolder, list, move, remove, restore, type Item } from "./drive";
import { isWithin, join, last } from "./paths";
import { next, ORDERS, sorted, type Order, type Sorting } from "./sort";

/** Of which folder the listing is: while another is asked for, the old one must not be taken for it. */
export interface Folder {
  path: string;
  items: Item[];
}

/** The order is one choice for all folders of this browser. */
function useSorting() {
  const by = kept("files.by", ORDERS) ?? "name";
  const sorting = ref<Sorting>({ by, down: kept("files.down", ["yes"]) === "yes" });
  function sortBy(order: Order): void {
    sorting.value = next(sorting.value, order);
    keep("files.by", sorting.value.by);
    keep("files.down", sorting.value.down ? "yes" : null);
  }
  return { sorting, sortBy };
}

export function useFolder(space: Ref<string>, path: Ref<string>) {
  const { sorting, sortBy } = useSorting();

  /** Events name paths for eyes; one that is no text could be any. */
  function concerns(event: LiveEvent): boolean {
    if (event.type === "drive/conflicts" || event.type === "space/last-sync") return true;
    if (event.type !== "drive/changed") return false;
    const changed = String((event.data as { path?: string }).path ?? "").replace(/^\/+/, "");
    return isWithin(changed, shown(path.value)) || isWithin(shown(path.value), changed) || !path.value.isWellFormed();
  }

  const live = useLive<Folder>(async (signal) => ({ path: path.value, items: await list(space.value, path.value, { signal }) }), {
    space: () => space.value,
    on: concerns,
    watch: [space, path],
  });
  const items = computed(() => sorted(live.data.value?.items ?? [], sorting.value, collator.value.compare));
  const names = computed(() => new Set(items.value.map((item) => item.name)));

  async function create(name: string): Promise<void> {
    await createFolder(space.value, join(path.value, name));
    done(t("created", { name: shown(name) }));
    await live.reload();
  }

  async function rename(item: Item, name: string): Promise<void> {
    const to = join(path.value, name);
    await move(space.value, item.path, to);
    const undo = () => attempt(() => move(space.value, to, item.path));
    done(t("renamed", { from: shown(item.name), to: shown(name) }), { label: t("undo"), run: undo });
    await live.reload();
  }

  /** What has its name taken in the other folder stays: nothing is overwritten. */
  async function moveTo(chosen: readonly Item[], folder: string, label: string): Promise<void> {
    const taken = new Set((await list(space.value, folder)).map((item) => item.name));
    const free = chosen.filter((item) => !taken.has(item.name));
    const moved: Item[] = [];
    try {
      for (const item of free) {
        await move(space.value, item.path, join(folder, item.name));
        moved.push(item);
      }
    } finally {
      const back = () => attempt(async () => {
        for (const item of moved) await move(space.value, join(folder, item.name), item.path);
      });
      if (moved.length) done(t("moved", { n: moved.length, folder: label }), { label: t("undo"), run: back });
      if (free.length < chosen.length) failed(new Error(t("movedTaken", { n: chosen.length - free.length, folder: label })));
      await live.reload();
    }
  }

  async function removeAll(chosen: readonly Item[]): Promise<void> {
    const gone: { path: string; version: string }[] = [];
    let count = 0;
    try {
      for (const item of chosen) {
        const back = await remove(space.value, item);
        count += 1;
        if (back) gone.push(back);
      }
    } catch (error) {
      failed(error);
    }
    const undo = () => attempt(async () => {
      for (const one of gone) await restore(space.value, one.path, one.version);
      done(t("restored"));
    });
    const text = count === 1 ? t(gone.length ? "deleted" : "dismissed", { name: shown(chosen[0]!.name) }) : t("deletedMany", { n: count });
    if (count) done(text, gone.length ? { label: t("undo"), run: undo } : undefined);
    await live.reload();
  }

  async function attempt(act: () => Promise<unknown>): Promise<void> {
    try {
      await act();
    } catch (error) {
      failed(error);
    }
    await live.reload();
  }

  return { live, items, names, sorting, sortBy, create, rename, moveTo, removeAll, label: (folder: string, top: string) => (folder ? shown(last(folder)) : top) };
}
