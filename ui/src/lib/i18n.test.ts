import { expect, test } from "vitest";
import { ago, bytes, choose, duration, number, span, words } from "./i18n";

const t = words({
  en: { files: { one: "{n} file", other: "{n} files" }, hello: "Hello, {name} {missing}" },
  de: { files: { one: "{n} Datei", other: "{n} Dateien" }, hello: "Hallo, {name} {missing}" },
});

test("words follow the language, count, and fill in only what is given", () => {
  choose("en");
  expect(t("files", { n: 1 })).toBe("1 file");
  expect(t("files", { n: 1234 })).toBe("1,234 files");
  expect(t("hello", { name: "{n}$&" })).toBe("Hello, {n}$& {missing}");
  choose("de");
  expect(t("files", { n: 0 })).toBe("0 Dateien");
  expect(number(1234.5)).toBe("1.234,5");
});

test("sizes have the unit that keeps them short", () => {
  choose("en");
  expect([0, 1, 999, 1000, 1_250_000, 999_499, 999_500, 42e9].map(bytes)).toEqual(["0 bytes", "1 byte", "999 bytes", "1 kB", "1.3 MB", "999 kB", "1 MB", "42 GB"]);
});

test("times are said as people say them", () => {
  choose("en");
  const now = Date.UTC(2026, 4, 1);
  expect(ago(now, now)).toBe("now");
  expect(ago(now - 5 * 60_000, now)).toBe("5 minutes ago");
  expect(ago(now - 86_400_000, now)).toBe("yesterday");
  expect(ago(now + 2 * 86_400_000, now)).toBe("in 2 days");
  expect(duration(604_800_000)).toBe("1 week");
});

test("a chosen length of time is said as it was chosen", () => {
  choose("en");
  expect([span(604_800_000), span(86_400_000), span(5_400_000), span(90_000)]).toEqual(["7 days", "24 hours", "1.5 hours", "1.5 minutes"]);
});
