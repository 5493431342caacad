/**
 * Sends one file: the browser reads it from the disk as it goes, so its size does not matter to memory.
 *
 * `XMLHttpRequest`, since `fetch` does not tell how much of a body has gone out.
 */
import { api, ApiError, told, url, type Schemas } from "@/api/client";
import { t } from "@/texts/files";
import type { Upload } from "./queue";

export async function send(upload: Upload, signal: AbortSignal, progress: (sent: number) => void): Promise<void> {
  if (!upload.file) {
    await api.post("/api/spaces/{space}/folders", { path: { space: upload.space }, query: { path: upload.path, parents: true }, signal });
    return;
  }
  try {
    await put(upload, upload.file, signal, progress);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    // The session has ended: a small call gets a new one, if there is one to be had.
    await api.get("/api/auth", { signal });
    await put(upload, upload.file, signal, progress);
  }
}

function put(upload: Upload, file: File, signal: AbortSignal, progress: (sent: number) => void): Promise<void> {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    signal.addEventListener("abort", stop);
    request.upload.onprogress = (event) => progress(event.loaded);
    request.onload = () => (request.status < 300 ? done() : failed(refusal(request)));
    request.onerror = () => void broken(file).then(failed);
    request.onabort = () => failed(new DOMException("", "AbortError"));
    request.onloadend = () => signal.removeEventListener("abort", stop);
    request.open("PUT", url("/api/spaces/{space}/files", { path: { space: upload.space }, query: { path: upload.path, parents: true } }));
    request.send(file);
  });
}

/** The same event tells of a lost connection and of a file that cannot be read: a look at its first byte tells which. */
async function broken(file: File): Promise<ApiError> {
  try {
    await file.slice(0, 1).arrayBuffer();
    return new ApiError(0, "away", t("uploadBroken"));
  } catch {
    return new ApiError(0, "unreadable", t("uploadUnreadable"));
  }
}

function refusal(request: XMLHttpRequest): ApiError {
  try {
    return told(request.status, JSON.parse(request.responseText) as Schemas["ErrorsJson"]);
  } catch {
    return new ApiError(request.status, request.status >= 502 ? "away" : "failed", t("uploadBroken"));
  }
}
