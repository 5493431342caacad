// Before anything is painted, so that a chosen theme does not flash in as another.
try {
  const theme = localStorage.getItem("cobox.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // No storage: the system's theme it is.
}
