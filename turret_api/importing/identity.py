"""Which event a row is, so that a file that is imported again, or has grown at its end, stores nothing twice.

An event with an id is that. One with a time is what it says, and how often the same was said before it in the file: two
files may overlap. One with neither is its place in its file, for "hello" in January's file is not the "hello" in
February's. What file a row is from is said by the rows without id and time: c(k), a hash of the first k of them. The
first N rows belong to a file of N if events with the ids that c(N) gives are there; so a file that has grown finds
where it ended before, and its new rows get their ids from its new end.

    imported before   row 1 … row N                      ids from c(N) and 1 … N
    the file now      row 1 … row N, row N+1 … row M     those again; from c(M) and N+1 … M
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
import polars as pl

from turret_api.collector.event import Checked

_HASH_BYTES = 15
_ASKED_AT_ONCE = 50_000


def is_anonymous(event: Checked) -> bool:
    """Tell whether only its place in its file says which event this is."""
    return not event.is_named and event.timestamp_us is None


def content(event: Checked, document: dict[str, Any]) -> bytes:
    """Return 15 bytes that identify what the row says: a hash of the event's own id, or else of its whole content."""
    if event.is_named:
        said: Any = ["id", event.event_id]
    else:
        said = [
            event.name,
            document.get("session_id"),
            document.get("user_id"),
            event.timestamp_us,
            msgspec.Raw(event.metadata),
        ]
    return _hash(msgspec.json.encode(said))


def tail_of(key: bytes, number: int) -> str:
    """Return the hexadecimal digits that make an event's ids: those of the `number`th event that `key` stands for."""
    return _hash(key + str(number).encode()).hex()


class AnonymousRows:
    """The rows that have neither an id nor a time, one after the other.

    Args:
        contents: reads what all such rows of the file say, in order; called when the first is asked for.
        are_known: tells for each event id whether the lake has it.
    """

    def __init__(self, contents: Callable[[], Iterable[bytes]], are_known: Callable[[pl.Series], pl.Series]) -> None:
        self._contents, self._are_known = contents, are_known
        self._ends: Iterator[tuple[int, bytes]] | None = None
        self._end, self._file = 0, b""
        self._number = 0

    def next_tail(self) -> str:
        """Return what makes the ids of the next row, as `tail_of` does."""
        if self._ends is None:
            self._ends = iter(_ends(self._contents(), self._are_known))
        self._number += 1
        if self._number > self._end:
            self._end, self._file = next(self._ends, (self._end, self._file))
        return tail_of(self._file, self._number)


def _ends(contents: Iterable[bytes], are_known: Callable[[pl.Series], pl.Series]) -> list[tuple[int, bytes]]:
    """Return k and c(k) wherever the file ended when it was imported, and at its end."""
    ends: list[tuple[int, bytes]] = []
    asked: list[tuple[int, bytes]] = []
    number, chain = 0, b""
    for number, key in enumerate(contents, 1):
        chain = _hash(chain + key)
        asked.append((number, chain))
        if len(asked) == _ASKED_AT_ONCE:
            ends += _known_ends(asked, are_known)
            asked = []
    ends += _known_ends(asked, are_known)
    return ends if ends and ends[-1][0] == number else [*ends, (number, chain)]


def _known_ends(asked: list[tuple[int, bytes]], are_known: Callable[[pl.Series], pl.Series]) -> list[tuple[int, bytes]]:
    # The last event of such an import is there, or at least the first, if it was killed.
    last = are_known(pl.Series([f"evt_{tail_of(chain, number)}" for number, chain in asked], dtype=pl.String))
    first = are_known(pl.Series([f"evt_{tail_of(chain, 1)}" for _, chain in asked], dtype=pl.String))
    return [each for each, is_known in zip(asked, last | first, strict=True) if is_known]


def _hash(said: bytes) -> bytes:
    return hashlib.blake2b(said, digest_size=_HASH_BYTES).digest()
