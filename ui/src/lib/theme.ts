/** Light, dark, or as the system. `public/theme.js` does the same before the first paint. */
import { ref } from "vue";
import { keep, kept } from "./kept";

export type Theme = "light" | "dark" | "system";

export const theme = ref<Theme>(kept("theme", ["light", "dark"]) ?? "system");

export function chooseTheme(next: Theme): void {
  theme.value = next;
  keep("theme", next === "system" ? null : next);
  const root = document.documentElement;
  if (next === "system") delete root.dataset.theme;
  else root.dataset.theme = next;
}
