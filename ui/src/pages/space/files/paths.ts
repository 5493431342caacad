/**
 * Paths in a space: names joined by slashes, the top folder is the empty string. Bytes that are no text are kept as
 * `lib/names.ts` says, so a path can be cut and joined like any string.
 */

export function join(folder: string, name: string): string {
  return folder ? `${folder}/${name}` : name;
}

export function parent(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

export function last(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Folders from the first below the top down to this one, each with its path. */
export function steps(path: string): { name: string; path: string }[] {
  if (!path) return [];
  const names = path.split("/");
  return names.map((name, n) => ({ name, path: names.slice(0, n + 1).join("/") }));
}

/** Is `path` that folder or somewhere below it? */
export function isWithin(path: string, folder: string): boolean {
  return folder === "" || path === folder || path.startsWith(`${folder}/`);
}

/** For the page's address: the router takes text only, so bytes that are none are written as %FF, and % as %25. */
export function toQuery(path: string): string {
  return path.replace(/[%\udc80-\udcff]/g, (sign, at: number) => {
    if (sign === "%") return "%25";
    // The second half of a character beyond the first plane is no byte.
    const before = at > 0 ? path.charCodeAt(at - 1) : 0;
    if (before >= 0xd800 && before <= 0xdbff) return sign;
    return `%${(sign.charCodeAt(0) - 0xdc00).toString(16).toUpperCase()}`;
  });
}

export function fromQuery(value: unknown): string {
  const text = typeof value === "string" ? value : "";
  const path = text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => {
    const byte = parseInt(hex, 16);
    return byte < 0x80 ? String.fromCharCode(byte) : String.fromCharCode(0xdc00 + byte);
  });
  // Typed by hand, perhaps.
  return path.split("/").filter((name) => name !== "").join("/");
}

/** Where a name's ending begins: "photo.tar.gz" -> 9; a dot at the start begins no ending. */
export function ending(name: string): number {
  const dot = name.lastIndexOf(".");
  return dot > 0 ? dot : name.length;
}

/** A name that none of the others has: "plan 2.txt". */
export function freeName(name: string, taken: (name: string) => boolean): string {
  const at = ending(name);
  const [stem, end] = [name.slice(0, at).replace(/ \d+$/, ""), name.slice(at)];
  for (let n = 2; ; n += 1) if (!taken(`${stem} ${n}${end}`)) return `${stem} ${n}${end}`;
}

/** Longest name in bytes of UTF-8. */
const LONGEST = 255;

/** Why something cannot be a name; nothing if it can. */
export function nameProblem(name: string): "empty" | "slash" | "dots" | "long" | undefined {
  if (!name) return "empty";
  if (name === "." || name === "..") return "dots";
  if (/[/\0]/.test(name)) return "slash";
  return new TextEncoder().encode(name).length > LONGEST ? "long" : undefined;
}
