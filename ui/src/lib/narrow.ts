/** Is the window as narrow as a phone's? For what CSS alone cannot decide. */
import { ref } from "vue";

const query = typeof matchMedia === "undefined" ? undefined : matchMedia("(max-width: 40rem)");
export const isNarrow = ref(query?.matches ?? false);
query?.addEventListener("change", () => (isNarrow.value = query.matches));
