#!/usr/bin/env python3
"""Writes libsodium.json: what libsodium itself answers, to hold this crate against.

Needs the libsodium shared library (Debian: libsodium23) and nothing else. All inputs are fixed; the
sealed boxes differ from run to run, because libsodium takes a fresh key for each.

    python3 make.py > libsodium.json

The second half builds certificates, a claim and an invite code from docs/format.md alone.
"""

import base64
import ctypes
import ctypes.util
import hashlib
import json
import struct

sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))
sodium.sodium_version_string.restype = ctypes.c_char_p
assert sodium.sodium_init() >= 0
u64 = ctypes.c_ulonglong


def call(name, size, *arguments):
    out = ctypes.create_string_buffer(size)
    assert getattr(sodium, name)(out, *arguments) == 0, name
    return out.raw


def kdf(key, context, number):
    return call("crypto_kdf_derive_from_key", 32, ctypes.c_size_t(32), ctypes.c_uint64(number), context, key)


def generichash(data, key=None):
    return call("crypto_generichash", 32, ctypes.c_size_t(32), data, u64(len(data)),
                key, ctypes.c_size_t(len(key) if key else 0))


def secretbox(message, nonce, key):
    return nonce + call("crypto_secretbox_easy", len(message) + 16, message, u64(len(message)), nonce, key)


def sign_pair(seed):
    public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
    assert sodium.crypto_sign_seed_keypair(public, secret, seed) == 0
    return public.raw, secret.raw


def public_of(seed):
    return sign_pair(seed)[0]


def detached(message, seed):
    return call("crypto_sign_detached", 64, None, message, u64(len(message)), sign_pair(seed)[1])


def detached_without_randomness(message, seed):
    """R = the neutral point, S to match: true by the equation, refused by strict verification."""
    order = 2**252 + 27742317777372353535851937790883648493
    scalar = int.from_bytes(hashlib.sha512(seed).digest()[:32], "little")
    scalar = scalar & (2**254 - 8) | 2**254
    neutral = bytes([1]) + bytes(31)
    challenge = int.from_bytes(hashlib.sha512(neutral + public_of(seed) + message).digest(), "little")
    return neutral + (challenge * scalar % order).to_bytes(32, "little")


def box_seal(message, ed25519_public):
    recipient = call("crypto_sign_ed25519_pk_to_curve25519", 32, ed25519_public)
    return call("crypto_box_seal", len(message) + 48, message, u64(len(message)), recipient)


def labelled(label, data, key=None):
    return generichash(b"cobox/1/" + label + b"\0" + data, key)


def framed(*parts):
    return b"".join(struct.pack("<Q", len(part)) + part for part in parts)


# --- CBOR, as far as it is needed -----------------------------------------------------------------

def head(major, number):
    for info, limit, form in ((None, 24, None), (24, 1 << 8, ">B"), (25, 1 << 16, ">H"), (26, 1 << 32, ">I")):
        if number < limit:
            if info is None:
                return bytes([major << 5 | number])
            return bytes([major << 5 | info]) + struct.pack(form, number)
    return bytes([major << 5 | 27]) + struct.pack(">Q", number)


def cbor(value):
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    return head(5, len(value)) + b"".join(cbor(key) + cbor(value[key]) for key in sorted(value))


def signed(what, statement, seed):
    statement = cbor(statement)
    return cbor([statement, detached(b"cobox/1/" + what + b"\0" + statement, seed)])


def certificates():
    root, admin, encryption_key, person = (bytes([n]) * 32 for n in (1, 2, 3, 4))
    address, writer_seed = public_of(root), kdf(encryption_key, b"cboxwrit", 0)
    admin_certificate = signed(b"admin certificate", {
        0: 1, 1: 0, 2: address, 3: public_of(admin), 4: address}, root)
    epoch_statement = {0: 1, 1: 1, 2: address, 3: 0, 4: [], 5: public_of(writer_seed), 6: [], 7: [],
                       8: public_of(admin)}
    epoch_certificate = signed(b"epoch certificate", epoch_statement, admin)
    epoch = generichash(cbor(epoch_statement))
    later = signed(b"epoch certificate", {
        **epoch_statement, 3: 1, 4: [epoch], 6: [[b"\x09" * 32, 7, b"\x0a" * 32]], 7: [b"\x0b" * 72]}, admin)
    feed = signed(b"feed certificate", {0: 1, 1: 2, 2: address, 3: epoch, 4: 1, 5: b"\x09" * 32}, writer_seed)
    claim = signed(b"claim", {
        0: 1, 1: address, 2: [b"\x0c" * 32, b"\x0d" * 32, b"\x0e" * 32], 3: public_of(person),
        4: b"\x0f" * 32, 5: "Küchen-Rechner"}, person)
    guest = bytes([50]) * 32
    return {
        "address": address, "admin_certificate": admin_certificate, "epoch_certificate": epoch_certificate,
        "epoch": epoch, "later_epoch_certificate": later, "feed_certificate": feed, "claim": claim,
        "guest_seed": guest,
        "invite_code": invite(public_of(guest), person, address, encryption_key,
                              [admin_certificate, epoch_certificate]),
    }


def invite(recipient, person, address, encryption_key, proofs):
    inside = signed(b"invite", {
        0: 1, 1: recipient, 2: public_of(person), 3: address, 4: "Grüne Küche", 5: 1, 6: encryption_key,
        7: proofs, 8: ["ab" * 32, "https://relay.example.org"], 9: 1_900_000_000,
        10: [b"\x07" * 32, 42, b"\x08" * 32]}, person)
    box = box_seal(inside, recipient)
    start = bytes([1]) + struct.pack("<H", 5 + 8 + len(box) + 4)
    code = start + labelled(b"invite header", start)[:2]
    code += labelled(b"invite tag", recipient + box[:32])[:8] + box
    code += labelled(b"invite sum", code)[:4]
    return "cobox1" + base64.b32encode(code).decode().rstrip("=").lower()


# --- what each key becomes ------------------------------------------------------------------------

def derivations():
    parent, encryption_key, person = (bytes([n]) * 32 for n in (20, 21, 22))
    address, epoch, incarnation, feed_key = (b"\x31" * 32, b"\x32" * 32, b"\x33" * 16, b"\x34" * 32)
    space = labelled(b"space parent", address, parent)
    feeds = labelled(b"feed parent", epoch + incarnation, space)
    read_key, access = kdf(encryption_key, b"cboxread", 0), kdf(address, b"cboxaccs", 0)
    return {
        "parent": parent, "encryption_key": encryption_key, "person": person, "address": address,
        "epoch": epoch, "incarnation": incarnation, "feed_key": feed_key,
        "device_seed": kdf(parent, b"cboxdevc", 0),
        "feed_seeds": [kdf(feeds, b"cboxfeed", kind) for kind in range(3)],
        "read_key": read_key, "writer_seed": kdf(encryption_key, b"cboxwrit", 0),
        "block_key": labelled(b"block key", feed_key, read_key),
        "hash_key": labelled(b"hash key", b"chunks", read_key),
        "mac": labelled(b"mac", framed(b"topic", b"ab", b"", b"c"), access),
        "storage_key": labelled(b"storage key", b"rows", kdf(person, b"cboxstor", 0)),
        "admin_seed": labelled(b"admin key", address, kdf(person, b"cboxadmn", 0)),
    }


def primitives():
    key, nonce = bytes(range(32)), bytes(range(100, 124))
    message = b"Kein Bit zu viel, keins zu wenig."
    public, secret = sign_pair(key)
    return {
        "key": key, "nonce": nonce, "message": message,
        "kdf": [{"context": "cboxtest", "id": n, "subkey": kdf(key, b"cboxtest", n)} for n in (0, 1, 2**40)],
        "generichash": generichash(message), "generichash_keyed": generichash(message, key),
        "secretbox": secretbox(message, nonce, key), "secretbox_empty": secretbox(b"", nonce, key),
        "secretbox_64k_hash": generichash(secretbox(bytes(65536), nonce, key)),
        "ed25519_public": public, "ed25519_signature": detached(b"cobox/1/test\0" + message, key),
        "ed25519_neutral_r": detached_without_randomness(b"cobox/1/test\0" + message, key),
        "x25519_public": call("crypto_sign_ed25519_pk_to_curve25519", 32, public),
        "x25519_secret": call("crypto_sign_ed25519_sk_to_curve25519", 32, secret),
        "sealed": box_seal(message, public), "sealed_empty": box_seal(b"", public),
    }


def hexed(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [hexed(item) for item in value]
    if isinstance(value, dict):
        return {key: hexed(item) for key, item in value.items()}
    return value


print(json.dumps({
    "made_by": "libsodium " + sodium.sodium_version_string().decode(),
    "primitives": hexed(primitives()), "derivations": hexed(derivations()), "certificates": hexed(certificates()),
}, indent=1, ensure_ascii=False))
