/**
 * Names and paths of any bytes, as strings.
 *
 * Names in a space are bytes. Where they are UTF-8, the string is the text. A byte that is not is kept as one lone surrogate
 * (U+DC80 to U+DCFF, the byte plus 0xDC00), so a path is a plain string everywhere, can be compared and joined, and loses nothing.
 */
import type { Schemas } from "@/api/client";

export type Name = Pick<Schemas["NameBytes"], "name" | "nameBytes">;

/** The exact name, from what the API says. */
export function exact(name: Name): string {
  if (!name.nameBytes) return name.name;
  const bytes = Uint8Array.from(atob(name.nameBytes), (c) => c.charCodeAt(0));
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = lengthOfCharacter(bytes, at);
    text += length > 0 ? new TextDecoder().decode(bytes.subarray(at, at + length)) : String.fromCharCode(0xdc00 + bytes[at]!);
    at += Math.max(length, 1);
  }
  return text;
}

/** What the API takes in a JSON body. */
export function toName(text: string): Name {
  if (text.isWellFormed()) return { name: text };
  const bytes = bytesOf(text);
  return { name: shown(text), nameBytes: btoa(String.fromCharCode(...bytes)) };
}

/** For eyes: what is no text is shown as such; what would turn the reading direction cannot reach beyond the name (isolate it in CSS). */
export function shown(text: string): string {
  return text.toWellFormed();
}

/** For a URL's query. */
export function encode(text: string): string {
  let url = "";
  for (const character of text) {
    const unit = character.charCodeAt(0);
    const isByte = character.length === 1 && unit >= 0xdc80 && unit <= 0xdcff;
    url += isByte ? `%${(unit - 0xdc00).toString(16).toUpperCase()}` : encodeURIComponent(character.toWellFormed());
  }
  return url;
}

function bytesOf(text: string): number[] {
  const bytes: number[] = [];
  for (const character of text) {
    const unit = character.charCodeAt(0);
    const isByte = character.length === 1 && unit >= 0xdc80 && unit <= 0xdcff;
    if (isByte) bytes.push(unit - 0xdc00);
    else bytes.push(...new TextEncoder().encode(character));
  }
  return bytes;
}

/** Bytes of the UTF-8 character that begins here; 0 if none does. */
function lengthOfCharacter(bytes: Uint8Array, at: number): number {
  for (const length of [1, 2, 3, 4]) {
    const slice = bytes.subarray(at, at + length);
    if (slice.length < length) return 0;
    try {
      new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(slice);
      return length;
    } catch {
      // not yet a whole character, or none at all
    }
  }
  return 0;
}
