import { expect, test } from "vitest";
import { freeName } from "../paths";
import { chosen, clashes, gather, settle } from "./collect";

const file = (name: string, webkitRelativePath = "") => Object.assign(new File([], name), { webkitRelativePath }) as File;
const fileEntry = (name: string) => ({ isFile: true, name, file: (done: (file: File) => void) => done(file(name)) }) as unknown as FileSystemEntry;

/** Gives its children two at a time, as browsers do a hundred at a time. */
function folder(name: string, children: FileSystemEntry[]): FileSystemEntry {
  const createReader = () => {
    let at = 0;
    return { readEntries: (done: (some: FileSystemEntry[]) => void) => done(children.slice(at, (at += 2))) };
  };
  return { isFile: false, name, createReader } as unknown as FileSystemEntry;
}

test("folders are walked to their end, empty ones are kept", async () => {
  const tree = folder("box", [fileEntry("1"), fileEntry("2"), fileEntry("3"), folder("in", [fileEntry("4"), folder("empty", [])])]);
  const found = await gather([fileEntry("0"), tree]);
  expect(found.map(({ path, file }) => `${path}${file ? "" : "/"}`)).toEqual(["0", "box/1", "box/2", "box/3", "box/in/4", "box/in/empty/"]);
});

test("a chosen folder keeps its shape", () => {
  expect(chosen([file("a", "box/in/a"), file("b")]).map((one) => one.path)).toEqual(["box/in/a", "b"]);
});

test("names that are there already are replaced, kept beside or left out", () => {
  const found = ["a.txt", "box/1", "box/2", "new"].map((path) => ({ path, file: file(path) }));
  const taken = new Set(["a.txt", "box", "a 2.txt"]);
  const paths = (choice: "replace" | "both" | "skip") => settle(found, taken, choice, freeName).map((one) => one.path);
  expect(clashes(found, taken)).toEqual(["a.txt", "box"]);
  expect(paths("replace")).toEqual(["a.txt", "box/1", "box/2", "new"]);
  expect(paths("both")).toEqual(["a 3.txt", "box 2/1", "box 2/2", "new"]);
  expect(paths("skip")).toEqual(["new"]);
});
