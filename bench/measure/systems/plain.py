"""Programs that run once and end: dd (what the disk can do) and restic (back-up to a local folder)."""

import os


def dd(machine, source, target, log, seconds):
    """Copies the one large file and has the disk confirm it."""
    argv = ["dd", f"if={source.folder}/one.bin", f"of={target}", "bs=4M", "conv=fdatasync"]
    return machine.run(argv, log, seconds)


class Restic:
    """An encrypted repository in a local folder, at restic's defaults."""

    def __init__(self, machine, folder):
        os.makedirs(folder)
        self.machine = machine
        self.repository = os.path.join(folder, "repository")
        self.log = os.path.join(folder, "log")
        self.env = {
            **os.environ,
            "RESTIC_PASSWORD": "bench",
            "RESTIC_REPOSITORY": self.repository,
            "RESTIC_CACHE_DIR": os.path.join(folder, "cache"),
        }
        self._run("init", seconds=60)

    def _run(self, *words, seconds):
        return self.machine.run(["restic", *words], self.log, seconds, env=self.env)

    def backup(self, source, seconds):
        return self._run("backup", source.folder, seconds=seconds)

    def restore(self, target, seconds):
        return self._run("restore", "latest", "--target", target, seconds=seconds)
