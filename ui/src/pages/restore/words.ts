/** Mending words of a paper key in the text that somebody typed. */
import type { WordHint } from "@/api/keys";

/** The text with the word that a hint is about replaced, left out (`word` empty) or put in where one is missing. */
export function mended(text: string, hint: Pick<WordHint, "at" | "typed">, word: string): string {
  const found = places(text);
  const at = hint.typed ? place(found, hint) : Math.min(hint.at - 1, found.length);
  if (at < 0) return text;
  const here = found[at];
  if (!hint.typed) {
    const start = here?.start ?? text.length;
    return here ? `${text.slice(0, start)}${word} ${text.slice(start)}` : `${text.trimEnd()} ${word}`;
  }
  if (!here) return text;
  const after = text.slice(here.end);
  return text.slice(0, here.start) + word + (word ? after : after.trimStart());
}

interface Place {
  word: string;
  start: number;
  end: number;
}

/** Words; numbers beside them are none. */
function places(text: string): Place[] {
  const found = text.matchAll(/\S+/g);
  return [...found].filter(([word]) => !/^[\d.:)]+$/.test(word)).map((one) => ({ word: one[0], start: one.index, end: one.index + one[0].length }));
}

/** Its number counts in its own key; in a text with several the word itself has to be looked for. */
function place(found: Place[], { at, typed }: Pick<WordHint, "at" | "typed">): number {
  const isIt = (one: Place | undefined) => one?.word.toLowerCase() === typed.toLowerCase();
  return isIt(found[at - 1]) ? at - 1 : found.findIndex(isIt);
}
