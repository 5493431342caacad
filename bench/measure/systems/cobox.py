"""CoBox: the release program in a real process per machine, driven through its command line and API."""

import json
import os
import time
from urllib.parse import quote

from measure.machine import Failed, TooLong, until

SPACE = "bench"


class Cobox:
    """One running program with its home folder."""

    def __init__(self, machine, program, home):
        os.makedirs(home)
        self.machine = machine
        self.program = program
        self.home = os.path.join(home, "home")
        self.log = os.path.join(home, "log")
        self.process = None
        self.http = None
        self.hint = None

    def start(self):
        """Starts the program and returns when it answers."""
        argv = [self.program, "--home", self.home, "--json", "up", "--port", "0", "--no-lan"]
        argv += ["--bind", f"{self.machine.address}:0"]
        self.process = self.machine.start(argv, self.log)
        ready = json.loads(self.process.line(60))
        self.hint = ready["hint"]
        self.public_key = ready["publicKey"]
        with open(os.path.join(self.home, "token"), encoding="ascii") as file:
            token = file.read().strip()
        self.http = self.machine.http(ready["port"], {"Authorization": f"Bearer {token}"})
        if not ready["name"]:
            self.http.json("PATCH", "/api/identities/current", {"name": "Somebody"})

    def stop(self):
        if self.process:
            self.process.stop(30)

    def run(self, *words, seconds=60, stdin=""):
        """One command to its end: what it used, with its JSON as `output`."""
        argv = [self.program, "--home", self.home, "--json", *words]
        done = self.machine.run(argv, self.log, seconds, stdin=stdin.encode())
        try:
            done.output = json.loads(done.output)
        except ValueError:
            done.output = {}
        return done

    def create_space(self):
        return self.run("space", "create", SPACE).output["address"]

    def bring_in(self, source, seconds):
        """`cobox import` of a folder: durable when it returns."""
        entries = sorted(os.listdir(source.folder))
        paths = [os.path.join(source.folder, entry) for entry in entries]
        return self.run("import", SPACE, *paths, seconds=seconds)

    def invite(self, other):
        return self.run("invite", SPACE, other.public_key).output["code"]

    def join(self, code, *hints):
        peers = [word for hint in hints for word in ("--peer", hint)]
        return self.run("join", "-", *peers, stdin=code)

    def replicate(self, address, hint):
        return self.run("replicate", address, "--peer", hint)

    def space(self):
        """Size, files, progress, members and copies of the space."""
        return self.http.json("GET", f"/api/spaces/{SPACE}")

    def status(self):
        return self.http.json("GET", "/api/status")

    def replica(self, address):
        replicas = self.http.json("GET", "/api/replicas")
        return next((one for one in replicas if one["address"] == address), None)

    def put(self, path, data):
        status, text = self.http.call("PUT", file_call(path) + "&parents=true", data)
        if status >= 400:
            raise Failed(f"put {path}: {status} {text[:300]!r}")

    def get(self, path, offset=None, length=None):
        """A file's bytes, or a part of them; None while there is no such file."""
        more = {} if offset is None else {"Range": f"bytes={offset}-{offset + length - 1}"}
        status, text = self.http.call("GET", file_call(path), None, more)
        return text if status < 300 else None

    def wait_member(self, source, seconds, every=0.02):
        """Until every file of the source is here, with all its content."""

        def all_here():
            space = self.space()
            progress = space["progress"]
            return (
                space["files"] == source.files
                and space["size"] == source.bytes
                and progress["held"] == progress["known"] > 0
            )

        self._wait(all_here, seconds, "member has everything", every)

    def wait_replica(self, address, sender, seconds, every=0.02):
        """Until the copy holds as much as its sender does, and knows of no more."""
        expected = sender.space()["progress"]["bytesHeld"]
        if expected == 0:
            raise Failed("the sender says that it holds nothing")

        def all_here():
            replica = self.replica(address)
            progress = replica and replica["progress"]
            return (
                progress
                and progress["held"] == progress["known"]
                and progress["bytesHeld"] >= expected
            )

        self._wait(all_here, seconds, f"replicator has all {expected} bytes", every)

    def _wait(self, condition, seconds, what, every):
        try:
            until(condition, seconds, what, every)
        except TooLong as late:
            status = json.dumps(self.status())[:800]
            raise TooLong(f"{late}; {status}; {self.process.last_words()}") from late

    def connected(self):
        return any(peer["online"] for peer in self.status()["peers"])

    def in_sync_since(self, moment):
        """Has every connected peer confirmed after a moment that nothing is missing?"""
        peers = [peer for peer in self.status()["peers"] if peer["online"]]
        return peers and all((peer["lastSyncAt"] or "") >= moment for peer in peers)

    def counters(self):
        """Bytes sent and received by the program's own count, over all peers."""
        return sum(peer["sent"] + peer["received"] for peer in self.status()["peers"])

    def wait_readable(self, path, data, seconds, every=0.001, offset=None):
        """Until a file, or a part of it, has exactly these bytes. Returns the moment of the answer."""
        deadline = time.monotonic() + seconds
        while self.get(path, offset, len(data)) != data:
            if time.monotonic() > deadline:
                raise TooLong(f"{path} not readable within {seconds} s")
            time.sleep(every)
        return time.monotonic()


def file_call(path):
    return f"/api/spaces/{SPACE}/files?path={quote(path)}"
