/**
 * Words in the person's language, and numbers, sizes and times as they write them.
 *
 * Each topic has one file below `texts/` with all its words in every language: `export const t = words({ en: {...}, de: {...} })`.
 * A text may have {places}; one that counts has forms: `{ one: "{n} file", other: "{n} files" }`, chosen by `n`.
 */
import { computed, ref, watchEffect } from "vue";
import { keep, kept } from "./kept";

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;
export type Text = string | { one: string; other: string };
type Texts = Record<string, Text>;
/** The same keys as English. */
export type Words<E extends Texts> = { en: E } & { [L in Exclude<Language, "en">]: { [K in keyof E]: Text } };
export type Values = Record<string, string | number>;

/** What was chosen; `null` follows the browser. */
export const chosen = ref<Language | null>(kept("language", Object.keys(LANGUAGES) as Language[]));
export const language = computed<Language>(() => chosen.value ?? fromBrowser());
/** For `Intl`: the browser's variant of the language, as `de-AT`, if it is that language. */
const locale = computed(() => navigator.languages.find((tag) => tag.split("-")[0] === language.value) ?? language.value);

export function choose(next: Language | null): void {
  chosen.value = next;
  keep("language", next);
}

function fromBrowser(): Language {
  const known = navigator.languages.map((tag) => tag.split("-")[0]).find((tag) => tag! in LANGUAGES);
  return (known as Language | undefined) ?? "en";
}

if (typeof document !== "undefined") watchEffect(() => void (document.documentElement.lang = language.value));

/** The words of a topic: `t(key, values)`. Its dictionary is at `t.words`, for the test that compares languages. */
export function words<E extends Texts>(all: Words<E>) {
  const t = (key: keyof E & string, values: Values = {}): string => {
    const dictionary: { [K in keyof E]: Text } = all[language.value];
    const text = dictionary[key];
    return fill(typeof text === "string" ? text : text[plural(Number(values.n ?? 0))], values);
  };
  return Object.assign(t, { words: all as Record<Language, Texts> });
}

function plural(n: number): "one" | "other" {
  return new Intl.PluralRules(locale.value).select(n) === "one" ? "one" : "other";
}

/** Numbers in texts are written as people write them. */
function fill(text: string, values: Values): string {
  return text.replace(/\{(\w+)\}/g, (place, name: string) => {
    const value = values[name];
    if (value === undefined) return place;
    return typeof value === "number" ? number(value) : value;
  });
}

export function number(value: number): string {
  return new Intl.NumberFormat(locale.value).format(value);
}

export function percent(part: number): string {
  return new Intl.NumberFormat(locale.value, { style: "percent", maximumFractionDigits: 0 }).format(part);
}

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte", "petabyte"] as const;

/** A size, in steps of a thousand: 1.2 MB. */
export function bytes(size: number): string {
  let [value, step] = [size, 0];
  // 999.5 kB would be written as 1,000 kB.
  while (value >= 999.5 && step < UNITS.length - 1) [value, step] = [value / 1000, step + 1];
  const digits = step === 0 || value >= 99.95 ? 0 : 1;
  const style = { style: "unit", unit: UNITS[step]!, unitDisplay: step === 0 ? "long" : "short", maximumFractionDigits: digits } as const;
  return new Intl.NumberFormat(locale.value, style).format(value);
}

export function date(time: Date | string | number): string {
  return new Intl.DateTimeFormat(locale.value, { dateStyle: "medium" }).format(new Date(time));
}

export function dateTime(time: Date | string | number): string {
  return new Intl.DateTimeFormat(locale.value, { dateStyle: "medium", timeStyle: "short" }).format(new Date(time));
}

export function clock(time: Date | string | number): string {
  return new Intl.DateTimeFormat(locale.value, { timeStyle: "short" }).format(new Date(time));
}

const SPANS = [["year", 31_557_600], ["month", 2_629_800], ["week", 604_800], ["day", 86_400], ["hour", 3600], ["minute", 60]] as const;

/** How long ago, or in how long: "5 minutes ago", "in 2 days", "now". */
export function ago(time: Date | string | number, now: number): string {
  const seconds = (new Date(time).getTime() - now) / 1000;
  const words = new Intl.RelativeTimeFormat(locale.value, { numeric: "auto" });
  const span = SPANS.find(([, length]) => Math.abs(seconds) >= length);
  return span ? words.format(Math.trunc(seconds / span[1]), span[0]) : words.format(0, "second");
}

/** How long something lasts, in its largest unit: "7 days". */
export function duration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  const [unit, length] = SPANS.find(([, length]) => seconds >= length) ?? (["second", 1] as const);
  const style = { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 1 } as const;
  return new Intl.NumberFormat(locale.value, style).format(seconds / length);
}

/** A length of time that somebody chose, in days or hours: "7 days", not "1 week". */
export function span(milliseconds: number): string {
  const [unit, length] = milliseconds >= 172_800_000 ? (["day", 86_400_000] as const) : (["hour", 3_600_000] as const);
  if (milliseconds < length) return duration(milliseconds);
  const style = { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 1 } as const;
  return new Intl.NumberFormat(locale.value, style).format(milliseconds / length);
}

/** "Alice, Bob and Carol" */
export function list(items: string[]): string {
  return new Intl.ListFormat(locale.value).format(items);
}

/** Names in the order in which people look them up: "2" before "10", case aside. */
export const collator = computed(() => new Intl.Collator(locale.value, { numeric: true, sensitivity: "base" }));
