/**
 * Are we in? By an open session, by a ticket in the address (`cobox open`), or by ourselves while no password is set.
 *
 * The session is a cookie that scripts do not see; only its being there is known here.
 */
import { ref } from "vue";
import { t } from "@/texts/door";
import { ApiError, api, atDoor } from "./client";

export type State =
  /** not asked yet */
  | "unknown"
  /** calls are answered */
  | "in"
  /** a password is wanted */
  | "locked"
  /** the program cannot see that it is us: `cobox open` helps */
  | "shut"
  /** logged out by ourselves */
  | "out"
  /** the program does not answer, and never did since this page was opened */
  | "away";

export const session = ref<State>("unknown");
/** Why a ticket or a password was not taken. */
export const problem = ref("");

/** A ticket is taken out of the address before the router reads it, which would write it back. */
let ticket = takeTicket();
addEventListener("hashchange", () => {
  ticket = takeTicket();
  if (ticket) void begin();
});

/** Finds out. */
export async function begin(): Promise<void> {
  const given = ticket;
  ticket = undefined;
  try {
    if (given) await api.put("/api/auth/tickets", { body: { ticket: given } });
    else await api.get("/api/auth");
    session.value = "in";
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.isAway) session.value = session.value === "unknown" ? "away" : session.value;
    else if (given) {
      problem.value = error.message;
      session.value = "shut";
    }
  }
}

/** A ticket is for one use: it does not stay in the address, where it would be kept in the history. */
function takeTicket(): string | undefined {
  const found = /^#ticket=([0-9a-f]{64})$/.exec(location.hash);
  if (found) history.replaceState(history.state, "", location.pathname + location.search);
  return found?.[1];
}

let entering: Promise<boolean> | undefined;

/** Comes in without a password, where that is possible. Asked once for all calls that wait for it. */
export function enter(): Promise<boolean> {
  entering ??= tryToEnter().finally(() => (entering = undefined));
  return entering;
}

async function tryToEnter(): Promise<boolean> {
  try {
    await api.post("/api/auth/here");
    session.value = "in";
    return true;
  } catch (error) {
    // A program whose keys are locked is opened by the same password.
    const wantsPassword = error instanceof ApiError && ["has_password", "locked"].includes(error.code);
    if (error instanceof ApiError && !error.isAway) session.value = wantsPassword ? "locked" : "shut";
    return false;
  }
}

export async function logIn(password: string): Promise<void> {
  await api.post("/api/auth", { body: { password } });
  session.value = "in";
}

export async function logOut(): Promise<void> {
  await api.delete("/api/auth");
  session.value = "out";
}

atDoor({
  // Who has just logged out does not want to be let in again by a call that was on its way.
  refused: async () => (session.value === "out" ? false : enter()),
  locked: () => (session.value = "locked"),
  away: () => t("awayShort"),
});
