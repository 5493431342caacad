/** The time, for texts like "5 minutes ago": one clock for the whole page, at rest while nobody looks. */
import { onScopeDispose, ref } from "vue";

const EVERY = 15_000;
const now = ref(Date.now());
let users = 0;
let timer: ReturnType<typeof setInterval> | undefined;

function tick(): void {
  if (!document.hidden) now.value = Date.now();
}

export function useNow() {
  users += 1;
  if (users === 1) {
    now.value = Date.now();
    timer = setInterval(tick, EVERY);
    document.addEventListener("visibilitychange", tick);
  }
  onScopeDispose(() => {
    users -= 1;
    if (users > 0) return;
    clearInterval(timer);
    document.removeEventListener("visibilitychange", tick);
  });
  return now;
}
