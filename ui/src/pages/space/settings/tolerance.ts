/** A length of time as people enter it: a number and a unit. */
export const UNITS = { hours: 3_600_000, days: 86_400_000, weeks: 604_800_000 } as const;
export type Unit = keyof typeof UNITS;

/** In the largest unit in which it is a whole number; else in hours with at most two digits behind the point. */
export function entered(milliseconds: number): { amount: string; unit: Unit } {
  for (const unit of ["weeks", "days", "hours"] as const) {
    const amount = milliseconds / UNITS[unit];
    // "7 days" is what people say, "2 weeks" too.
    if (Number.isInteger(amount) && amount >= (unit === "weeks" ? 2 : 1)) return { amount: String(amount), unit };
  }
  return { amount: String(Math.max(0.01, Math.round((milliseconds / UNITS.hours) * 100) / 100)), unit: "hours" };
}

/** In milliseconds; undefined if it is no length of time that can be kept. Takes "1,5" as well as "1.5". */
export function meant(amount: string, unit: Unit): number | undefined {
  const value = Number(amount.trim().replace(",", ".") || NaN);
  const milliseconds = Math.round(value * UNITS[unit]);
  return milliseconds >= 1000 && milliseconds <= Number.MAX_SAFE_INTEGER ? milliseconds : undefined;
}

/** How many copies; undefined if it is no whole number from 0 to 1000. */
export function count(text: string): number | undefined {
  return /^\s*\d{1,4}\s*$/.test(text) && Number(text) <= 1000 ? Number(text) : undefined;
}
