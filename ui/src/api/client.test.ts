import { afterEach, expect, test, vi } from "vitest";
import { ApiError, api, atDoor, url } from "./client";

const answer = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  new Response(status === 204 ? null : JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });
const refusal = (code: string) => ({ errors: [{ msg: "it is closed; nothing was done", code, param: "name" }] });

function answers(...all: (Response | Error)[]) {
  const fetch = vi.fn(async (_: string, _init?: RequestInit) => {
    const next = all.shift()!;
    if (next instanceof Error) throw next;
    return next;
  });
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

afterEach(() => {
  vi.unstubAllGlobals();
  atDoor({ refused: async () => false, away: () => "away" });
});

test("a call fills its path and says its body", async () => {
  const fetch = answers(answer(200, { address: "0f", name: "x" }));
  const space = await api.patch("/api/spaces/{space}", { path: { space: "a/b ü" }, body: { name: "x" } });
  expect(space.name).toBe("x");
  expect(fetch.mock.calls[0]![0]).toBe("/api/spaces/a%2Fb%20%C3%BC");
  expect(fetch.mock.calls[0]![1]).toMatchObject({ method: "PATCH", body: '{"name":"x"}', credentials: "same-origin" });
});

test("a path of any bytes survives in a link", () => {
  expect(url("/api/spaces/{space}/files", { path: { space: "0f" }, query: { path: "ä/\udcff&", version: undefined } })).toBe(
    "/api/spaces/0f/files?path=%C3%A4%2F%FF%26",
  );
});

test("a refusal is an error in words", async () => {
  answers(answer(409, refusal("shut"), { "retry-after": "4" }));
  const error = await api.get("/api/spaces").catch((error: unknown) => error);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ status: 409, code: "shut", message: "It is closed; nothing was done.", param: "name", after: 4, isAway: false });
});

test("whoever is turned away at the door tries once more if the door opens, and only then", async () => {
  const refused = vi.fn(async () => true);
  atDoor({ refused, away: () => "away" });
  const fetch = answers(answer(401, refusal("wrong_token")), answer(200, []));
  expect(await api.get("/api/spaces")).toEqual([]);
  expect(fetch).toHaveBeenCalledTimes(2);

  answers(answer(401, refusal("wrong_password")));
  await expect(api.post("/api/auth", { body: { password: "x" } })).rejects.toMatchObject({ code: "wrong_password" });
  expect(refused).toHaveBeenCalledTimes(1);
});

test("no answer means that the program is away; a cancelled call stays cancelled", async () => {
  answers(new TypeError("Failed to fetch"));
  await expect(api.get("/api/spaces")).rejects.toMatchObject({ code: "away", isAway: true, message: "away" });
  answers(new DOMException("gone", "AbortError"));
  await expect(api.get("/api/spaces")).rejects.toBeInstanceOf(DOMException);
});
