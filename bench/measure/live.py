"""Benchmarks of pairs that are already in sync: edits, latency, meeting again, resting.

Figures beside those of `benchmarks`: `start` seconds until the program is ready; `save` seconds until
the writer's own program was done; `p50`, `p99` and `put` seconds; `counted` bytes by the program's own
counters; `idle` resident bytes and `idle_cpu` processor seconds per 10 s; `import_peak` and `sync_peak`
resident bytes.
"""

import json
import os
import time

from measure import sources
from measure.bench import Meter
from measure.machine import until

SAMPLES = 200
SAMPLES_OF_SLOW = 20
REST_BEFORE = 5
REST = 10


def cobox_pair(run, source):
    """Two members in sync; returns both and the peak memory of import and sync."""
    a, b = run.cobox(run.a, "a"), run.cobox(run.b, "b")
    a.create_space()
    a.process.forget_peak()
    a.bring_in(source, run.limit(300))
    imported = a.process.peak()
    a.process.forget_peak()
    b.process.forget_peak()
    b.join(a.invite(b), a.hint)
    b.wait_member(source, run.limit(300))
    return a, b, {"import_peak": imported, "sync_peak": max(a.process.peak(), b.process.peak())}


def syncthing_pair(run, source, watch=False):
    """Two instances in sync; returns both and the peak memory of scan and sync."""
    first, second = run.syncthing_pair(source.folder, watch=watch)
    for instance in (first, second):
        instance.process.forget_peak()
        instance.pause_folder(False)
    first.wait_scanned(source.files, run.limit(300))
    scanned = first.process.peak()
    first.process.forget_peak()
    first.pause_peer(second, False)
    second.wait_received(first, source.files, run.limit(1200))
    peak = max(first.process.peak(), second.process.peak())
    return first, second, {"import_peak": scanned, "sync_peak": peak}


# Edit.


def edit_cobox(run):
    source = run.own_source("large")
    path = os.path.join(source.folder, "one.bin")
    a, b, _ = cobox_pair(run, source)
    ways = {
        "cobox put": lambda: a.run("put", "bench:one.bin", path, seconds=run.limit(120)),
        "cobox import": lambda: a.bring_in(source, run.limit(120)),
    }
    rows = {}
    for seed, (row, save) in enumerate(ways.items()):
        offset, data = sources.overwrite(path, seed)
        with Meter(run, a.process, b.process) as meter:
            begin = time.monotonic()
            save()
            saved = time.monotonic() - begin
            wait_part(b, "one.bin", offset, data, run.limit(120))
        rows[row] = {**meter.figures, "save": saved}
    return rows


def wait_part(cobox, path, offset, data, seconds):
    """Until a part of a file has these bytes, asking for little as long as it is the old part."""
    cobox.wait_readable(path, data[:64], seconds, 0.005, offset)
    cobox.wait_readable(path, data, seconds, 0.005, offset)


def edit_syncthing(run):
    """A scan is asked for at once, so that the delay of the folder's watcher is not counted."""
    source = run.own_source("large")
    path = os.path.join(source.folder, "one.bin")
    first, second, _ = syncthing_pair(run, source)
    theirs = os.path.join(second.folder, "one.bin")
    sources.overwrite(path, 0)
    written = os.stat(path).st_mtime_ns
    with Meter(run, first.process, second.process) as meter:
        begin = time.monotonic()
        first.scan("one.bin")
        saved = time.monotonic() - begin
        until(lambda: mtime(theirs) == written, run.limit(120), "the edit", 0.005)
    if not sources.same_bytes(path, theirs):
        raise AssertionError("the edited files differ")
    return {"syncthing": {**meter.figures, "save": saved}}


def mtime(path):
    """When a file was written, or None in the moment in which it is being replaced."""
    try:
        return os.stat(path).st_mtime_ns
    except FileNotFoundError:
        return None


# Latency.


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def latency_figures(run, sample, count, pause):
    """Takes samples of (seconds until readable, seconds until the writer was answered)."""
    run.settle()
    wire = run.wire.bytes()
    samples = []
    for number in range(count):
        samples.append(sample(number, f"sample {number} of a small file\n".encode() * 20))
        time.sleep(pause)
    readable = [one[0] for one in samples]
    return {
        "p50": percentile(readable, 0.50),
        "p99": percentile(readable, 0.99),
        "put": percentile([one[1] for one in samples], 0.50),
        "wire": (run.wire.bytes() - wire) / count,
    }


def latency_cobox(run):
    a, b, _ = cobox_pair(run, run.source("small"))

    def sample(number, data):
        path = f"latency/{number}.txt"
        begin = time.monotonic()
        a.put(path, data)
        answered = time.monotonic()
        return b.wait_readable(path, data, 30) - begin, answered - begin

    return {"cobox": latency_figures(run, sample, SAMPLES, 0.02)}


def latency_syncthing(run):
    """Once with a scan asked for at each file, once left to the watcher at the least delay it takes.

    It sends news at most four times a second: the longer pause lets each file be the first of its
    quarter.
    """
    source = run.own_source("small")
    first, second, _ = syncthing_pair(run, source, watch=True)

    def sample(asked):
        def take(number, data):
            name = f"latency-{asked}-{number}.txt"
            theirs = os.path.join(second.folder, name)
            begin = time.monotonic()
            with open(os.path.join(first.folder, name), "wb") as file:
                file.write(data)
            if asked:
                first.scan(name)
            answered = time.monotonic()
            until(lambda: os.path.exists(theirs), 30, name, 0.001)
            return time.monotonic() - begin, answered - begin

        return take

    return {
        "syncthing (scan asked)": latency_figures(run, sample(True), 2 * SAMPLES_OF_SLOW, 0.5),
        "syncthing (watcher)": latency_figures(run, sample(False), SAMPLES_OF_SLOW, 0.02),
    }


# Reconnect: until both sides know that nothing is missing.


def reconnect_cobox(run):
    """One program is stopped and started again; the clock runs from its start.

    The second time counts: at the first, each tells the space once a day with whom it was in sync.
    """
    a, b, _ = cobox_pair(run, run.source("small"))
    restart_cobox(run, a, b)
    return {"cobox": restart_cobox(run, a, b)}


def restart_cobox(run, a, b):
    run.wire.quiet()
    a.stop()
    until(lambda: not b.connected(), 60, "the other side notices the end")
    run.wire.quiet()
    before = run.wire.bytes()
    today = now()
    began = time.monotonic()
    a.start()
    ready = time.monotonic()
    until(lambda: a.in_sync_since(today) and b.connected(), 60, "the pair is in sync", 0.002)
    figures = {"seconds": time.monotonic() - began, "start": ready - began}
    run.wire.quiet(1.0)
    figures["wire"] = run.wire.bytes() - before
    figures["counted"] = a.counters()
    return figures


def now():
    """The time of day as CoBox writes it."""
    seconds, milliseconds = divmod(time.time_ns() // 1_000_000, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{milliseconds:03}Z"


def reconnect_syncthing(run):
    """The peer is paused and resumed: no program starts, no folder is scanned again.

    The best of three, since a dial that just missed its turn waits half a minute for the next.
    """
    source = run.own_source("small")
    first, second, _ = syncthing_pair(run, source)
    tries = [resume_syncthing(run, first, second) for _ in range(3)]
    return {"syncthing": min(tries, key=lambda figures: figures["seconds"])}


def resume_syncthing(run, first, second):
    first.pause_peer(second, True)
    until(lambda: not second.connected(first), 30, "Syncthing's end of connection")
    run.wire.quiet()
    before = run.wire.bytes()
    begin = time.monotonic()
    first.pause_peer(second, False)
    until(lambda: first.connected(second) and first.knows_complete(second), 60, "both again", 0.002)
    seconds = time.monotonic() - begin
    run.wire.quiet(1.0)
    figures = {"seconds": seconds, "wire": run.wire.bytes() - before}
    return {**figures, "counted": first.counters()}


def reconnect_hyperdrive(run):
    """A new TCP connection between two running peers."""
    source = run.source("small")
    first, second = run.hyperdrive(run.a, "a"), run.hyperdrive(run.b, "b")
    key = first.put(source, run.limit(600))
    first.listen()
    second.fetch(first, key, run.limit(600))
    second.ask(30, "hangUp")
    run.wire.quiet()
    before = run.wire.bytes()
    begin = time.monotonic()
    second.fetch(first, key, 60)
    seconds = time.monotonic() - begin
    run.wire.quiet(1.0)
    return {"hyperdrive": {"seconds": seconds, "wire": run.wire.bytes() - before}}


def reconnect_iroh(run):
    """What a connection of the transport costs by itself."""
    figures = bare_iroh(run, 0, streams=0)
    return {"bare iroh": figures} if figures else {}


def bare_iroh(run, size, streams):
    """The example program `bare_iroh` between the two machines, if it was built."""
    program = os.path.join(os.path.dirname(run.world.program), "examples", "bare_iroh")
    if not os.path.exists(program):
        return None
    receiver = run.keep(run.b.start([program, "receive", run.b.address], run.path("receiver")))
    ticket = receiver.line(30)
    run.settle()
    before = run.wire.bytes()
    words = [program, "send", ticket, str(size), str(streams)]
    done = run.a.run(words, run.path("sender"), run.limit(120))
    return {
        "seconds": float(done.output),
        "wire": run.wire.bytes() - before,
        "cpu": done.cpu + receiver.cpu(),
        "peak": max(done.peak, receiver.peak()),
    }


# Queries over messages.


def query(run):
    """The example program `query`: one home, one log, no network; each answer by index and by reading everything."""
    program = os.path.join(os.path.dirname(run.world.program), "examples", "query")
    if not os.path.exists(program):
        return {}
    messages = max(1000, int(100_000 * run.world.scale))
    run.settle()
    done = run.a.run([program, str(messages), "--json"], run.path("query"), run.limit(600))
    answer = json.loads(done.output)
    rows = {row.pop("what"): {**row, "messages": row.pop("read")} for row in answer["rows"]}
    wrote = {"seconds": answer["wrote"], "messages": answer["messages"], "cpu": done.cpu, "peak": done.peak}
    return {**rows, "writing and indexing": wrote}


# Memory.


def at_rest(*processes):
    """Resident bytes of the largest, and processor seconds of the busiest, in ten seconds of peace."""
    time.sleep(REST_BEFORE)
    before = [process.cpu() for process in processes]
    time.sleep(REST)
    used = [process.cpu() - then for process, then in zip(processes, before)]
    return {"idle": max(process.memory() for process in processes), "idle_cpu": max(used)}


def memory_cobox(run):
    a, b, peaks = cobox_pair(run, run.source("small"))
    return {"cobox": {**at_rest(a.process, b.process), **peaks}}


def memory_syncthing(run):
    first, second, peaks = syncthing_pair(run, run.own_source("small"))
    return {"syncthing": {**at_rest(first.process, second.process), **peaks}}


def memory_hyperdrive(run):
    source = run.source("small")
    first, second = run.hyperdrive(run.a, "a"), run.hyperdrive(run.b, "b")
    first.process.forget_peak()
    key = first.put(source, run.limit(600))
    put = first.process.peak()
    first.process.forget_peak()
    first.listen()
    second.fetch(first, key, run.limit(600))
    peaks = {"import_peak": put, "sync_peak": max(first.process.peak(), second.process.peak())}
    return {"hyperdrive": {**at_rest(first.process, second.process), **peaks}}


def memory_hub(run):
    """A thousand spaces (times scale) of one small file each, replicated blindly."""
    count = max(10, round(1000 * run.world.scale))
    a, hub = run.cobox(run.a, "a"), run.cobox(run.b, "hub")
    addresses = []
    for number in range(count):
        space = a.http.json("POST", "/api/spaces", {"name": f"space {number}"})
        path = f"/api/spaces/{space['address']}/files?path=hello.txt"
        a.http.call("PUT", path, f"hello from {number}\n".encode())
        addresses.append(space["address"])
    begin = time.monotonic()
    for address in addresses:
        hub.http.json("POST", "/api/replicas", {"address": address, "peers": [a.hint]})
    until(lambda: complete(hub, count), run.limit(600), f"{count} replicas", 0.5)
    seconds = time.monotonic() - begin
    figures = {"seconds": seconds, "sync_peak": hub.process.peak(), "spaces": count}
    return {"cobox": {**at_rest(hub.process), **figures}}


def complete(hub, count):
    replicas = hub.http.json("GET", "/api/replicas")
    held = [one for one in replicas if 0 < one["progress"]["known"] <= one["progress"]["held"]]
    return len(held) == count
