"""What a benchmark is: systems measured in turn, a reference, columns to print and targets to reach.

Not its job: which benchmarks there are (see `benchmarks`), or printing (see `report`).
"""

import contextlib
import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from statistics import median
from typing import Callable

from measure import sources
from measure.systems.cobox import Cobox
from measure.systems.hyperdrive import Hyperdrive
from measure.systems.syncthing import Syncthing


@dataclass
class Target:
    """A promise of the design: a figure computed from one round, and the bound its median must keep."""

    text: str
    of: Callable[[dict], float]
    at_least: float = None
    at_most: float = None
    shown: str = "{:.2f}"

    def value(self, rounds):
        """Median over the rounds that have all it needs, or None."""
        values = []
        for one in rounds:
            with contextlib.suppress(KeyError, ZeroDivisionError):
                values.append(self.of(one))
        return median(values) if values else None

    def reached(self, value):
        if self.at_least is not None:
            return value >= self.at_least
        return value <= self.at_most


@dataclass
class Benchmark:
    """Named work. `systems` maps a program's name to what measures it: Run -> {row: figures}."""

    name: str
    text: str
    systems: dict
    columns: list
    reference: str = None
    main: str = "seconds"
    targets: list = field(default_factory=list)


class World:
    """What all measurements share: the wire, the files, the program, the scale."""

    def __init__(self, wire, folder, program, scale):
        self.wire = wire
        self.folder = folder
        self.program = program
        self.scale = scale
        self._sources = {}

    def limit(self, seconds):
        """Time allowed for work that takes about a tenth of it at full scale."""
        return max(60, seconds * self.scale)

    def source(self, kind):
        """The files of a kind ("large" or "small"), made when first asked for."""
        if kind not in self._sources:
            make = getattr(sources, kind)
            self._sources[kind] = make(os.path.join(self.folder, "source", kind), self.scale)
        return self._sources[kind]


class Run:
    """One measurement of one system: a fresh folder, and programs that are ended with it."""

    def __init__(self, world):
        self.world = world
        self.wire = world.wire
        self.a = world.wire.a
        self.b = world.wire.b
        self.limit = world.limit
        self._programs = []
        self.folder = None

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="run-", dir=self.world.folder)
        return self

    def __exit__(self, *_):
        for program in reversed(self._programs):
            with contextlib.suppress(OSError):
                program.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def source(self, kind):
        """The shared files of a kind, warm in memory."""
        source = self.world.source(kind)
        source.warm()
        return source

    def own_source(self, kind):
        """A copy of the files of a kind that may be changed."""
        source = sources.copy(self.world.source(kind), self.path("own"))
        source.warm()
        return source

    def keep(self, program):
        """Has a program ended with this run."""
        self._programs.append(program)
        return program

    def cobox(self, machine, name):
        """A running CoBox with an empty home."""
        cobox = self.keep(Cobox(machine, self.world.program, self.path(name)))
        cobox.start()
        return cobox

    def hyperdrive(self, machine, name):
        return self.keep(Hyperdrive(machine, self.path(name)))

    def syncthing_pair(self, folder, kind="sendreceive", password="", watch=False):
        """Two instances that know each other; `folder` is the first one's. Only the first dials."""
        first = Syncthing(self.a, self.path("st-a"), folder)
        second = Syncthing(self.b, self.path("st-b"), self.path("st-b-folder"))
        first.configure(second, password=password, watch=watch)
        second.configure(first, kind=kind, peer_paused=None)
        for instance in (first, second):
            self.keep(instance).start()
        return first, second

    def settle(self):
        """Lets the disk and the wire come to rest, so that what came before is not counted."""
        os.sync()
        self.wire.quiet(0.3, limit=5)


class Meter:
    """Time, wire bytes, processor seconds and peak memory of processes over a stretch of work."""

    def __init__(self, run, *processes):
        self.run = run
        self.processes = processes

    def __enter__(self):
        self.run.settle()
        for process in self.processes:
            process.forget_peak()
        self._cpu = sum(process.cpu() for process in self.processes)
        self._wire = self.run.wire.bytes()
        self._begin = time.monotonic()
        self.figures = {}
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            return
        self.figures = {
            "seconds": time.monotonic() - self._begin,
            "wire": self.run.wire.bytes() - self._wire,
            "cpu": sum(process.cpu() for process in self.processes) - self._cpu,
            "peak": max(process.peak() for process in self.processes),
        }
