/** One space: its heading and its tabs. Each tab has words of its own. */
import { words } from "@/lib/i18n";

export const t = words({
  en: {
    tabs: "Parts of the space",
    files: "Files",
    history: "History",
    conflicts: "Conflicts",
    members: "Members",
    messages: "Messages",
    health: "Health",
    settings: "Settings",
  },
  de: {
    tabs: "Teile des Space",
    files: "Dateien",
    history: "Verlauf",
    conflicts: "Konflikte",
    members: "Mitglieder",
    messages: "Nachrichten",
    health: "Zustand",
    settings: "Einstellungen",
  },
});
