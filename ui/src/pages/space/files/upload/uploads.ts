/** The uploads of this page: they go on while people look at something else. */
import { shallowRef, triggerRef, watch } from "vue";
import { connection } from "@/api/live";
import { Queue, type Wanted } from "./queue";
import { send } from "./send";

let isDue = false;

/** Many small steps are one for the eyes. */
function changed(): void {
  if (isDue) return;
  isDue = true;
  setTimeout(() => {
    isDue = false;
    triggerRef(uploads);
  }, 60);
}

export const uploads = shallowRef(new Queue(send, changed));

export function upload(wanted: readonly Wanted[]): void {
  uploads.value.add(wanted);
}

watch(connection, (now) => {
  if (now === "live") uploads.value.retry((one) => one.isAway === true);
});

/** Leaving the page would cut them off: the browser asks first. */
addEventListener("beforeunload", (event) => {
  if (uploads.value.totals().open > 0) event.preventDefault();
});
