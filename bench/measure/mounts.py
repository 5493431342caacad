"""A mounted space beside gocryptfs and the plain file system: what programs do with a folder.

Figures: seconds of each work; `random_write` and `random_read` are 4 KiB operations a second; `cpu` seconds and
`peak` resident bytes are the mounting program's over all of it (none for the plain file system).
"""

import json
import os
import subprocess
import time

from measure.machine import until

FILES = 10_000
SIZE = 2048
FIO_SECONDS = 10
TREE = "/usr/include"
REPOSITORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def plain(run):
    folder = run.path("plain")
    os.makedirs(folder)
    return {"ext4": works(run, folder)}


def gocryptfs(run):
    cipher, folder = run.path("cipher"), run.path("folder")
    os.makedirs(cipher)
    os.makedirs(folder)
    password = run.path("password")
    with open(password, "w", encoding="ascii") as file:
        file.write("bench\n")
    log = run.path("log")
    run.a.run(["gocryptfs", "-init", "-q", "-passfile", password, cipher], log, 60)
    words = ["gocryptfs", "-fg", "-q", "-passfile", password, cipher, folder]
    process = run.keep(run.a.start(words, log))
    return mounted(run, "gocryptfs", process, folder)


def cobox(run):
    folder = run.path("folder")
    program = run.cobox(run.a, "a")
    program.create_space()
    program.run("mount", "bench", "--at", folder)
    return mounted(run, "cobox", program.process, folder)


def mounted(run, name, process, folder):
    until(lambda: os.path.ismount(folder), 30, f"{name} has mounted")
    process.forget_peak()
    before = process.cpu()
    figures = works(run, folder)
    return {name: {**figures, "cpu": process.cpu() - before, "peak": process.peak()}}


def works(run, folder):
    """All works, one after the other, in one folder."""
    figures = large(run, folder)
    figures.update(small(run, folder))
    figures.update(trees(run, folder))
    return figures


def large(run, folder):
    source, log = run.source("large"), run.path("log")
    big = os.path.join(folder, "big")
    one = os.path.join(source.folder, "one.bin")
    write = run.a.run(["dd", f"if={one}", f"of={big}", "bs=1M", "conv=fsync"], log, run.limit(120))
    cold()
    read = run.a.run(["dd", f"if={big}", "of=/dev/null", "bs=1M"], log, run.limit(120))
    return {
        "write": write.seconds,
        "read": read.seconds,
        "random_write": fio(run, big, "randwrite", "--end_fsync=1"),
        "random_read": fio(run, big, "randread"),
    }


def fio(run, path, kind, *more):
    """4 KiB operations a second over the whole time, the last sync included."""
    cold()
    words = ["fio", "--name=bench", f"--filename={path}", f"--rw={kind}", "--bs=4k", "--thread"]
    words += ["--ioengine=psync", "--time_based", f"--runtime={FIO_SECONDS}", "--fallocate=none"]
    done = run.a.run([*words, "--output-format=json", *more], run.path("log"), 120)
    job = json.loads(done.output)["jobs"][0]
    return (job["read"]["total_ios"] + job["write"]["total_ios"]) / done.seconds


def small(run, folder):
    many = os.path.join(folder, "many")
    os.makedirs(many)
    data = os.urandom(SIZE)
    count = max(100, round(FILES * run.world.scale))
    figures = {"create": timed(lambda: create(many, count, data))}
    cold()
    listed = run.a.run(["ls", "-lR", many], run.path("log"), run.limit(120))
    figures["list"] = listed.seconds
    cold()
    figures["read_small"] = timed(lambda: read_all(many, count, data))
    figures["remove"] = timed(lambda: remove(run, many))
    return figures


def create(folder, count, data):
    for number in range(count):
        with open(os.path.join(folder, f"file-{number}"), "wb") as file:
            file.write(data)
    durable(folder)


def read_all(folder, count, data):
    for number in range(count):
        with open(os.path.join(folder, f"file-{number}"), "rb") as file:
            if file.read() != data:
                raise AssertionError(f"file-{number} differs")


def remove(run, folder):
    run.a.run(["rm", "-r", folder], run.path("log"), run.limit(120))
    durable(os.path.dirname(folder))


def trees(run, folder):
    archive, target = run.path("tree.tar"), os.path.join(folder, "tree")
    subprocess.run(["tar", "cf", archive, "-C", TREE, "."], check=True)
    os.makedirs(target)

    def unpack():
        run.a.run(["tar", "xf", archive, "-C", target], run.path("log"), run.limit(300))
        durable(target)

    figures = {"untar": timed(unpack)}
    repository = os.path.join(folder, "repository")
    run.a.run(["git", "clone", "-q", "--no-hardlinks", REPOSITORY, repository], run.path("log"), 300)
    cold()
    status = run.a.run(["git", "-C", repository, "status"], run.path("log"), 60)
    return {**figures, "git_status": status.seconds}


def durable(folder):
    """What was done in a folder is on the disk, by whichever road the system takes."""
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
    os.sync()


def cold():
    """Nothing is in the page cache."""
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
        file.write("3")


def timed(work):
    begin = time.monotonic()
    work()
    return time.monotonic() - begin
