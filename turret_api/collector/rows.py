"""What a spool holds, and how it is packed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

_PIECE_BYTES = 2 * 1024 * 1024


class Row(msgspec.Struct, array_like=True, gc=False):
    """One event as it is spooled; times in microseconds since 1970 (UTC), `metadata` as JSON text in UTF-8."""

    project_id: str
    event_id: str
    session_id: str
    user_id: str
    name: str
    timestamp_us: int
    received_us: int
    metadata: bytes


class Seen(NamedTuple):
    """The ids that the first answer to a named event gave."""

    project_id: str
    event_id: str
    session_id: str
    user_id: str


class Range(NamedTuple):
    """Rows from `first_seq` to `last_seq`, both included."""

    first_seq: int
    last_seq: int


class Backlog(NamedTuple):
    """How many rows wait to be rolled, and when the oldest was received (microseconds; None: none waits)."""

    rows: int
    oldest_us: int | None


@dataclass(frozen=True)
class SpoolState:
    """What is in a spool: rows, bytes of their payload, and when the oldest was received (microseconds)."""

    rows: int
    payload_bytes: int
    oldest_us: int | None


pack = msgspec.msgpack.Encoder().encode
unpack = msgspec.msgpack.Decoder(list[Row]).decode


def is_whole(payload: bytes, n: int) -> bool:
    """Tell whether `payload` unpacks to `n` rows."""
    try:
        return len(unpack(payload)) == n
    except msgspec.MsgspecError:
        return False


def pieces(rows: list[Row]) -> Iterator[list[Row]]:
    """Yield `rows` in pieces that are packed together, about 2 MiB each, so that a reader holds little of a spool."""
    start = size = 0
    for n, row in enumerate(rows):
        size += len(row.metadata)
        if size > _PIECE_BYTES and n > start:
            yield rows[start:n]
            start, size = n, len(row.metadata)
    yield rows[start:]
