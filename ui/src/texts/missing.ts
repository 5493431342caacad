/** An address of the page that leads nowhere. */
import { words } from "@/lib/i18n";

export const t = words({
  en: {
    title: "There is nothing here",
    lead: "The address may be mistyped, or what was here has been left or deleted.",
    back: "Go home",
  },
  de: {
    title: "Hier ist nichts",
    lead: "Vielleicht ist die Adresse vertippt, oder was hier war, wurde verlassen oder gelöscht.",
    back: "Zur Übersicht",
  },
});
