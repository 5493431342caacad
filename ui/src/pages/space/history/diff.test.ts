import { expect, test } from "vitest";
import { changedPart, diff, folded, lines, type Row } from "./diff";

/** Both texts put together again from the rows, and how many lines are the same. */
function check(left: string[], right: string[]): number {
  const rows = diff(left, right);
  expect(rows.flatMap((row) => row.left ?? [])).toEqual(left.map((_, n) => n));
  expect(rows.flatMap((row) => row.right ?? [])).toEqual(right.map((_, n) => n));
  return rows.filter((row) => row.left !== undefined && row.right !== undefined && left[row.left] === right[row.right]).length;
}

/** Longest common subsequence, the plain way. */
function longest(a: string[], b: string[]): number {
  const row = new Array<number>(b.length + 1).fill(0);
  for (const one of a) {
    let diagonal = 0;
    b.forEach((other, n) => {
      const above = row[n + 1]!;
      row[n + 1] = one === other ? diagonal + 1 : Math.max(above, row[n]!);
      diagonal = above;
    });
  }
  return row[b.length]!;
}

test("lines are lines whatever ends them", () => {
  expect([lines(""), lines("a"), lines("a\n"), lines("a\r\nb\rc\n\n")]).toEqual([[], ["a"], ["a"], ["a", "b", "c", ""]]);
});

test("as many lines as possible are the same, for texts of all kinds", () => {
  let seed = 1;
  const random = (most: number) => (seed = (seed * 48271) % 2147483647) % most;
  for (let turn = 0; turn < 300; turn += 1) {
    const text = () => Array.from({ length: random(12) }, () => "abcd"[random(4)]!);
    const [left, right] = [text(), text()];
    // A row of a changed pair may happen to be the same line on both sides only if it was found as such.
    expect(check(left, right), `${left.join("")} ${right.join("")}`).toBe(longest(left, right));
  }
});

test("a changed line stands beside what it became", () => {
  expect(diff(["a", "b", "c"], ["a", "x", "c"])).toEqual([{ left: 0, right: 0 }, { left: 1, right: 1 }, { left: 2, right: 2 }]);
  expect(diff([], ["a"])).toEqual([{ left: undefined, right: 0 }]);
});

test("texts that share nothing do not take forever", () => {
  const many = (word: string) => Array.from({ length: 20_000 }, (_, n) => `${word}${n}`);
  const begin = performance.now();
  check(many("a"), many("b"));
  expect(performance.now() - begin).toBeLessThan(5000);
});

test("what did not change is folded away, but for a few lines around", () => {
  const rows: Row[] = Array.from({ length: 20 }, (_, n) => ({ left: n, right: n }));
  const shown = folded(rows, (row) => row.left !== 10);
  expect(shown[0]).toEqual({ hidden: 7, from: 0 });
  expect(shown.length).toBe(1 + 7 + 1);
  expect(folded(rows, () => true)).toEqual([{ hidden: 20, from: 0 }]);
});

test("the changed part of a line", () => {
  expect(changedPart("plant tomatoes", "plant beans")).toEqual({ head: 6, tail: 1 });
  expect(changedPart("aa", "aaa")).toEqual({ head: 2, tail: 0 });
});
