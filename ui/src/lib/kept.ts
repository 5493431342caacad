/** Choices of this browser, kept in it. Nothing secret, nothing that the program knows. Without storage they last until the reload. */

export function kept<T extends string>(name: string, allowed: readonly T[]): T | null {
  try {
    const value = localStorage.getItem(`cobox.${name}`);
    return allowed.find((one) => one === value) ?? null;
  } catch {
    return null;
  }
}

export function keep(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`cobox.${name}`);
    else localStorage.setItem(`cobox.${name}`, value);
  } catch {
    // no storage
  }
}
