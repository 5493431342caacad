/** What a note says: programs may have stuck on any JSON. */
export function said(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** One step into a folder, and out of it. */
export function inside(path: string, name: string): string {
  return path ? `${path}/${name}` : name;
}

export function above(path: string): string {
  return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}
