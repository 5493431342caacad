/** Gives the person a file that the page has, as the browser gives downloads. */
export function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  // The browser has it by then; keys should not stay in memory for longer.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** The content of a file that the person chose, as base64. */
export async function base64(file: Blob): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  // `fromCharCode` takes only so many at once.
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
