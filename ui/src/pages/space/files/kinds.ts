/** What a file is, as far as its name tells. The program decides by the same endings what a browser may show (`shown.rs`). */
import type { IconName } from "@/components/icons";

export type FileKind = "picture" | "audio" | "video" | "pdf" | "text" | "other";

const ENDINGS: Record<Exclude<FileKind, "other">, string> = {
  picture: "png apng jpg jpeg jpe gif webp avif bmp ico svg",
  audio: "mp3 m4a aac ogg oga opus wav flac",
  video: "mp4 m4v webm mov ogv",
  pdf: "pdf",
  text:
    "txt text md markdown rst org log csv tsv json jsonl yaml yml toml ini conf cfg env xml html htm xhtml css scss js mjs ts tsx jsx vue " +
    "py rb rs go c h cc cpp hpp java kt swift sh bash zsh fish ps1 bat sql tex bib diff patch srt vtt ics vcf eml gitignore lock make",
};
const kinds = new Map(Object.entries(ENDINGS).flatMap(([kind, all]) => all.split(" ").map((end) => [end, kind as FileKind])));
/** Files that have no ending and are text all the same. */
const PLAIN = /^(readme|license|licence|copying|makefile|dockerfile|changelog|authors|todo)$/i;

export function kindOf(name: string): FileKind {
  if (PLAIN.test(name)) return "text";
  const dot = name.lastIndexOf(".");
  return (dot >= 0 && kinds.get(name.slice(dot + 1).toLowerCase())) || "other";
}

const ICONS: Record<FileKind, IconName> = { picture: "image", audio: "music", video: "video", pdf: "file", text: "file", other: "file" };

export function iconOf(item: { kind: string; name: string }): IconName {
  if (item.kind === "folder") return "folder";
  return item.kind === "symlink" ? "link" : ICONS[kindOf(item.name)];
}
