import { expect, test } from "vitest";
import type { Schemas } from "@/api/client";
import { facts, masked } from "./report";

const KEY = "98aa437f943948505ca28085cc9908ae3ce37eec333d671e13b49d143c416dd7";
const status = {
  version: "0.1.0",
  home: "/home/alice/.local/share/cobox",
  name: "Alice Amsel",
  publicKey: KEY,
  hint: `${KEY}@192.0.2.7:4711`,
  spaces: [{ name: "Family photos", address: KEY, files: 3, conflicts: 1 }, { name: "Family", address: KEY, files: 2, conflicts: 0 }],
  replicas: [],
  peers: [{ online: true }, { online: false }],
} as unknown as Schemas["StatusJson"];

test("a report counts and names nothing", () => {
  const text = facts(status, "Firefox 140").join("\n");
  expect(text).toContain("CoBox 0.1.0");
  expect(text).toContain("Spaces: 2, with 5 files and 1 conflicts");
  expect(text).toContain("Peers: 2, 1 of them online");
  for (const secret of ["Alice", "Family", KEY, "192.0.2.7", "/home"]) expect(text).not.toContain(secret);
});

test("the log in a report keeps its words and loses keys, names, addresses and paths", () => {
  const lines = [
    `2026-05-01T10:00:00Z WARN cobox_swarm: ${KEY}@192.0.2.7:4711 does not answer`,
    "WARN cobox: Family photos of Alice Amsel: /home/alice/.local/share/cobox/store: disk full",
    'INFO connected to [2001:db8::17]:4711 as "Bob\'s laptop" from=/srv/private/things',
  ];
  const text = masked(lines, status).join("\n");
  for (const secret of [KEY, "192.0.2.7", "Family", "photos", "Alice", "/home", "alice", "2001:db8", "Bob", "private"]) expect(text).not.toContain(secret);
  for (const word of ["WARN cobox_swarm", "does not answer", "disk full", "connected to", "10:00:00"]) expect(text).toContain(word);
});
