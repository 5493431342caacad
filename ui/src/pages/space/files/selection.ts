/** Which entries are selected: by name, so that a selection survives what others do in the folder meanwhile. */

export interface Selection {
  names: ReadonlySet<string>;
  /** where a range begins */
  anchor: string | undefined;
}

export const NONE: Selection = { names: new Set(), anchor: undefined };

export function toggled(selection: Selection, name: string): Selection {
  const names = new Set(selection.names);
  if (!names.delete(name)) names.add(name);
  return { names, anchor: name };
}

/** From the anchor to here, in the order that is shown; what was selected elsewhere stays. */
export function ranged(selection: Selection, name: string, order: readonly string[]): Selection {
  const [from, to] = [order.indexOf(selection.anchor ?? name), order.indexOf(name)];
  if (to < 0) return selection;
  const begin = from < 0 ? to : from;
  const names = new Set([...selection.names, ...order.slice(Math.min(begin, to), Math.max(begin, to) + 1)]);
  return { names, anchor: selection.anchor ?? name };
}

export function all(order: readonly string[]): Selection {
  return { names: new Set(order), anchor: order[0] };
}

/** What is still there. */
export function kept(selection: Selection, order: readonly string[]): Selection {
  const there = new Set(order);
  const names = [...selection.names].filter((name) => there.has(name));
  if (names.length === selection.names.size) return selection;
  return { names: new Set(names), anchor: selection.anchor && there.has(selection.anchor) ? selection.anchor : undefined };
}
