/** Ways out of a conflict. Nothing is lost on any: what is not kept stays in the history. */
import { api } from "@/api/client";
import { list, restore } from "../files/drive";
import { ending, freeName, join, last, parent } from "../files/paths";
import { hasBytes, type Version } from "../history/versions";

export function keep(space: string, path: string, version: string): Promise<unknown> {
  return api.post("/api/spaces/{space}/resolve", { path: { space }, query: { path }, body: { keep: version } });
}

/** Can the others get names of their own? Only files can; where they are or whether they live at all cannot be both. */
export function canKeepAll(cause: string, versions: readonly Version[]): boolean {
  return (cause === "content" || cause === "name") && versions.every(hasBytes);
}

/** "plan (Bob).txt" */
export function nameBeside(name: string, author: string, taken: (name: string) => boolean): string {
  const at = ending(name);
  // A person's name may hold what a file's cannot.
  const who = author.replace(/[/\0]/g, " ").trim().slice(0, 60);
  const wanted = `${name.slice(0, at)} (${who})${name.slice(at)}`;
  return taken(wanted) ? freeName(wanted, taken) : wanted;
}

/** The first keeps the name, each of the others becomes a file beside it; answers their names. */
export async function keepAll(space: string, path: string, versions: readonly Version[]): Promise<string[]> {
  const taken = new Set((await list(space, parent(path))).map((item) => item.name));
  const [first, ...others] = versions;
  const names: string[] = [];
  for (const one of others) {
    const name = nameBeside(last(path), one.author, (other) => taken.has(other));
    taken.add(name);
    await restore(space, path, one.id, join(parent(path), name));
    names.push(name);
  }
  await keep(space, path, first!.id);
  return names;
}
