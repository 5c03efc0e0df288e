"""Which event a row is, so that a file that is imported again, or has grown, stores nothing twice.

An event with an id is that. One with a time is what it says, and how often the same was said before it in the file: two
files may overlap. One with neither is a row of its file, for "hello" in January's file is not the "hello" in
February's; its id is made of the file and of the row, that is its number and what it says:

    evt_ 9c1fd0a3b2 _ 55f0e1…     10 digits for the file, 20 for the row

So the lake knows the files that it has rows of. A file is another version of one of those if it has all of its rows
that are there, or if that one has all of this one's: it has grown at its end, rows that were refused are mended in it,
or the import before was killed. Then its new rows join that file. One row changed makes it another file.
"""

from __future__ import annotations

import collections
import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
import numpy as np
import polars as pl

from turret_api.collector.event import Checked, given_id

_CONTENT_BYTES, _FILE_BYTES, _ROW_BYTES = 15, 5, 10
_COMPARED_BYTES = 8
_ANONYMOUS_ID = rf"^evt_[0-9a-f]{{{2 * _FILE_BYTES}}}_[0-9a-f]{{{2 * _ROW_BYTES}}}$"


def is_anonymous(event: Checked) -> bool:
    """Tell whether only its row in its file says which event this is."""
    return not event.is_named and event.timestamp_us is None


def content(event: Checked, document: dict[str, Any]) -> bytes:
    """Return 15 bytes that identify what the row says: a hash of the event's own id, or else of its whole content."""
    if event.is_named:
        said: Any = ["id", event.event_id]
    else:
        said = [
            event.name,
            given_id(document, "session_id"),
            given_id(document, "user_id"),
            event.timestamp_us,
            msgspec.Raw(event.metadata),
        ]
    return hashlib.blake2b(msgspec.json.encode(said), digest_size=_CONTENT_BYTES).digest()


def nth(key: bytes, number: int) -> bytes:
    """Return 15 bytes that identify the `number`th event that says what `key` stands for."""
    return hashlib.blake2b(key + str(number).encode(), digest_size=_CONTENT_BYTES).digest()


def known_rows(event_ids: Iterable[pl.Series]) -> pl.DataFrame:
    """Return `file` and `row` of the events of the lake that are rows of their files, a part of the row's hash."""
    ids = pl.col("event_id")
    digits = ids.str.slice(5 + 2 * _FILE_BYTES, 2 * _COMPARED_BYTES)
    return pl.concat(
        [
            each.alias("event_id")
            .to_frame()
            .filter(ids.str.contains(_ANONYMOUS_ID))
            .select(
                file=ids.str.slice(4, 2 * _FILE_BYTES),
                row=digits.str.decode("hex").bin.reinterpret(dtype=pl.UInt64, endianness="big"),
            )
            for each in event_ids
        ]
    )


class AnonymousRows:
    """The events of a file that have neither an id nor a time, one after the other.

    Args:
        said: reads number and content of the rows of all such events; called at most once, for the first of them.
        known: those of the lake, from `known_rows`.
    """

    def __init__(self, said: Callable[[], Iterable[tuple[int, bytes]]], known: pl.DataFrame) -> None:
        self._said, self._known = said, known.unique()
        self._row_of = _RowHash()
        self._files: Iterator[str] | None = None

    def next_tail(self, number: int, key: bytes) -> str:
        """Return what the ids of the next event end in, which is of row `number` and says what `key` stands for."""
        if self._files is None:
            self._files = self._files_of_rows()
        return f"{next(self._files)}_{self._row_of(number, key).hex()}"

    def _files_of_rows(self) -> Iterator[str]:
        """Yield for each row the file whose row it is: one of the lake of which this is another version, or this."""
        this = secrets.token_hex(_FILE_BYTES)
        # The file need not be read twice if there is none that it could be another version of.
        if not self._known.is_empty():
            compared, row_of = bytearray(), _RowHash()
            for number, key in self._said():
                compared += row_of(number, key)[:_COMPARED_BYTES]
            rows = pl.DataFrame({"row": np.frombuffer(compared, ">u8").astype(np.uint64)})
            shared = self._known.join(rows, on="row", how="semi")
            versions = (
                shared.group_by("file")
                .agg(n_shared=pl.len())
                .join(self._known.group_by("file").agg(n_known=pl.len()), on="file")
                .filter((pl.col("n_shared") == pl.col("n_known")) | (pl.col("n_shared") == rows.height))
                .sort("n_shared", "file", descending=True)
            )
            if versions.height:
                this = versions["file"][0]
            files = shared.join(versions, on="file", maintain_order="right").unique("row", keep="first")
            yield from rows.join(files, on="row", how="left", maintain_order="left")["file"].fill_null(this)
        while True:
            yield this


class _RowHash:
    """Makes, one event after the other, 10 bytes that identify a row in whatever file, and which of its events it is.

    A row may be several events: the turns of a conversation, some of which say the same.
    """

    def __init__(self) -> None:
        self._number = 0
        self._said: collections.Counter[bytes] = collections.Counter()

    def __call__(self, number: int, key: bytes) -> bytes:
        if number != self._number:
            self._number = number
            self._said.clear()
        self._said[key] += 1
        return nth(nth(key, number), self._said[key])[:_ROW_BYTES]
