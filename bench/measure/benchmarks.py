"""The benchmarks by name. Each function measures one system once and returns {row: figures}.

Figures: `seconds` of wall time; `bytes` of the files moved; `wire` bytes between the machines, headers
included; `cpu` seconds and `peak` resident bytes of the processes measured; `disk` bytes allocated.
"""

import time

from measure import live, mounts, sources
from measure.bench import Benchmark, Meter, Target
from measure.systems.plain import Restic, dd


def check(problem):
    """A system that lost or changed a byte has no figures."""
    if problem:
        raise AssertionError(problem)


# Import: files of this machine into a store, durable on return (hyperdrive's store does not sync).


def import_dd(run):
    source = run.source("large")
    done = dd(run.a, source, run.path("copy"), run.path("log"), run.limit(120))
    figures = {"seconds": done.seconds, "cpu": done.cpu, "peak": done.peak}
    return {"dd": {**figures, "bytes": source.bytes, "disk": sources.on_disk(run.folder)}}


def import_cobox(kind):
    def measure(run):
        source = run.source(kind)
        cobox = run.cobox(run.a, "a")
        cobox.create_space()
        with Meter(run, cobox.process) as meter:
            cobox.bring_in(source, run.limit(300))
        disk = sources.on_disk(cobox.home)
        cobox.run("export", "bench", run.path("out"), seconds=run.limit(300))
        check(sources.difference(source.folder, run.path("out")))
        return {"cobox": {**meter.figures, "bytes": source.bytes, "disk": disk}}

    return measure


def import_restic(kind):
    def measure(run):
        source = run.source(kind)
        restic = Restic(run.a, run.path("restic"))
        run.settle()
        done = restic.backup(source, run.limit(300))
        disk = sources.on_disk(restic.repository)
        figures = {"seconds": done.seconds, "cpu": done.cpu, "peak": done.peak}
        return {"restic": {**figures, "bytes": source.bytes, "disk": disk}}

    return measure


def import_hyperdrive(kind):
    def measure(run):
        source = run.source(kind)
        peer = run.hyperdrive(run.a, "a")
        with Meter(run, peer.process) as meter:
            peer.put(source, run.limit(600))
        peer.ask(60, "close")
        disk = sources.on_disk(peer.store)
        return {"hyperdrive": {**meter.figures, "bytes": source.bytes, "disk": disk}}

    return measure


def import_syncthing(run):
    """Syncthing copies nothing: it only reads, hashes and notes, which is the least any system does."""
    source = run.own_source("small")
    first, _ = run.syncthing_pair(source.folder)
    with Meter(run, first.process) as meter:
        first.pause_folder(False)
        first.wait_scanned(source.files, run.limit(300))
    disk = sources.on_disk(first.home)
    return {"syncthing (scan)": {**meter.figures, "bytes": source.bytes, "disk": disk}}


# Sync: from the moment the second machine is told of the first until it has everything.


def sync_cobox(kind):
    def measure(run):
        source = run.source(kind)
        a, member, replicator = (
            run.cobox(run.a, "a"),
            run.cobox(run.b, "member"),
            run.cobox(run.b, "replicator"),
        )
        address = a.create_space()
        a.bring_in(source, run.limit(300))
        code = a.invite(member)
        with Meter(run, a.process, replicator.process) as blind:
            replicator.replicate(address, a.hint)
            replicator.wait_replica(address, a, run.limit(300))
        blind_disk = sources.on_disk(replicator.home)
        replicator.stop()
        with Meter(run, a.process, member.process) as open_:
            member.join(code, a.hint)
            member.wait_member(source, run.limit(300))
        disk = sources.on_disk(member.home)
        a.stop()
        member.run("export", "bench", run.path("out"), seconds=run.limit(300))
        check(sources.difference(source.folder, run.path("out")))
        return {
            "cobox": {**open_.figures, "bytes": source.bytes, "disk": disk},
            "cobox (blind)": {**blind.figures, "bytes": source.bytes, "disk": blind_disk},
        }

    return measure


def sync_syncthing(kind, blind):
    sealed = {"kind": "receiveencrypted", "password": "secret"} if blind else {}

    def measure(run):
        source = run.own_source(kind)
        first, second = run.syncthing_pair(source.folder, **sealed)
        for instance in (first, second):
            instance.pause_folder(False)
        first.wait_scanned(source.files, run.limit(300))
        with Meter(run, first.process, second.process) as meter:
            first.pause_peer(second, False)
            second.wait_received(first, source.files, run.limit(1200))
        if not blind:
            check(sources.difference(source.folder, second.folder))
        disk = sources.on_disk(second.folder) + sources.on_disk(second.home)
        row = "syncthing (blind)" if blind else "syncthing"
        return {row: {**meter.figures, "bytes": source.bytes, "disk": disk}}

    return measure


def sync_hyperdrive(kind):
    def measure(run):
        source = run.source(kind)
        first, second = run.hyperdrive(run.a, "a"), run.hyperdrive(run.b, "b")
        key = first.put(source, run.limit(600))
        first.listen()
        with Meter(run, first.process, second.process) as meter:
            second.fetch(first, key, run.limit(600))
        first.stop()
        second.ask(run.limit(600), "writeOut", target=run.path("out"))
        check(sources.difference(source.folder, run.path("out")))
        second.ask(60, "close")
        disk = sources.on_disk(second.store)
        return {"hyperdrive": {**meter.figures, "bytes": source.bytes, "disk": disk}}

    return measure


def sync_iroh(run):
    """The transport alone: the same bytes from memory to memory, neither verified nor stored."""
    size = run.world.source("large").bytes
    figures = live.bare_iroh(run, size, streams=4)
    return {"bare iroh": {**figures, "bytes": size}} if figures else {}


# Restore: everything lost but one copy elsewhere.


def restore_cobox(run):
    """A new member, introduced to nobody but a blind replicator, joins and exports at once: while it comes."""
    source = run.source("large")
    a, replicator, late = (
        run.cobox(run.a, "a"),
        run.cobox(run.b, "replicator"),
        run.cobox(run.a, "late"),
    )
    address = a.create_space()
    a.bring_in(source, run.limit(300))
    code = a.invite(late)
    with Meter(run, a.process, replicator.process) as sync:
        replicator.replicate(address, a.hint)
        replicator.wait_replica(address, a, run.limit(300))
    a.stop()
    with Meter(run, late.process, replicator.process) as meter:
        late.join(code, replicator.hint)
        joined = time.monotonic()
        late.run("export", "bench", run.path("out"), seconds=run.limit(300))
        exported = time.monotonic() - joined
    check(sources.difference(source.folder, run.path("out")))
    figures = {**meter.figures, "bytes": source.bytes, "export": exported}
    return {"cobox": figures, "cobox (its sync)": {**sync.figures, "bytes": source.bytes}}


def restore_restic(run):
    source = run.source("large")
    restic = Restic(run.a, run.path("restic"))
    restic.backup(source, run.limit(300))
    run.settle()
    done = restic.restore(run.path("out"), run.limit(300))
    check(sources.difference(source.folder, run.path("out") + source.folder))
    figures = {"seconds": done.seconds, "cpu": done.cpu, "peak": done.peak}
    return {"restic": {**figures, "bytes": source.bytes}}


def both(*measures):
    """One system measured in several ways, one after the other, each in its own run."""

    def measure(run):
        rows = {}
        for one in measures:
            with type(run)(run.world) as own:
                rows.update(one(own))
        return rows

    return measure


def speed(row):
    return row["bytes"] / row["seconds"]


def gain(row):
    """How many times faster an index is than reading everything."""
    return row["by_scan"] / row["by_index"]


MOUNT = [
    "write", "read", "random_write", "random_read", "create", "list", "read_small", "remove", "untar", "git_status",
]  # fmt: skip


def faster(row):
    """Not slower than gocryptfs in one row; the random ones count operations, all others seconds."""
    ours, theirs = (lambda r: r["cobox"][row]), (lambda r: r["gocryptfs"][row])
    if row.startswith("random"):
        return Target(f"x gocryptfs, {row}", lambda r: ours(r) / theirs(r), 1)
    return Target(f"x gocryptfs, {row}", lambda r: theirs(r) / ours(r), 1)


STORE = ["seconds", "rate", "cpu", "peak", "disk"]
SYNC = ["seconds", "rate", "cpu", "peak", "wire", "disk"]

BENCHMARKS = [
    Benchmark(
        "import-large",
        "1 GiB in one file that cannot be compressed, into a store",
        {
            "dd": import_dd,
            "cobox": import_cobox("large"),
            "restic": import_restic("large"),
            "hyperdrive": import_hyperdrive("large"),
        },
        STORE,
        reference="dd",
        targets=[
            Target("of the speed of dd", lambda r: speed(r["cobox"]) / speed(r["dd"]), 0.6),
            Target("x restic", lambda r: speed(r["cobox"]) / speed(r["restic"]), 2),
        ],
    ),
    Benchmark(
        "import-small",
        "20 000 files of 1 to 8 KiB in 200 folders, half of them text, into a store",
        {
            "restic": import_restic("small"),
            "cobox": import_cobox("small"),
            "syncthing": import_syncthing,
            "hyperdrive": import_hyperdrive("small"),
        },
        STORE,
        reference="restic",
        targets=[
            Target("x restic", lambda r: speed(r["cobox"]) / speed(r["restic"]), 1),
            Target(
                "x the input on disk",
                lambda r: r["cobox"]["disk"] / r["cobox"]["bytes"],
                at_most=1.3,
            ),
        ],
    ),
    Benchmark(
        "sync-large",
        "1 GiB in one file to a second machine: a member's, and a blind one",
        {
            "syncthing": both(sync_syncthing("large", False), sync_syncthing("large", True)),
            "cobox": sync_cobox("large"),
            "hyperdrive": sync_hyperdrive("large"),
            "iroh": sync_iroh,
        },
        SYNC,
        reference="syncthing",
        targets=[
            Target("of bare iroh", lambda r: speed(r["cobox"]) / speed(r["bare iroh"]), 0.7),
            Target(
                "of bare iroh, blind",
                lambda r: speed(r["cobox (blind)"]) / speed(r["bare iroh"]),
                0.7,
            ),
            Target("x Syncthing", lambda r: speed(r["cobox"]) / speed(r["syncthing"]), 1),
            Target(
                "x Syncthing, blind",
                lambda r: speed(r["cobox (blind)"]) / speed(r["syncthing (blind)"]),
                1,
            ),
        ],
    ),
    Benchmark(
        "sync-small",
        "20 000 small files to a second machine: a member's, and a blind one",
        {
            "hyperdrive": sync_hyperdrive("small"),
            "cobox": sync_cobox("small"),
            "syncthing": both(sync_syncthing("small", False), sync_syncthing("small", True)),
        },
        SYNC,
        reference="hyperdrive",
        targets=[
            Target("s", lambda r: r["cobox"]["seconds"], at_most=2),
            Target("s, blind", lambda r: r["cobox (blind)"]["seconds"], at_most=2),
            Target("x hyperdrive", lambda r: speed(r["cobox"]) / speed(r["hyperdrive"]), 3),
            Target("x Syncthing", lambda r: speed(r["cobox"]) / speed(r["syncthing"]), 14),
        ],
    ),
    Benchmark(
        "edit",
        "1 MiB overwritten in a synced file of 1 GiB, until the other machine has it",
        {"syncthing": live.edit_syncthing, "cobox": live.edit_cobox},
        ["seconds", "save", "cpu", "wire"],
        reference="syncthing",
        targets=[
            Target("MB on the wire", lambda r: r["cobox put"]["wire"] / 1e6, at_most=1.5),
            Target("s with put", lambda r: r["cobox put"]["seconds"], at_most=1),
            Target("s with import", lambda r: r["cobox import"]["seconds"], at_most=1),
        ],
    ),
    Benchmark(
        "latency",
        "a small file written on one machine until readable on the other",
        {"syncthing": live.latency_syncthing, "cobox": live.latency_cobox},
        ["p50", "p99", "put", "wire"],
        reference="syncthing (scan asked)",
        main="p50",
        targets=[
            Target("ms p50", lambda r: r["cobox"]["p50"] * 1e3, at_most=50, shown="{:.1f}"),
            Target("ms p99", lambda r: r["cobox"]["p99"] * 1e3, at_most=250, shown="{:.1f}"),
        ],
    ),
    Benchmark(
        "reconnect",
        "a pair in sync with 20 000 files meets again and finds nothing to do",
        {
            "hyperdrive": live.reconnect_hyperdrive,
            "syncthing": live.reconnect_syncthing,
            "cobox": live.reconnect_cobox,
            "iroh": live.reconnect_iroh,
        },
        ["seconds", "wire", "counted", "start"],
        reference="syncthing",
        targets=[
            Target(
                "bytes beyond a bare connection",
                lambda r: r["cobox"]["wire"] - r["bare iroh"]["wire"],
                at_most=1024,
                shown="{:.0f}",
            ),
            Target("bytes by its own count", lambda r: r["cobox"]["counted"], None, 1024, "{:.0f}"),
            Target("ms", lambda r: r["cobox"]["seconds"] * 1e3, at_most=50, shown="{:.1f}"),
        ],
    ),
    Benchmark(
        "query",
        "100 000 messages in one log asked by index, by reading everything, and live",
        {"cobox": live.query},
        ["by_index", "messages", "by_scan", "scanned", "seconds"],
        main="by_index",
        targets=[
            Target("x a scan, one rare type", lambda r: gain(r["count one rare type"]), 50),
            Target("x a scan, one type of ten", lambda r: gain(r["count one type of ten"]), 3),
            Target(
                "ms until a new message is told live",
                lambda r: r["live: a new one (median, slowest)"]["by_index"] * 1e3,
                at_most=50,
                shown="{:.1f}",
            ),
        ],
    ),
    Benchmark(
        "memory",
        "resident memory and processor use with 20 000 files",
        {
            "syncthing": live.memory_syncthing,
            "cobox": live.memory_cobox,
            "hyperdrive": live.memory_hyperdrive,
        },
        ["idle", "idle_cpu", "import_peak", "sync_peak"],
        reference="syncthing",
        main="idle",
        targets=[
            Target("MiB idle", lambda r: r["cobox"]["idle"] / 2**20, None, 60, "{:.1f}"),
        ],
    ),
    Benchmark(
        "memory-hub",
        "resident memory of a machine that replicates 1 000 spaces",
        {"cobox": live.memory_hub},
        ["idle", "idle_cpu", "sync_peak", "seconds"],
        main="idle",
        targets=[
            Target("MiB idle", lambda r: r["cobox"]["idle"] / 2**20, None, 150, "{:.1f}"),
        ],
    ),
    Benchmark(
        "restore",
        "1 GiB from the only copy left, written out as files on a new machine",
        {"restic": restore_restic, "cobox": restore_cobox},
        ["seconds", "rate", "export", "cpu", "peak"],
        reference="restic",
        targets=[
            Target(
                "of the speed of its own sync",
                lambda r: speed(r["cobox"]) / speed(r["cobox (its sync)"]),
                1,
            ),
        ],
    ),
    Benchmark(
        "mount",
        "a folder: 1 GiB written and read, 4 KiB at random, 10 000 small files, a tree, git",
        {"gocryptfs": mounts.gocryptfs, "cobox": mounts.cobox, "ext4": mounts.plain},
        [*MOUNT, "cpu", "peak"],
        reference="gocryptfs",
        main="write",
        targets=[faster(row) for row in MOUNT],
    ),
]
