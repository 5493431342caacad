#!/usr/bin/env python3
"""Measures CoBox beside other systems, in turn, on one machine. See README.md.

This file reads the command line and keeps the house clean: the measurements run in a child with a
process and a network namespace of its own, so that nothing of theirs outlives it.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
GIB = 1 << 30
# Disk needed at scale 1: sources, a copy to edit, three homes and an export.
DISK = 8 * GIB
# Time allowed per round at scale 1, for all benchmarks; many times what they take.
LIMIT = 3600


def arguments():
    parser = argparse.ArgumentParser(description="Measure CoBox beside other systems.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks (default: all)")
    parser.add_argument("--runs", type=int, default=3, help="rounds of each (default 3)")
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the data, e.g. 0.1")
    parser.add_argument("--only", default="", help="systems, by comma: cobox,restic")
    parser.add_argument("--list", action="store_true", help="say which benchmarks there are")
    parser.add_argument("--cobox", default=None, help="the program (default: target/release/cobox)")
    parser.add_argument("--inside", default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.runs = 1
    if options.cobox is None:
        target = os.environ.get("CARGO_TARGET_DIR") or os.path.join(HERE, "..", "target")
        options.cobox = os.path.join(target, "release", "cobox")
    options.cobox = os.path.abspath(options.cobox)
    return options


def chosen(names):
    from measure.benchmarks import BENCHMARKS

    known = {benchmark.name: benchmark for benchmark in BENCHMARKS}
    wrong = [name for name in names if name not in known]
    if wrong:
        sys.exit(f"no such benchmark: {', '.join(wrong)}; there are: {', '.join(known)}")
    return [known[name] for name in names] or BENCHMARKS


def outside(options):
    """Starts the measurements where nothing can leak from, and tidies up whatever happens."""
    benchmarks = chosen(options.names)
    if options.list:
        for benchmark in benchmarks:
            print(f"{benchmark.name:14} {benchmark.text}")
        return 0
    base = os.environ.get("TMPDIR") or "/var/tmp"
    if shutil.disk_usage(base).free < DISK * options.scale + GIB:
        sys.exit(f"{base} has too little room: {DISK * options.scale / GIB + 1:.1f} GiB are needed")
    folder = tempfile.mkdtemp(prefix="cobox-bench-", dir=base)
    argv = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        argv.append("--map-root-user")
    argv += [sys.executable, "-u", os.path.abspath(__file__), *sys.argv[1:], "--inside", folder]
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return child.wait(max(900, LIMIT * options.runs * options.scale))
    except subprocess.TimeoutExpired:
        sys.exit("the benchmarks took too long and were ended")
    except KeyboardInterrupt:
        return 130
    finally:
        # A second signal must not stop the tidying up that the first one began.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        child.kill()
        child.wait()
        shutil.rmtree(folder, ignore_errors=True)


def inside(options):
    """All rounds, all benchmarks; the systems take turns, and each round begins with another one."""
    from measure.bench import World
    from measure.machine import Wire
    from measure.report import Book, version

    versions = found(options, version)
    benchmarks = chosen(options.names)
    world = World(Wire(), options.inside, options.cobox, options.scale)
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    book = Book(os.path.join(HERE, "results", f"{stamp}.jsonl"), versions, options.scale)
    load = os.getloadavg()[0]
    if load > 0.5:
        say(f"note: this machine is busy (load {load:.1f}); times will be longer than at rest")
    for benchmark in benchmarks:
        systems = [name for name in benchmark.systems if available(name, versions, options.only)]
        for number in range(options.runs):
            turn = number % max(1, len(systems))
            for name in systems[turn:] + systems[:turn]:
                one(world, book, benchmark, number, name)
        print("\n" + book.table(benchmark) + "\n", flush=True)
    print(f"all measurements: {os.path.relpath(book.path)}")
    return 1 if book.failures else 0


def one(world, book, benchmark, number, name):
    """One measurement; its failure is noted and does not end the others."""
    from measure.bench import Run

    say(f"{benchmark.name}, round {number + 1}: {name}")
    try:
        with Run(world) as run:
            book.add(benchmark, number, benchmark.systems[name](run))
    except Exception as error:
        book.failed(benchmark, number, name, error)
        say("".join(traceback.format_exception(error)[-3:]))


def found(options, version):
    """Versions of the systems that are installed."""
    lock = os.path.join(HERE, "node_modules", ".package-lock.json")
    hyperdrive = None
    if os.path.exists(lock):
        with open(lock, encoding="utf-8") as file:
            packages = json.load(file)["packages"]
        names = ("hyperdrive", "corestore", "hypercore", "hypercore-storage")
        hyperdrive = " ".join(f"{n} {packages['node_modules/' + n]['version']}" for n in names)
    return {
        "cobox": version([options.cobox, "--version"]),
        "dd": version(["dd", "--version"]),
        "restic": version(["restic", "version"]),
        "syncthing": version(["syncthing", "--version"]),
        "hyperdrive": hyperdrive,
        "gocryptfs": version(["gocryptfs", "--version"]),
        "ext4": version(["uname", "-r"]),
        "iroh": "the version in Cargo.lock",
    }


def available(name, versions, only):
    if only and name not in only.split(","):
        return False
    if versions[name] is None:
        say(f"{name} is not installed and is left out")
        return False
    return True


def say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    OPTIONS = arguments()
    sys.exit(inside(OPTIONS) if OPTIONS.inside else outside(OPTIONS))
