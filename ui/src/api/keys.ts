/** Calls about what makes us who we are: keys on paper, keys in a file, the password. */
import { api, raw, type Schemas } from "./client";
import { useLive, type Live } from "./live";

/** One word that is not right. */
export interface WordHint {
  /** its number in its key, from 1 */
  at: number;
  /** as typed; empty if a word is missing here */
  typed: string;
  /** what it may be, likeliest first */
  offers: string[];
  /** there is no doubt */
  certain: boolean;
}

/** What a paper key gives, before anything is done with it. */
export interface PaperCheck {
  keys: { kind: "person" | "space" | "root"; name: string; publicKey: string; here: boolean }[];
  /** nothing can be restored while there are any */
  faults: { msg: string; words: WordHint[] }[];
  peers: string[];
}

export interface PaperText {
  text: string;
  name?: string;
  peers?: string[];
}

export interface Restored {
  publicKey: string;
  name: string;
  spaces: { name: string; address: string }[];
  here: { name: string; address: string }[];
}

export interface Imported {
  name: string;
  publicKey: string;
  spaces: number;
  replicas: number;
}

async function post(address: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  return raw("POST", address, { body: JSON.stringify(body), headers: { "content-type": "application/json" }, signal });
}

/** Which of our keys are outside of this machine. A space that is begun or joined is in no back-up yet. */
export function useBackup(): Live<Schemas["BackedUpJson"]> {
  return useLive((signal) => api.get("/api/keys/backup", { signal }), { on: ["keys/backup", "space/changed", "space/removed", "device/changed", "device/removed"] });
}

/** The paper key, to be printed. `roots`: those of spaces that we created, too. */
export async function paperKey(paper: "a4" | "letter", roots: boolean): Promise<Blob> {
  return (await raw("GET", `/api/keys/backup.pdf?paper=${paper}&roots=${roots}`)).blob();
}

export async function checkPaper(text: PaperText, signal: AbortSignal): Promise<PaperCheck> {
  return (await post("/api/keys/check", text, signal)).json() as Promise<PaperCheck>;
}

export async function restorePaper(text: PaperText): Promise<Restored> {
  return (await post("/api/keys/restore", text)).json() as Promise<Restored>;
}

/** Everything that is needed to move to another machine, sealed with a passphrase. */
export async function exportKeys(passphrase: string): Promise<Blob> {
  return (await post("/api/keys/export", { passphrase })).blob();
}

/** Move in with such a file. The program begins anew then. */
export async function importKeys(file: string, passphrase: string): Promise<Imported> {
  return (await post("/api/keys/import", { file, passphrase })).json() as Promise<Imported>;
}

/** Is a password set? */
export async function hasPassword(signal: AbortSignal): Promise<boolean> {
  return (await api.get("/api/system", { signal })).password ?? false;
}

export async function removePassword(old: string): Promise<void> {
  await post("/api/auth/password/remove", { old });
}

/** Forgets all keys until the password is given again. */
export async function lock(): Promise<void> {
  await raw("POST", "/api/lock");
}
