/**
 * What a reload cuts off: the browser forgets which files were chosen, so that they can only be named, not gone on with.
 *
 * Kept in this tab, until it is read once.
 */

export interface CutOff {
  /** how many */
  n: number;
  space: string;
  /** where the first of them was to go */
  folder: string;
  /** some of them, exact */
  paths: string[];
}

const NAME = "cobox.cutoff";

export function note(cut: CutOff): void {
  try {
    sessionStorage.setItem(NAME, JSON.stringify(cut));
  } catch {
    // no storage
  }
}

export function forget(): void {
  try {
    sessionStorage.removeItem(NAME);
  } catch {
    // no storage
  }
}

export function recall(): CutOff | undefined {
  try {
    const text = sessionStorage.getItem(NAME);
    forget();
    return text ? (JSON.parse(text) as CutOff) : undefined;
  } catch {
    return undefined;
  }
}
