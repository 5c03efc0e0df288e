"""The text of an API key: a prefix that names its scope, 190 random bits, and a checksum.

    tw_ + 32 random characters of 0-9 A-Z a-z + 6 characters of CRC-32 over what stands before them

The prefix lets a secret scanner find keys and a person see what one is for; the checksum lets a mistyped or made-up
key be refused without asking any table (the layout GitHub chose: github.blog, "Behind GitHub's new authentication
token formats", 2021). Only the SHA-256 of a key is ever stored: with 190 random bits nothing slower is needed.
"""

from __future__ import annotations

import hashlib
import secrets
import zlib

PREFIXES = {"write": "tw_", "read": "tr_", "admin": "ta_"}
LENGTH = 3 + 32 + 6

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def new_key(scope: str) -> str:
    """Return a fresh key of `scope` (write, read or admin)."""
    body = PREFIXES[scope] + "".join(secrets.choice(_DIGITS) for _ in range(32))
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """Tell whether `key` could be one of ours: its length, prefix and checksum fit."""
    return len(key) == LENGTH and key.isascii() and key[:3] in PREFIXES.values() and _checksum(key[:-6]) == key[-6:]


def key_hash(key: str) -> str:
    """Return the SHA-256 of `key` in 64 hexadecimal digits: the form in which it is stored and looked up."""
    return hashlib.sha256(key.encode()).hexdigest()


def hint(key: str) -> str:
    """Return as much of `key` as may be shown later: its prefix and four characters."""
    return key[:7]


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return digits
