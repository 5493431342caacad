/** What things in the network are called, and where they lead. */
import type { RouteLocationRaw } from "vue-router";
import { short } from "@/lib/colour";
import { t } from "@/texts/network";
import type { Node } from "./graph";

export function nameOf(node: Node): string {
  if (node.kind === "me") return node.name || t("me");
  if (node.name) return node.name;
  return node.kind === "peer" ? t("unknown", { key: short(node.key) }) : short(node.key);
}

export function placeOf(node: Node): RouteLocationRaw | undefined {
  if (node.kind === "me") return { name: "profile" };
  if (node.kind === "space") return { name: "files", params: { space: node.address } };
  if (node.kind === "device") return node.address ? { name: "device", params: { device: node.address } } : undefined;
  return node.kind === "person" && node.spaces[0] ? { name: "members", params: { space: node.spaces[0] } } : undefined;
}
