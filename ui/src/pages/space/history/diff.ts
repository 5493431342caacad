/**
 * Two texts, line by line: which lines are the same, gone or new (E. Myers, "An O(ND) difference algorithm", 1986).
 *
 * Bounded: texts that differ too much are shown as replaced as a whole rather than letting a browser hang.
 */

export interface Row {
  /** line in the older text, from 0; missing where the newer has one that the older has not */
  left?: number;
  right?: number;
}

/** Most differences that are looked for. */
const MOST_EDITS = 2000;

export function lines(text: string): string[] {
  const all = text.replace(/\r\n?/g, "\n").split("\n");
  // A last line that is ended is no empty line more.
  if (all.at(-1) === "") all.pop();
  return all;
}

/** Rows in order; a line that was changed stands beside what it became. */
export function diff(left: readonly string[], right: readonly string[]): Row[] {
  let head = 0;
  while (head < left.length && head < right.length && left[head] === right[head]) head += 1;
  let [leftEnd, rightEnd] = [left.length, right.length];
  while (leftEnd > head && rightEnd > head && left[leftEnd - 1] === right[rightEnd - 1]) [leftEnd, rightEnd] = [leftEnd - 1, rightEnd - 1];
  const same = (from: number, to: number, shift: number): Row[] => range(from, to).map((at) => ({ left: at, right: at + shift }));
  const middle = pairs(left.slice(head, leftEnd), right.slice(head, rightEnd)).map(([a, b]) => [a + head, b + head] as const);
  return [...same(0, head, 0), ...between(middle, head, leftEnd, head, rightEnd), ...same(leftEnd, left.length, rightEnd - leftEnd)];
}

/** Rows of a part of both texts, given the pairs of lines in it that are the same. */
function between(same: readonly (readonly [number, number])[], left: number, leftEnd: number, right: number, rightEnd: number): Row[] {
  const rows: Row[] = [];
  for (const [a, b] of [...same, [leftEnd, rightEnd] as const]) {
    while (left < a || right < b) rows.push({ left: left < a ? left++ : undefined, right: right < b ? right++ : undefined });
    if (a < leftEnd || b < rightEnd) rows.push({ left: left++, right: right++ });
  }
  return rows;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, n) => from + n);
}

/** Pairs of lines that are the same, in order, as many as possible. */
function pairs(left: readonly string[], right: readonly string[]): [number, number][] {
  const [n, m] = [left.length, right.length];
  const most = Math.min(n + m, MOST_EDITS);
  const reach = new Int32Array(2 * most + 3);
  const trail: Int32Array[] = [];
  for (let edits = 0; edits <= most; edits += 1) {
    trail.push(reach.slice(most + 1 - edits - 1, most + 1 + edits + 2));
    for (let k = -edits; k <= edits; k += 2) {
      const at = most + 1 + k;
      const down = k === -edits || (k !== edits && reach[at - 1]! < reach[at + 1]!);
      let x = down ? reach[at + 1]! : reach[at - 1]! + 1;
      while (x < n && x - k < m && left[x] === right[x - k]) x += 1;
      reach[at] = x;
      if (x >= n && x - k >= m) return walkBack(trail, n, m);
    }
  }
  return [];
}

function walkBack(trail: readonly Int32Array[], n: number, m: number): [number, number][] {
  const found: [number, number][] = [];
  let [x, y] = [n, m];
  for (let edits = trail.length - 1; edits > 0; edits -= 1) {
    const [reach, k] = [trail[edits]!, x - y];
    const at = (diagonal: number) => reach[diagonal + edits + 1]!;
    const down = k === -edits || (k !== edits && at(k - 1) < at(k + 1));
    const before = down ? k + 1 : k - 1;
    const [fromX, fromY] = [at(before), at(before) - before];
    while (x > fromX && y > fromY && x > 0 && y > 0 && (down ? y > fromY + 1 : x > fromX + 1)) found.push([--x, --y]);
    [x, y] = [fromX, fromY];
  }
  while (x > 0 && y > 0) found.push([--x, --y]);
  return found.reverse();
}

/** What is the same at both ends of a changed line; the part between is what changed. */
export function changedPart(a: string, b: string): { head: number; tail: number } {
  const most = Math.min(a.length, b.length);
  let head = 0;
  while (head < most && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < most - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  return { head, tail };
}

export interface Fold {
  /** rows left out because nothing changed near them */
  hidden: number;
  from: number;
}

/** Rows to show: what changed and a few lines around it. */
export function folded(rows: readonly Row[], isSame: (row: Row) => boolean, around = 3): (Row | Fold)[] {
  const near = new Uint8Array(rows.length);
  rows.forEach((row, at) => {
    if (!isSame(row)) near.fill(1, Math.max(0, at - around), at + around + 1);
  });
  const shown: (Row | Fold)[] = [];
  for (let at = 0; at < rows.length; ) {
    let end = at;
    while (end < rows.length && !near[end]) end += 1;
    // Leaving out a single line would save nothing.
    if (end - at > 1) shown.push({ hidden: end - at, from: at });
    else shown.push(...rows.slice(at, end));
    for (at = end; at < rows.length && near[at]; at += 1) shown.push(rows[at]!);
  }
  return shown;
}
