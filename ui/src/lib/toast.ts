/** Short words about what was just done, shown for a while and told to screen readers. Failures stay until they are closed. */
import { ref } from "vue";

export interface Toast {
  id: number;
  kind: "done" | "failed";
  text: string;
  /** takes it back, or helps on */
  action?: { label: string; run: () => void };
}

const LASTS = 6000;
/** With something to press there must be time to reach it. */
const LASTS_WITH_ACTION = 15_000;
const MOST = 4;

export const toasts = ref<Toast[]>([]);
let next = 0;

function show(kind: Toast["kind"], text: string, action?: Toast["action"]): void {
  const toast: Toast = { id: next++, kind, text, action };
  toasts.value = [...toasts.value.filter((one) => one.text !== text), toast].slice(-MOST);
  if (kind === "done") setTimeout(() => close(toast.id), action ? LASTS_WITH_ACTION : LASTS);
}

export function close(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

export function done(text: string, action?: Toast["action"]): void {
  show("done", text, action);
}

/** Says why something failed; a cancelled call is no failure. */
export function failed(error: unknown): void {
  if (error instanceof DOMException && error.name === "AbortError") return;
  show("failed", error instanceof Error ? error.message : String(error));
}
