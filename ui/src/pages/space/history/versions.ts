/** Versions of files as people speak of them: who, on which device, what. */
import type { Schemas } from "@/api/client";
import { exact } from "@/lib/names";
import { t } from "@/texts/history";
import { shown } from "@/lib/names";

export type Version = Schemas["VersionJson"];
type Member = Schemas["MemberJson"];

/** The device's name, where it says more than the person's. */
export function deviceOf(members: readonly Member[], version: Pick<Version, "id" | "author">): string | undefined {
  const writer = version.id.slice(0, version.id.lastIndexOf("-"));
  const name = members.flatMap((member) => member.devices).find((device) => device.writer === writer)?.name;
  return name && name !== version.author ? name : undefined;
}

/** What happened. The oldest version is where something began. */
export function whatOf(version: Version, isFirst: boolean): string {
  const name = version.name ? shown(exact({ name: version.name, nameBytes: version.nameBytes })) : "";
  if (version.what === "deleted") return t("deletedHere");
  if (version.what === "moved") return name ? t("movedTo", { name }) : t("moved");
  if (version.what === "written") return t(isFirst ? "created" : "written");
  return t("changed");
}

/** Does it have bytes that can be looked at? */
export function hasBytes(version: Version): boolean {
  return version.what === "written" && version.size !== null && version.size !== undefined;
}
