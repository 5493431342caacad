/** Public keys and addresses as people paste them: broken over lines, in capitals, with words before them. */

export type Pasted = { key: string } | { wrong: "empty" | "short" | "long" | "code" | "other" };

/** 64 hex digits, or what is wrong with what was pasted. */
export function pasted(text: string): Pasted {
  const lone = text.match(/\b[0-9a-f]{64}\b/gi);
  if (lone?.length === 1) return { key: lone[0].toLowerCase() };
  const tight = text.replace(/[\s:\u200b-\u200d\u2060\ufeff-]+/g, "");
  if (!tight) return { wrong: "empty" };
  if (/^[0-9a-f]{64}$/i.test(tight)) return { key: tight.toLowerCase() };
  if (/^[0-9a-f]+$/i.test(tight)) return { wrong: tight.length < 64 ? "short" : tight.length > 128 ? "code" : "long" };
  return { wrong: tight.length > 100 ? "code" : "other" };
}
