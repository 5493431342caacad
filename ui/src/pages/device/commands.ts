/** Commands in words. Pure but for the language. */
import type { Schemas } from "@/api/client";
import { short } from "@/lib/colour";
import { bytes } from "@/lib/i18n";
import { t } from "@/texts/device";

export type Command = Schemas["CommandJson"];

/** What was said to the device. `nameOf` finds the name of a space by its address, of a person by their key. */
export function said(command: Command, nameOf: (key: string) => string | undefined): string {
  const space = command.name || nameOf(command.address ?? "") || short(command.address ?? "");
  const who = nameOf(command.publicKey ?? "") ?? short(command.publicKey ?? "");
  const size = command.quota ? bytes(command.quota) : "";
  switch (command.command) {
    case "replicate":
      return size ? t("cmd_replicate_quota", { space, size }) : t("cmd_replicate", { space });
    case "unreplicate":
      return t("cmd_unreplicate", { space });
    case "quota":
      return size ? t("cmd_quota", { space, size }) : t("cmd_quota_none", { space });
    case "rename":
      return t("cmd_rename", { name: command.name ?? "" });
    case "announce":
    case "hide":
    case "status":
      return t(`cmd_${command.command}`);
    case "add-admin":
    case "remove-admin":
      return t(`cmd_${command.command}`, { who });
    default:
      return t("cmd_other", { command: command.command });
  }
}

/** What became of it. */
export function fate(command: Command): "waiting" | "done" | "superseded" | "refused" | "failed" {
  const known = ["waiting", "done", "superseded", "refused", "failed"] as const;
  return known.find((one) => one === command.state) ?? "waiting";
}

/** Newest first; without the questions about its state, which say little, unless they went wrong. */
export function listed(commands: readonly Command[], withStatus: boolean): Command[] {
  const isPlain = (command: Command) => command.command === "status" && (command.state === "done" || command.state === "waiting" || command.state === "superseded");
  return commands.filter((command) => withStatus || !isPlain(command)).reverse();
}
