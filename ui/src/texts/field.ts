/** Words of input fields. */
import { words } from "@/lib/i18n";

export const t = words({
  en: { optional: "optional", show: "Show the password", hide: "Hide the password" },
  de: { optional: "freiwillig", show: "Passwort zeigen", hide: "Passwort verbergen" },
});
