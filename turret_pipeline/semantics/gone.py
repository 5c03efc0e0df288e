"""What stands where something is gone that people wrote, or an id: `gone-` and 27 hexadecimal digits.

Once its retention is over (or at an erasure that keeps totals) an event goes on to count, and says no more. In its
metadata a message becomes a mark, which is the message's `text_id` from then on, so that it keeps its topic; another
value becomes `NO_VALUE`. Ids become marks too. A mark is a hash with a key that is thrown away: equal ones of one run
become equal marks, so sessions and users stay apart, and nobody can check a guess.
"""

from __future__ import annotations

import hashlib

import polars as pl

PREFIX = "gone-"
N_DIGITS = 27
NO_VALUE = PREFIX + "0" * N_DIGITS
"""What stands for a value that was no message."""

IS_GONE = (pl.col("text_id") >= PREFIX) & pl.col("text_id").str.starts_with(PREFIX)
"""Whether a text is gone, by its `text_id`. Hashes are less, so files without such texts need not be read."""

IS_MARK = rf"^{PREFIX}[0-9a-f]{{{N_DIGITS}}}$"
"""Pattern of marks, for a column: an id of a client may begin as one does."""

_DIGITS = frozenset("0123456789abcdef")


def is_gone(value: object) -> bool:
    """Return whether a value is a mark (of a message, of another value, or of an id)."""
    return (
        type(value) is str
        and value.startswith(PREFIX)
        and len(value) == len(NO_VALUE)
        and _DIGITS.issuperset(value[len(PREFIX) :])
    )


def is_gone_text(value: object) -> bool:
    """Return whether a value is the mark of a message."""
    return is_gone(value) and value != NO_VALUE


def mark_of(key: bytes, value: str) -> str:
    """Return the mark of an id; of a mark, itself."""
    if is_gone(value):
        return value
    return PREFIX + hashlib.blake2b(value.encode(), digest_size=16, key=key).hexdigest()[:N_DIGITS]


def marks_of(key: bytes, values: pl.Series) -> pl.Series:
    """Return the marks of ids, in their order."""
    return pl.Series(values.name, [mark_of(key, value) for value in values.to_list()], dtype=pl.String)
