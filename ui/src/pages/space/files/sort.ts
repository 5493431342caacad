/** The order of a folder's entries. Folders come first; names count as tie-breaker, so that the order is always the same. */

export const ORDERS = ["name", "size", "time"] as const;
export type Order = (typeof ORDERS)[number];

export interface Sortable {
  name: string;
  kind: string;
  size: number;
  time: number;
}

export interface Sorting {
  by: Order;
  down: boolean;
}

/** Sizes and times are first looked at from the large and the new; names from A. */
export function next(now: Sorting, by: Order): Sorting {
  return now.by === by ? { by, down: !now.down } : { by, down: by !== "name" };
}

export function sorted<T extends Sortable>(items: readonly T[], { by, down }: Sorting, compare: (a: string, b: string) => number): T[] {
  const sign = down ? -1 : 1;
  const names = (a: T, b: T) => compare(a.name, b.name) || (a.name < b.name ? -1 : Number(a.name > b.name));
  return [...items].sort((a, b) => {
    const folders = Number(b.kind === "folder") - Number(a.kind === "folder");
    if (folders) return folders;
    if (by === "name") return sign * names(a, b);
    return sign * (a[by] - b[by]) || names(a, b);
  });
}
