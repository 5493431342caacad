/** Calls about what is in a space, with paths as `paths.ts` has them. */
import { api, url, type Schemas } from "@/api/client";
import { encode, exact, toName } from "@/lib/names";
import { join } from "./paths";

export interface Item {
  /** exact */
  name: string;
  path: string;
  kind: "file" | "folder" | "symlink";
  size: number;
  /** ms since 1970 */
  time: number;
  /** bytes of it that are here */
  held: number;
  version?: string;
  conflict: boolean;
  target?: string;
}

export function itemOf(folder: string, entry: Schemas["EntryJson"]): Item {
  const name = exact(entry);
  return {
    name,
    path: join(folder, name),
    kind: entry.kind as Item["kind"],
    size: entry.kind === "file" ? entry.size : 0,
    time: Date.parse(entry.mtime) || 0,
    held: entry.held,
    version: entry.version ?? undefined,
    conflict: entry.conflict,
    target: entry.target ? exact(entry.target) : undefined,
  };
}

export async function list(space: string, folder: string, ask: { at?: string; signal?: AbortSignal } = {}): Promise<Item[]> {
  const query = { path: folder, at: ask.at };
  const { children } = await api.get("/api/spaces/{space}/drive", { path: { space }, query, signal: ask.signal });
  return children.map((entry) => itemOf(folder, entry));
}

export function createFolder(space: string, path: string): Promise<unknown> {
  return api.post("/api/spaces/{space}/folders", { path: { space }, query: { path } });
}

export function move(space: string, from: string, to: string): Promise<unknown> {
  return api.post("/api/spaces/{space}/move", { path: { space }, body: { from: toName(from), to: toName(to) } });
}

/** Takes it away and answers what brings it back; nothing for a conflict copy, which was dismissed. */
export async function remove(space: string, item: Item): Promise<{ path: string; version: string } | undefined> {
  await api.delete("/api/spaces/{space}/files", { path: { space }, query: { path: item.path, recursive: item.kind === "folder" } });
  if (item.conflict) return undefined;
  const [newest] = await history(space, item.path);
  return newest?.what === "deleted" ? { path: item.path, version: newest.id } : undefined;
}

export function history(space: string, path: string, signal?: AbortSignal): Promise<Schemas["VersionJson"][]> {
  return api.get("/api/spaces/{space}/history", { path: { space }, query: { path }, signal });
}

/** A version becomes the newest; that of a deletion is taken back; with `to` it comes back beside. */
export function restore(space: string, path: string, version: string, to?: string): Promise<unknown> {
  return api.post("/api/spaces/{space}/restore", { path: { space }, query: { path }, body: { version, to: to === undefined ? undefined : toName(to) } });
}

/** To be saved. */
export function download(space: string, path: string, version?: string): string {
  return url("/api/spaces/{space}/files", { path: { space }, query: { path, version } });
}

/** To be shown. */
export function view(space: string, path: string, version?: string): string {
  return url("/api/spaces/{space}/files", { path: { space }, query: { path, version, view: true } });
}

/** Folders, or several things, as one file to be saved. */
export function archive(space: string, paths: readonly string[], at?: string): string {
  const base = url("/api/spaces/{space}/archive", { path: { space }, query: { at } });
  const named = paths.map((path) => `path=${encode(path)}`).join("&");
  return named ? `${base}${at ? "&" : "?"}${named}` : base;
}

/** The longest address that a program takes. */
const LONGEST_ADDRESS = 16_000;

/** How to save these: a file as it is, all else as an archive; nothing if they are too many for one address. */
export function downloadOf(space: string, items: readonly Item[], at?: string): string | undefined {
  const [only] = items;
  if (items.length === 1 && only!.kind === "file") return download(space, only!.path, at ? only!.version : undefined);
  const address = archive(space, items.map((item) => item.path), at);
  return address.length > LONGEST_ADDRESS ? undefined : address;
}

/** Begins a download without leaving the page. */
export function save(address: string): void {
  const link = document.createElement("a");
  link.href = address;
  link.download = "";
  link.click();
}
