"""JavaScript hyperdrive: one Node process per machine, replicating over TCP with Noise."""

import json
import os

from measure.machine import Failed

PEER = os.path.join(os.path.dirname(__file__), "..", "..", "hyperdrive", "peer.mjs")
PORT = 4977


class Hyperdrive:
    """One peer; its store is a folder."""

    def __init__(self, machine, folder):
        os.makedirs(folder)
        self.machine = machine
        self.store = os.path.join(folder, "store")
        self.log = os.path.join(folder, "log")
        self.process = machine.start(["node", os.path.normpath(PEER), self.store], self.log)
        self.process.line(60)

    def ask(self, seconds, command, **words):
        """Has the peer do one thing and waits until it is done."""
        self.process.tell(json.dumps({"command": command, **words}))
        answer = json.loads(self.process.line(seconds))
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def put(self, source, seconds):
        """Puts a folder; returns the drive's key."""
        answer = self.ask(seconds, "put", source=source.folder)
        if answer["files"] != source.files:
            raise Failed(f"put {answer['files']} of {source.files} files")
        return answer["key"]

    def listen(self):
        self.ask(30, "listen", host=self.machine.address, port=PORT)

    def fetch(self, other, key, seconds):
        """Dials `other` and returns when all feeds are here in full."""
        return self.ask(seconds, "fetch", key=key, host=other.machine.address, port=PORT)

    def stop(self):
        self.process.stop()
