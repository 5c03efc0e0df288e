"""Events out of a damaged spool: read from its pages, whatever has become of the tables above them.

Pages are taken from the file and from the log beside it (`-wal`), in which the newest commits are. A page that is a
leaf of a table holds rows; one that has the four columns of `batches`, and a payload that unpacks to as many events as
it says, is a batch and nothing else. See sqlite.org/fileformat2.html; names here are those of that page.

Rows that were deleted already may be found too. Their events are in a part, and the pipeline keeps each event once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from turret_api.collector.rows import unpack

_PAGE_SIZE = 4096
"""SQLite's default, which every spool has."""
_LEAF = 0x0D
_WAL_HEADER, _FRAME_HEADER = 32, 24
_PLAIN_SIZES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
"""Bytes of a whole number by its serial type; 0, 8 and 9 are null, 0 and 1 without any."""


class Batch(NamedTuple):
    """A row of `batches`: the number of its first event, how many there are, when they came, and the events packed."""

    first_seq: int
    n: int
    received_us: int
    payload: bytes


def batches_in(file: Path) -> list[Batch]:
    """Return the batches that can be read, in order, each once."""
    pages, versions = _pages(file)
    found = {}
    for page in versions:
        with contextlib.suppress(IndexError):
            for batch in _batches_of(page, pages):
                found[batch.first_seq] = batch
    return [found[first] for first in sorted(found)]


def _pages(file: Path) -> tuple[dict[int, bytes], list[bytes]]:
    """Return the newest version of each page by its number, and all versions, oldest first."""
    content = file.read_bytes() if file.exists() else b""
    versions = [content[start : start + _PAGE_SIZE] for start in range(0, len(content), _PAGE_SIZE)]
    pages = dict(enumerate(versions, start=1))
    log = file.with_name(f"{file.name}-wal")
    frames = log.read_bytes()[_WAL_HEADER:] if log.exists() else b""
    for start in range(0, len(frames), _FRAME_HEADER + _PAGE_SIZE):
        page = frames[start + _FRAME_HEADER : start + _FRAME_HEADER + _PAGE_SIZE]
        if len(page) == _PAGE_SIZE:
            versions.append(page)
            pages[int.from_bytes(frames[start : start + 4], "big")] = page
    return pages, versions


def _batches_of(page: bytes, pages: dict[int, bytes]) -> Iterator[Batch]:
    if len(page) < 8 or page[0] != _LEAF:
        return
    for cell in range(int.from_bytes(page[3:5], "big")):
        with contextlib.suppress(IndexError, ValueError, msgspec.MsgspecError):
            batch = _batch(page, int.from_bytes(page[8 + 2 * cell : 10 + 2 * cell], "big"), pages)
            if batch is not None and batch.n == len(unpack(batch.payload)) > 0:
                yield batch


def _batch(page: bytes, start: int, pages: dict[int, bytes]) -> Batch | None:
    """Return what the cell at `start` of a leaf holds, if it has the shape of a batch."""
    size, start = _varint(page, start)
    first_seq, start = _varint(page, start)
    record = _payload(page, start, size, pages)
    header, at = _varint(record, 0)
    kinds = []
    while at < header:
        kind, at = _varint(record, at)
        kinds.append(kind)
    if len(kinds) != 4 or kinds[0] != 0 or kinds[3] < 12 or kinds[3] % 2:
        return None
    n, at = _whole(record, header, kinds[1])
    received_us, at = _whole(record, at, kinds[2])
    payload = record[at : at + (kinds[3] - 12) // 2]
    return Batch(first_seq, n, received_us, payload)


def _payload(page: bytes, start: int, size: int, pages: dict[int, bytes]) -> bytes:
    """Return a cell's payload, with what lies on overflow pages."""
    most, least = _PAGE_SIZE - 35, (_PAGE_SIZE - 12) * 32 // 255 - 23
    local = size
    if size > most:
        local = least + (size - least) % (_PAGE_SIZE - 4)
        local = local if local <= most else least
    found = bytearray(page[start : start + local])
    following = int.from_bytes(page[start + local : start + local + 4], "big") if local < size else 0
    while len(found) < size and following in pages:
        found += pages[following][4 : 4 + size - len(found)]
        following = int.from_bytes(pages[following][:4], "big")
    if len(found) != size:
        raise ValueError("the row is not whole")
    return bytes(found)


def _whole(record: bytes, at: int, kind: int) -> tuple[int, int]:
    """Return the whole number of the serial type `kind` at a place, and the place behind it."""
    if kind in (8, 9):
        return kind - 8, at
    size = _PLAIN_SIZES.get(kind, 0)
    return int.from_bytes(record[at : at + size], "big", signed=True), at + size


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """Return the whole number of one to nine bytes at a place, and the place behind it."""
    value = 0
    for n in range(8):
        value = value << 7 | content[at + n] & 0x7F
        if content[at + n] < 0x80:
            return value, at + n + 1
    return value << 8 | content[at + 8], at + 9
