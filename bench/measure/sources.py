"""The files that every system is given: made from a seed, so that every run has the same bytes.

Not its job: timing anything.
"""

import os
import random
import shutil

MIB = 1 << 20
SEED = 20_201_107
WORDS = (
    "and the of a space folder member friend device letter summer photograph address key copy "
    "replica history version meadow river window bread winter message garden between without"
).split()


class Source:
    """A folder of files, with what it holds."""

    def __init__(self, folder, files, size):
        self.folder = folder
        self.files = files
        self.bytes = size

    def warm(self):
        """Reads everything once, so that all systems find it in memory; then lets the disk finish."""
        for path in walk(self.folder):
            with open(path, "rb", buffering=0) as file:
                while file.read(4 * MIB):
                    pass
        os.sync()


def large(folder, scale):
    """One file of 1 GiB (times scale) of bytes that cannot be compressed."""
    blocks = max(4, round(1024 * scale))
    numbers = random.Random(SEED)
    os.makedirs(folder)
    with open(os.path.join(folder, "one.bin"), "wb") as file:
        for _ in range(blocks):
            file.write(numbers.randbytes(MIB))
    return Source(folder, 1, blocks * MIB)


def small(folder, scale):
    """20 000 files (times scale) of 1 to 8 KiB, 100 to a folder, every second one text."""
    numbers = random.Random(SEED + 1)
    folders = max(2, round(200 * scale))
    total = 0
    for parent in range(folders):
        below = os.path.join(folder, f"folder-{parent:03}")
        os.makedirs(below)
        for number in range(100):
            size = numbers.randint(1024, 8192)
            text = number % 2 == 0
            data = prose(numbers, size) if text else numbers.randbytes(size)
            name = f"file-{number:02}.{'txt' if text else 'bin'}"
            with open(os.path.join(below, name), "wb") as file:
                file.write(data)
            total += size
    return Source(folder, folders * 100, total)


def prose(numbers, size):
    words = numbers.choices(WORDS, k=size // 4 + 1)
    return " ".join(words).encode().ljust(size, b".")[:size]


def walk(folder):
    for parent, _, names in os.walk(folder):
        for name in names:
            yield os.path.join(parent, name)


def difference(left, right):
    """The first difference in bytes between two folders, or None."""
    for path in walk(left):
        other = os.path.join(right, os.path.relpath(path, left))
        if not os.path.isfile(other):
            return f"{other} is missing"
        if not same_bytes(path, other):
            return f"{path} and {other} differ"
    return None


def same_bytes(left, right):
    with open(left, "rb", buffering=0) as a, open(right, "rb", buffering=0) as b:
        while True:
            here, there = a.read(MIB), b.read(MIB)
            if here != there:
                return False
            if not here:
                return True


def on_disk(folder):
    """Bytes that the files of a folder take on disk."""
    return sum(os.lstat(path).st_blocks * 512 for path in walk(folder))


def overwrite(path, seed, size=MIB):
    """Overwrites a part across block borders, always the same; returns (offset, bytes)."""
    offset = (os.path.getsize(path) - size) // 3 | 1
    data = random.Random(seed).randbytes(size)
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)
    return offset, data


def copy(source, target):
    """A private copy that may be changed."""
    shutil.copytree(source.folder, target)
    return Source(target, source.files, source.bytes)
