/**
 * What is to be uploaded: a few at a time, in order; each can be stopped, and tried again when it failed.
 *
 * Not its job: sending (`send.ts`), finding files (`collect.ts`), showing it (`Uploads.vue`). Files are never read here:
 * a `File` is a handle, and the browser streams it from the disk.
 */

export type State = "waiting" | "running" | "done" | "failed" | "stopped";

export interface Upload {
  readonly id: number;
  readonly space: string;
  /** where it goes */
  readonly path: string;
  /** nothing: a folder that is empty */
  readonly file?: File;
  readonly size: number;
  sent: number;
  state: State;
  /** why it failed, in words */
  problem?: string;
  /** it failed because nobody answered: worth another try once somebody does */
  isAway?: boolean;
}

export type Wanted = Pick<Upload, "space" | "path" | "file">;

export interface Totals {
  files: number;
  done: number;
  failed: number;
  /** waiting or running */
  open: number;
  bytes: number;
  sent: number;
}

type Send = (upload: Upload, signal: AbortSignal, progress: (sent: number) => void) => Promise<void>;

/** More at a time would not be faster: each is a commit to one disk. */
const AT_ONCE = 3;

export class Queue {
  uploads: Upload[] = [];
  #next = 0;
  /** Nothing before this place is waiting: thousands are not looked through for each. */
  #from = 0;
  #running = new Map<number, AbortController>();

  constructor(
    private readonly send: Send,
    private readonly changed: () => void,
  ) {}

  add(wanted: readonly Wanted[]): void {
    // A new beginning: what was done is not counted again.
    if (this.totals().open === 0) this.#keep(this.uploads.filter((one) => one.state === "failed"));
    for (const one of wanted) this.uploads.push({ ...one, id: this.#next++, size: one.file?.size ?? 0, sent: 0, state: "waiting" });
    this.#go();
  }

  /** A file that is half sent leaves nothing behind. */
  stop(id: number): void {
    const upload = this.uploads.find((one) => one.id === id);
    if (!upload || (upload.state !== "waiting" && upload.state !== "running")) return;
    [upload.state, upload.sent] = ["stopped", 0];
    this.#running.get(id)?.abort();
    this.#go();
  }

  stopAll(): void {
    for (const one of this.uploads) if (one.state === "waiting") one.state = "stopped";
    for (const one of this.uploads) if (one.state === "running") this.stop(one.id);
    this.#go();
  }

  /** Tries again what failed; only what nobody answered, if so asked. */
  retry(which: (upload: Upload) => boolean = () => true): void {
    this.#from = 0;
    for (const one of this.uploads) {
      if (one.state !== "failed" || !which(one)) continue;
      [one.state, one.sent, one.problem, one.isAway] = ["waiting", 0, undefined, undefined];
    }
    this.#go();
  }

  /** Forgets everything, once nothing is on its way. */
  clear(): void {
    if (this.totals().open === 0) this.#keep([]);
    this.changed();
  }

  totals(): Totals {
    const totals: Totals = { files: 0, done: 0, failed: 0, open: 0, bytes: 0, sent: 0 };
    for (const { state, size, sent } of this.uploads) {
      if (state === "stopped") continue;
      totals.files += 1;
      totals.bytes += size;
      totals.sent += state === "done" ? size : sent;
      if (state === "done") totals.done += 1;
      else if (state === "failed") totals.failed += 1;
      else totals.open += 1;
    }
    return totals;
  }

  #keep(uploads: Upload[]): void {
    [this.uploads, this.#from] = [uploads, 0];
  }

  #go(): void {
    for (; this.#from < this.uploads.length && this.#running.size < AT_ONCE; this.#from += 1) {
      const upload = this.uploads[this.#from]!;
      if (upload.state === "waiting") void this.#run(upload);
    }
    this.changed();
  }

  async #run(upload: Upload): Promise<void> {
    const mine = new AbortController();
    this.#running.set(upload.id, mine);
    upload.state = "running";
    const progress = (sent: number) => {
      upload.sent = Math.min(sent, upload.size);
      this.changed();
    };
    try {
      await this.send(upload, mine.signal, progress);
      if (upload.state === "running") upload.state = "done";
    } catch (error) {
      if (upload.state === "running") fail(upload, error);
    }
    this.#running.delete(upload.id);
    this.#go();
  }
}

function fail(upload: Upload, error: unknown): void {
  [upload.state, upload.sent] = ["failed", 0];
  upload.problem = error instanceof Error ? error.message : String(error);
  upload.isAway = (error as { isAway?: boolean }).isAway === true;
}
