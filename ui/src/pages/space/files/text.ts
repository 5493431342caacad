/** The beginning of a file as text, never more than a browser shows with ease; and whether it is text at all. */
import { raw } from "@/api/client";

/** Bytes that are looked at. */
export const MOST_TEXT = 512 * 1024;

export interface Text {
  text: string;
  /** there is more */
  isCut: boolean;
}

/** Nothing if it is no text. An empty file has no range that could be asked for. */
export async function textOf(address: string, size: number, signal?: AbortSignal): Promise<Text | undefined> {
  if (size === 0) return { text: "", isCut: false };
  const response = await raw("get", address, { signal, headers: { range: `bytes=0-${MOST_TEXT - 1}` } });
  const bytes = new Uint8Array(await response.arrayBuffer());
  const text = decoded(bytes, size > bytes.length);
  return text === undefined ? undefined : { text, isCut: size > bytes.length };
}

export function decoded(bytes: Uint8Array, isCut: boolean): string | undefined {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    return new TextDecoder(first === 0xff ? "utf-16le" : "utf-16be").decode(bytes);
  }
  // Control characters that no text has.
  if (bytes.some((byte) => byte < 9 || (byte > 13 && byte < 27))) return undefined;
  try {
    // The last character may be cut in two.
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: isCut });
  } catch {
    // What is no UTF-8 and no noise is most likely the encoding that was usual before it.
    return new TextDecoder("windows-1252").decode(bytes);
  }
}
