/** Files and whole folders that were dropped or chosen, each with its path relative to where they go. Nothing is read. */
import { join } from "../paths";

export interface Found {
  /** relative */
  path: string;
  /** nothing: a folder with nothing in it */
  file?: File;
}

/** Of a drop. Must be called in the event itself: the browser forgets what was dropped afterwards. */
export function dropped(transfer: DataTransfer): Promise<Found[]> {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  return gather(entries.filter((one) => one !== null));
}

/** Of an `<input type="file">`, with or without `webkitdirectory`. */
export function chosen(files: Iterable<File>): Found[] {
  return [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

export async function gather(entries: readonly (FileSystemEntry | File)[]): Promise<Found[]> {
  const found: Found[] = [];
  for (const entry of entries) {
    if (entry instanceof File) found.push({ path: entry.name, file: entry });
    else await walk(entry, "", found);
  }
  return found;
}

async function walk(entry: FileSystemEntry, folder: string, found: Found[]): Promise<void> {
  const path = join(folder, entry.name);
  if (entry.isFile) {
    found.push({ path, file: await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed)) });
    return;
  }
  const children = await readAll((entry as FileSystemDirectoryEntry).createReader());
  if (children.length === 0) found.push({ path });
  for (const child of children) await walk(child, path, found);
}

/** A reader gives a hundred at a time, and nothing at the end. */
async function readAll(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
    if (some.length === 0) return all;
    all.push(...some);
  }
}

/** What to do with names that the folder has already. */
export type Choice = "replace" | "both" | "skip";

/** Names at the top that are taken. */
export function clashes(found: readonly Found[], taken: ReadonlySet<string>): string[] {
  const tops = new Set(found.map(({ path }) => top(path)));
  return [...tops].filter((name) => taken.has(name));
}

export function settle(found: readonly Found[], taken: ReadonlySet<string>, choice: Choice, free: (name: string, taken: (name: string) => boolean) => string): Found[] {
  if (choice === "replace") return [...found];
  if (choice === "skip") return found.filter(({ path }) => !taken.has(top(path)));
  const tops = new Set(found.map(({ path }) => top(path)));
  const renamed = new Map<string, string>();
  for (const name of clashes(found, taken)) {
    const fresh = free(name, (other) => taken.has(other) || tops.has(other));
    renamed.set(name, fresh);
    tops.add(fresh);
  }
  return found.map((one) => {
    const name = top(one.path);
    return { ...one, path: (renamed.get(name) ?? name) + one.path.slice(name.length) };
  });
}

function top(path: string): string {
  const slash = path.indexOf("/");
  return slash < 0 ? path : path.slice(0, slash);
}
