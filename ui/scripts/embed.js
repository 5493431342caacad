// Puts what was built where the program embeds it from (`crates/cobox/page`); with --check only compares, byte for byte.
import { cpSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const built = fileURLToPath(new URL("../dist", import.meta.url));
const embedded = fileURLToPath(new URL("../../crates/cobox/page", import.meta.url));
/** What a browser loads before anything is seen, compressed, at most. */
const FIRST_LOAD = 150_000;

const files = (root) =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();

function firstLoad() {
  const index = readFileSync(join(built, "index.html"), "utf8");
  const named = [...index.matchAll(/(?:src|href)="\/([^"]+)"/g)].map((found) => found[1]);
  // Of the typeface only the Latin letters are needed at first.
  const font = files(built).filter((file) => /figtree-latin-wght-normal.*\.woff2$/.test(file));
  const sizes = [...new Set(["index.html", ...named, ...font])].map((file) => gzipSync(readFileSync(join(built, file))).length);
  return sizes.reduce((sum, size) => sum + size, 0);
}

const size = firstLoad();
console.log(`first load: ${(size / 1000).toFixed(1)} kB compressed`);
if (size > FIRST_LOAD) {
  console.error(`that is more than ${FIRST_LOAD / 1000} kB`);
  process.exit(1);
}
if (process.argv.includes("--check")) {
  const [ours, theirs] = [files(built), files(embedded)];
  const differs = [...new Set([...ours, ...theirs])].filter(
    (file) => !ours.includes(file) || !theirs.includes(file) || !readFileSync(join(built, file)).equals(readFileSync(join(embedded, file))),
  );
  if (differs.length > 0) {
    console.error(`crates/cobox/page is not what ui/ builds; make it so with: npm run embed\n${differs.join("\n")}`);
    process.exit(1);
  }
  console.log(`crates/cobox/page is what ui/ builds (${ours.length} files)`);
} else {
  rmSync(embedded, { recursive: true, force: true });
  cpSync(built, embedded, { recursive: true });
  console.log(`crates/cobox/page has ${files(embedded).length} files now`);
}
