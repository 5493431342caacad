/**
 * Calls to the program, typed by its own description (`openapi.json`). Failures are `ApiError`s in words.
 *
 * `await api.get("/api/spaces/{space}", { path: { space }, signal })`. Not its job: keeping answers; see `live.ts`.
 */
import { encode } from "@/lib/names";
import { refusal as inWords } from "@/texts/errors";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
type Method = "get" | "put" | "post" | "patch" | "delete";
type Path<M extends Method> = { [P in keyof paths]: paths[P] extends Record<M, { responses: unknown }> ? P : never }[keyof paths];
type Call<P extends keyof paths, M extends Method> = M extends keyof paths[P] ? paths[P][M] : never;

type Good = 200 | 201 | 202 | 204;
type AnswerOf<R> = R extends { content: { "application/json": infer T } } ? T : undefined;
export type Answer<O> = O extends { responses: infer R } ? { [S in keyof R]: S extends Good ? AnswerOf<R[S]> : never }[keyof R] : never;

type InPath<O> = O extends { parameters: { path: infer T } } ? { path: T } : unknown;
type InQuery<O> = O extends { parameters: { query?: infer T } } ? ([T] extends [undefined] ? unknown : { query?: T }) : unknown;
type InBody<O> = O extends { requestBody: { content: { "application/json": infer T } } } ? { body: T } : unknown;
export type Ask<O> = { signal?: AbortSignal } & InPath<O> & InQuery<O> & InBody<O>;
type Rest<O> = Record<never, never> extends Ask<O> ? [ask?: Ask<O>] : [ask: Ask<O>];

/** Why a call was not answered as hoped. `message` is for people. */
export class ApiError extends Error {
  constructor(
    /** HTTP status; 0: the program did not answer */
    readonly status: number,
    /** for programs; the API's description lists those of each call; `away`: the program did not answer */
    readonly code: string,
    message: string,
    /** which input is wrong, if one */
    readonly param?: string,
    /** seconds after which it may be tried again */
    readonly after?: number,
  ) {
    super(message);
    this.name = "ApiError";
  }

  /** The program is not running, or the network is gone. */
  get isAway(): boolean {
    return this.code === "away";
  }
}

interface Loose {
  path?: Record<string, string>;
  query?: Record<string, unknown>;
  body?: unknown;
  signal?: AbortSignal;
}

/** What `session.ts` does about a refusal at the door: `refused` is true if it opened a new session, so that the call is worth a second try. */
type Door = { refused: () => Promise<boolean>; locked?: () => void; away: () => string };
let door: Door = { refused: async () => false, away: () => "CoBox does not answer" };
/** HTTP's word for a program that has forgotten its keys until somebody unlocks it. */
const LOCKED = 423;

export function atDoor(handler: Door): void {
  door = handler;
}

/** The address of a call, for links, pictures and downloads. */
export function url<P extends Path<"get">>(path: P, ask: Pick<Loose, "path" | "query"> = {}): string {
  return fill(path, ask);
}

function fill(path: string, { path: parts = {}, query = {} }: Loose): string {
  const whole = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parts[name] ?? ""));
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  const text = pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encode(String(value))}`).join("&");
  return text ? `${whole}?${text}` : whole;
}

/** A call without types, for bodies that are no JSON: uploads, streams. Failures are `ApiError`s here too. */
export async function raw(method: string, address: string, init: RequestInit = {}): Promise<Response> {
  const send = () => fetch(address, { ...init, method: method.toUpperCase(), credentials: "same-origin", cache: "no-store" });
  let response = await reached(send);
  if (response.status === 401 && (await isDoor(response)) && (await door.refused())) response = await reached(send);
  if (response.status === LOCKED) door.locked?.();
  if (!response.ok) throw await refusal(response);
  return response;
}

async function reached(send: () => Promise<Response>): Promise<Response> {
  try {
    return await send();
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "away", door.away());
  }
}

async function isDoor(response: Response): Promise<boolean> {
  return (await refusal(response.clone())).code === "wrong_token";
}

async function refusal(response: Response): Promise<ApiError> {
  const after = Number(response.headers.get("retry-after")) || undefined;
  try {
    return told(response.status, (await response.json()) as Schemas["ErrorsJson"], after);
  } catch {
    // Not one of ours: a proxy between us and the program speaks.
    return new ApiError(response.status >= 502 ? 0 : response.status, response.status >= 502 ? "away" : "failed", door.away());
  }
}

/** What the program says of a failed call, for people. */
export function told(status: number, { errors }: Schemas["ErrorsJson"], after?: number): ApiError {
  const { msg, code, param } = errors[0]!;
  return new ApiError(status, code, inWords(code, msg, after), param ?? undefined, after);
}

async function call(method: Method, path: string, ask: Loose = {}): Promise<unknown> {
  const init: RequestInit = { signal: ask.signal };
  if (ask.body !== undefined) {
    init.body = JSON.stringify(ask.body);
    init.headers = { "content-type": "application/json" };
  }
  const response = await raw(method, fill(path, ask), init);
  const isJson = response.headers.get("content-type")?.includes("json");
  return isJson ? response.json() : undefined;
}

type Verb<M extends Method> = <P extends Path<M>>(path: P, ...rest: Rest<Call<P, M>>) => Promise<Answer<Call<P, M>>>;

function verb<M extends Method>(method: M): Verb<M> {
  return ((path: string, ask?: Loose) => call(method, path, ask)) as Verb<M>;
}

export const api = {
  get: verb("get"),
  put: verb("put"),
  post: verb("post"),
  patch: verb("patch"),
  delete: verb("delete"),
};
