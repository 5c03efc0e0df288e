"""Whole numbers that stand for things: for marks, and for the keys of locks.

By itself, so that a process which only stands by for a lock need not load what reads and writes tables.
"""

from __future__ import annotations

import hashlib


def fingerprint(*things: object) -> int:
    """Return a whole number from 0 to 2^62 - 1 that stands for `things` (by their `repr`), equal in every process."""
    digest = hashlib.blake2b(repr(things).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 2


def made_from(version: int, *found: object) -> int:
    """Return the mark `inputs` of rows that a method of this version makes of what `found` stands for."""
    inputs = fingerprint(*found)
    return inputs if version == 1 else fingerprint(inputs, version)
