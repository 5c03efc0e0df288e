"""What is looked for, and what is written in its place."""

from __future__ import annotations

import re
from typing import NamedTuple

EMAIL, PHONE, CARD, IBAN, NATIONAL_ID = "email", "phone", "card", "iban", "national_id"
IP, SECRET, NAME, PLACE = "ip", "secret", "name", "place"

WORDS = {
    EMAIL: "e-mail addresses",
    PHONE: "phone numbers",
    CARD: "card numbers with a right check digit",
    IBAN: "IBANs with a right checksum",
    NATIONAL_ID: "national ids of 40 kinds, nearly all by their checksum",
    IP: "IP addresses, versions 4 and 6",
    SECRET: "passwords, keys and tokens",
    NAME: "names of people, by the recogniser of `TURRET_MASK_NAMES`",
    PLACE: "names of places, by the same recogniser",
}
"""What each kind is, in words."""
KINDS = tuple(WORDS)
RECOGNISED = frozenset((NAME, PLACE))
"""Kinds that only an optional recogniser finds."""
ALWAYS = tuple(kind for kind in KINDS if kind not in RECOGNISED)
"""Kinds that are found without one."""

PLACEHOLDERS = {kind: kind.upper() for kind in KINDS}
PLACEHOLDER = re.compile(rf"<(?:{'|'.join(PLACEHOLDERS.values())})(?:_[0-9a-f]{{6}})?>")
"""What was put in the place of something: `<EMAIL>`, or `<EMAIL_3f9a2c>`."""


class Found(NamedTuple):
    """Where something of a kind is in a text: the first character, and the one behind the last."""

    start: int
    end: int
    kind: str
