import { afterEach, expect, test } from "vitest";
import { choose } from "@/lib/i18n";
import { refusal } from "./errors";

afterEach(() => choose(null));

test("a known code is told in the page's language, what only the program can say is quoted", () => {
  choose("de");
  expect(refusal("wrong_password", "that is not the password; nothing was done")).toBe("Das ist nicht das Passwort. Nichts ist passiert.");
  expect(refusal("bad_name", '"" cannot be used as a name: it is empty')).toMatch(/^Dieser Name geht nicht\. .*it is empty/);
  expect(refusal("too_many_tries", "too many", 30)).toContain("in 30 s");
  choose("en");
  expect(refusal("bad_name", '"" cannot be used as a name: it is empty')).toBe('"" cannot be used as a name: it is empty.');
});

test("a code of a later program is told in its own words", () => {
  choose("de");
  expect(refusal("constructor", "something new happened")).toBe("Something new happened.");
});
