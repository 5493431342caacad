"""Prints what was measured and appends every single measurement as a line of JSON.

Not its job: measuring, or deciding what is good enough (the targets are in `benchmarks`).
"""

import json
import os
import platform
import subprocess
import time
from statistics import median

MIB = 1 << 20
TITLES = {
    "seconds": "seconds",
    "rate": "MB/s",
    "cpu": "CPU s",
    "peak": "peak MiB",
    "disk": "disk MB",
    "wire": "wire bytes",
    "counted": "own count",
    "start": "start s",
    "save": "save s",
    "export": "export s",
    "p50": "p50 ms",
    "p99": "p99 ms",
    "put": "put ms",
    "by_index": "index ms",
    "by_scan": "scan ms",
    "messages": "read",
    "scanned": "scanned",
    "idle": "idle MiB",
    "idle_cpu": "CPU s/10 s",
    "import_peak": "import MiB",
    "sync_peak": "sync MiB",
    "write": "write s",
    "read": "cold read s",
    "random_write": "4k write/s",
    "random_read": "4k read/s",
    "create": "create s",
    "list": "ls -lR s",
    "read_small": "read small s",
    "remove": "rm -r s",
    "untar": "tar x s",
    "git_status": "git status s",
}
IN_MIB = {"peak", "idle", "import_peak", "sync_peak"}
IN_MS = {"p50", "p99", "put", "by_index", "by_scan"}


class Book:
    """All measurements of one start of the program."""

    def __init__(self, path, versions, scale):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.path = path
        self.facts = {
            "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "scale": scale,
            "machine": machine(),
            "versions": versions,
        }
        self.rounds = {}
        self.failures = {}

    def add(self, benchmark, number, rows):
        rounds = self.rounds.setdefault(benchmark.name, [])
        while len(rounds) <= number:
            rounds.append({})
        rounds[number].update(rows)
        for row, figures in rows.items():
            self._append({"benchmark": benchmark.name, "round": number, "system": row, **figures})

    def failed(self, benchmark, number, system, error):
        text = f"{system}, round {number + 1}: {type(error).__name__}: {error}"
        self.failures.setdefault(benchmark.name, []).append(text)
        line = {"benchmark": benchmark.name, "round": number, "system": system, "failed": text}
        self._append(line)

    def _append(self, line):
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps({**line, **self.facts}) + "\n")

    def table(self, benchmark):
        """The table of one benchmark, with its targets beneath."""
        rounds = self.rounds.get(benchmark.name, [])
        lines = [f"{benchmark.name}: {benchmark.text}"]
        lines.append(f"  {len(rounds)} rounds at scale {self.facts['scale']:g}; median (min-max)")
        lines += columns(self._rows(benchmark, rounds))
        lines += [self._target(target, rounds) for target in benchmark.targets]
        lines += [f"  failed: {text[:400]}" for text in self.failures.get(benchmark.name, [])]
        return "\n".join(lines)

    def _rows(self, benchmark, rounds):
        titles = [TITLES[column] for column in benchmark.columns]
        titles[benchmark.columns.index(benchmark.main)] += " (min-max)"
        if benchmark.reference:
            titles.append(f"x {benchmark.reference} (min-max)")
        table = [["", *titles]]
        for name in dict.fromkeys(row for one in rounds for row in one):
            here = [one for one in rounds if name in one]
            cells = [cell(column, [one[name] for one in here], benchmark) for column in benchmark.columns]
            if benchmark.reference:
                cells.append(ratio(here, name, benchmark))
            table.append([name, *cells])
        return table

    def _target(self, target, rounds):
        bound = target.at_least if target.at_least is not None else target.at_most
        word = "at least" if target.at_least is not None else "at most"
        promise = f"  target: {word} {bound:g} {target.text}"
        value = target.value(rounds)
        if value is None:
            return f"{promise}: not measured"
        outcome = "reached" if target.reached(value) else "missed"
        aside = "" if self.facts["scale"] == 1 else " (not the target's own scale)"
        return f"{promise}: {target.shown.format(value)}, {outcome}{aside}"


def figure(column, figures):
    """A figure of one measurement in the unit it is printed in, or None."""
    if column == "rate":
        return figures["bytes"] / figures["seconds"] / 1e6 if "bytes" in figures else None
    value = figures.get(column)
    if value is None:
        return None
    if column in IN_MIB:
        return value / MIB
    if column in IN_MS:
        return value * 1e3
    return value / 1e6 if column == "disk" else value


def cell(column, measurements, benchmark):
    values = [figure(column, one) for one in measurements]
    values = [value for value in values if value is not None]
    if not values:
        return "-"
    if column == benchmark.main:
        return spread(values)
    return number(median(values))


def ratio(rounds, name, benchmark):
    """How many times the reference's figure, each taken within its round. Below 1 is better."""
    both = [one for one in rounds if benchmark.reference in one]
    main = benchmark.main
    values = [one[name][main] / one[benchmark.reference][main] for one in both]
    return spread(values) if values else "-"


def spread(values):
    middle = number(median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({number(min(values))}-{number(max(values))})"


def number(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 100 else f"{value:.3g}"


def columns(table):
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
    lines = []
    for row in table:
        cells = [f"{row[0]:<{widths[0]}}"]
        cells += [f"{text:>{width}}" for text, width in zip(row[1:], widths[1:])]
        lines.append(("  " + "  ".join(cells)).rstrip())
    return lines


def machine():
    """What the numbers depend on."""
    with open("/proc/meminfo", encoding="ascii") as info:
        memory = int(info.readline().split()[1]) // MIB
    return {"cores": os.cpu_count(), "memory_gib": memory, "kernel": platform.release()}


def version(argv):
    """First line that a program says about its version, or None if it is not there."""
    try:
        output = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return output.splitlines()[0] if output else ""
