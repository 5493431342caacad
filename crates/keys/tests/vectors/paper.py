#!/usr/bin/env python3
"""Writes paper.json: keys on paper, made from docs/format.md alone, to hold this crate against.

Needs the package `mnemonic` (PyPI: BIP 39 by its authors) and nothing else.

    python3 paper.py > paper.json
"""

import base64
import hashlib
import json

from mnemonic import Mnemonic

BIP39 = Mnemonic("english")
LIST = BIP39.wordlist


def times(a, b):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a >> 11:
            a ^= 0b100000000101
        b >>= 1
    return product


def at(point, block):
    value = 0
    for word in block:
        value = times(value, point) ^ word
    return value


POINTS = [2, 4, 8, 16]


def inverse(a):
    value = 1
    for _ in range(2046):
        value = times(value, a)
    return value


def check_words(block):
    """Four numbers behind the block that make it zero at all points: linear equations, by elimination."""
    rows = []
    for point in POINTS:
        powers = [1]
        for _ in range(3):
            powers.insert(0, times(powers[0], point))
        rows.append(powers + [at(point, block + [0, 0, 0, 0])])
    for column in range(4):
        pivot = next(r for r in range(column, 4) if rows[r][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        factor = inverse(rows[column][column])
        rows[column] = [times(factor, value) for value in rows[column]]
        for r in range(4):
            if r != column:
                scale = rows[r][column]
                rows[r] = [a ^ times(scale, b) for a, b in zip(rows[r], rows[column])]
    return [row[4] for row in rows]


def words(kind, secret):
    block = [kind]
    for start in range(0, len(secret), 32):
        block += [LIST.index(word) for word in BIP39.to_mnemonic(secret[start:start + 32]).split()]
    block += check_words(block)
    assert all(at(point, block) == 0 for point in POINTS)
    return " ".join(LIST[number] for number in block[1:])


def code(kind, secret, name, hints):
    body = bytes([1, kind]) + secret + bytes([len(name.encode())]) + name.encode() + bytes([len(hints)])
    for hint in hints:
        body += len(hint).to_bytes(2, "little") + hint.encode()
    total = hashlib.blake2b(b"cobox/1/paper sum\0" + body, digest_size=32).digest()[:8]
    return "COBOX1:" + base64.b32encode(body + total).decode().rstrip("=")


def key(kind, secret, name, hints=()):
    return {"secret": secret.hex(), "words": words(kind, secret), "name": name, "hints": list(hints),
            "code": code(kind, secret, name, hints)}


seed = bytes(range(32))
space = bytes(range(100, 132)) + bytes(255 - n for n in range(32))
print(json.dumps({
    "person": key(1, seed, "Zoë"),
    "space": key(2, space, "photos", ["ab" * 32 + "@192.168.1.7:4000"]),
    "root": key(3, seed, ""),
}, indent=1, ensure_ascii=False))
