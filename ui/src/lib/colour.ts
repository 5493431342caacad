/**
 * A colour for a key: people, devices and spaces are told apart by it, the same on everybody's screen.
 *
 * Computed from the key alone. The hue says who it is; lightness belongs to the theme, so it is set in CSS (`Dot.vue`).
 */
export interface Colour {
  /** 0 to 359 */
  hue: number;
  /** of the second tone, near the first */
  second: number;
  /** 0.09 to 0.16, in OKLCH */
  chroma: number;
}

export function colour(key: string): Colour {
  const bits = parseInt(key.slice(0, 8), 16);
  // A name, or nothing at all, is no key: grey.
  if (Number.isNaN(bits)) return { hue: 60, second: 60, chroma: 0.01 };
  const hue = bits % 360;
  const turn = 24 + (Math.floor(bits / 360) % 48);
  const side = Math.floor(bits / 20_000) % 2 ? 1 : -1;
  return { hue, second: (hue + side * turn + 360) % 360, chroma: 0.1 + (Math.floor(bits / 50_000) % 5) * 0.012 };
}

/** The first digits: enough for people to tell keys apart. */
export function short(key: string): string {
  return key.slice(0, 8);
}
