import { expect, test } from "vitest";
import { LANGUAGES, type Text } from "@/lib/i18n";

const modules = import.meta.glob("./*.ts", { eager: true }) as Record<string, { t?: { words: Record<string, Record<string, Text>> } }>;
const topics = Object.entries(modules).filter(([path]) => !path.endsWith(".test.ts"));

const forms = (text: Text): string[] => (typeof text === "string" ? [text] : [text.one, text.other]);
const places = (text: string): string[] => [...new Set(text.match(/\{\w+\}/g))].sort();

test("every topic is there in every language, with the same places to fill", () => {
  expect(topics.length).toBeGreaterThan(4);
  for (const [path, { t }] of topics) {
    expect(t, `${path} exports t`).toBeDefined();
    const { en, ...others } = t!.words;
    for (const language of Object.keys(LANGUAGES).filter((one) => one !== "en")) {
      const dictionary = others[language]!;
      expect(Object.keys(dictionary).sort(), `${path} ${language}`).toEqual(Object.keys(en!).sort());
      for (const [key, text] of Object.entries(en!)) {
        const [ours, theirs] = [forms(text), forms(dictionary[key]!)].map((all) => [...new Set(all.flatMap(places))].sort());
        expect(theirs, `${path} ${language} ${key}`).toEqual(ours);
      }
    }
  }
});

test("no text is empty or left as it was", () => {
  for (const [path, { t }] of topics) {
    for (const [language, dictionary] of Object.entries(t!.words)) {
      for (const [key, text] of Object.entries(dictionary)) {
        for (const form of forms(text)) expect(form.trim(), `${path} ${language} ${key}`).toBe(form);
        for (const form of forms(text)) expect(form, `${path} ${language} ${key}`).not.toMatch(/^$|TODO|\.\.\./);
      }
    }
  }
});
