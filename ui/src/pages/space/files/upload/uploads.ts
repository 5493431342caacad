/** The uploads of this page: they go on while people look at something else. A reload cuts them off; then it is told what was. */
import { shallowRef, triggerRef, watch } from "vue";
import { connection } from "@/api/live";
import { parent } from "../paths";
import { forget, note, recall, type CutOff } from "./cutoff";
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
/** What was not finished when this page was left or loaded again. */
export const cutOff = shallowRef<CutOff | undefined>(recall());

export function upload(wanted: readonly Wanted[]): void {
  uploads.value.add(wanted);
  cutOff.value = undefined;
}

watch(connection, (now) => {
  if (now === "live") uploads.value.retry((one) => one.isAway === true);
});

/** Leaving the page would cut them off: the browser asks first. */
addEventListener("beforeunload", (event) => {
  if (uploads.value.totals().open > 0) event.preventDefault();
});

addEventListener("pagehide", () => {
  const open = uploads.value.uploads.filter((one) => one.state === "waiting" || one.state === "running");
  const [first] = open;
  if (!first) return forget();
  const names = open.slice(0, 5).map((one) => one.path);
  note({ n: open.length, space: first.space, folder: parent(first.path), paths: names });
});
