import { expect, test } from "vitest";
import { count, entered, meant, UNITS } from "./tolerance";

test("lengths of time are shown as people say them and come back the same", () => {
  expect(entered(7 * UNITS.days)).toEqual({ amount: "7", unit: "days" });
  expect(entered(3 * UNITS.weeks)).toEqual({ amount: "3", unit: "weeks" });
  expect(entered(36 * UNITS.hours)).toEqual({ amount: "36", unit: "hours" });
  expect(entered(5_400_000)).toEqual({ amount: "1.5", unit: "hours" });
  expect(entered(1000)).toEqual({ amount: "0.01", unit: "hours" });
  for (const time of [UNITS.hours, UNITS.days, 8 * UNITS.days, 10 * UNITS.weeks]) {
    const { amount, unit } = entered(time);
    expect(meant(amount, unit)).toBe(time);
  }
});

test("what is no length of time is not taken", () => {
  for (const text of ["", " ", "x", "-1", "0", "1e30", "NaN"]) expect(meant(text, "days"), text).toBeUndefined();
  expect(meant("1,5", "days")).toBe(1.5 * UNITS.days);
});

test("copies are whole numbers from 0 to 1000", () => {
  expect([count("0"), count(" 12 "), count("1000")]).toEqual([0, 12, 1000]);
  for (const text of ["", "1001", "-1", "1.5", "x"]) expect(count(text), text).toBeUndefined();
});
