"""Documents into the lake as events of a project: checked as `POST /track` checks them, none stored twice.

An import may be repeated. An event without an id gets one from what its row says (`identity`), so the same file, or a
longer one, gives the same ids; events whose ids are in the lake are left out. A part is either whole or absent, so an
import that was killed goes on from the last part that it wrote.

Of the events that are left out those that only another import brought are kept aside, and come to light when that one
is taken back (`undo`): then the lake is as if it had never been.
"""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from turret_api.accounts.not_taken import NotTaken, Rules
from turret_api.accounts.suppression import Suppressed
from turret_api.collector.event import Checked, check, given_id
from turret_api.collector.masked import Masker, in_words
from turret_api.collector.suppression import erased_meanwhile, ids_of, refusal
from turret_api.errors import ApiError
from turret_api.importing.documents import Document
from turret_api.importing.identity import AnonymousRows, content, is_anonymous, known_rows, nth
from turret_api.importing.imports import FILE, id_of_import, is_import
from turret_api.masking.mask import Mask
from turret_pipeline import failpoint
from turret_pipeline.lake.parts import ASIDE, PART_SCHEMA, Part, list_parts, read_ids, remove_files, write_part
from turret_pipeline.lake.paths import Lake

ROWS_A_PART = 50_000
_BYTES_A_PART = 64 * 1024 * 1024


class RefusedRow(NamedTuple):
    """A row that was not imported: its number in the file, the error's code and the reason."""

    row: int
    code: str
    error: str


@dataclass
class Imported:
    """What an import did.

    Args:
        read: rows of the file.
        imported: events that are new in the lake.
        duplicates: events that were in the lake, or earlier in the file, already.
        refused: rows that are no event.
        undated: events of the file that have no time of their own, but that of the import.
        parts: names of the parts that were written, in order.
        import_id: by which it is taken back; None: there is nothing to take back.
    """

    read: int = 0
    imported: int = 0
    duplicates: int = 0
    refused: int = 0
    undated: int = 0
    parts: list[str] = field(default_factory=list)
    import_id: str | None = None


class KnownIds:
    """The event ids in `parts`, as 128 bits each: 16 bytes an event in memory.

    Those that are rows of their files are in `rows` too, as `known_rows` has them.
    """

    def __init__(self, lake: Lake, parts: Iterable[Part]) -> None:
        frames = [pl.Series("event_id", [], pl.String), *read_ids(lake, parts)]
        self.rows = known_rows(frames)
        hashes = [_hashes(frame) for frame in frames]
        first = np.concatenate([pair[0] for pair in hashes])
        second = np.concatenate([pair[1] for pair in hashes])
        order = np.argsort(first)
        self._first, self._second = first[order], second[order]

    def are_known(self, event_ids: pl.Series) -> pl.Series:
        """Return for each id whether the parts have it."""
        first, second = _hashes(event_ids)
        if not len(self._first):
            return pl.Series([False] * len(event_ids), dtype=pl.Boolean)
        at = np.minimum(np.searchsorted(self._first, first), len(self._first) - 1)
        return pl.Series((self._first[at] == first) & (self._second[at] == second))


def _hashes(event_ids: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    return event_ids.hash(seed=1).to_numpy(), event_ids.hash(seed=2).to_numpy()


def import_documents(
    lake: Lake,
    project_id: str,
    documents: Iterable[Document],
    max_text: int,
    on_refused: Callable[[RefusedRow], None],
    file: str = "",
    not_taken: NotTaken | None = None,
    mask: Mask | None = None,
) -> Imported:
    """Bring `documents` into the lake as events of the project, without those that are there already.

    Args:
        lake: made if it is not there.
        project_id: the project whose events they become.
        documents: (row number, document or `ApiError`); read twice if rows have neither an id nor a time.
        max_text: longest text in characters.
        on_refused: called with a `RefusedRow` for each that is not imported.
        file: name of the file that they come from, to be shown to people.
        not_taken: knows whose events are not taken; asked before and after each part, for an erasure may begin, and
            even end while a part is written. None: all are taken.
        mask: the project's, which their ids know nothing of, so that a file stays known; None: nothing is masked.
    """
    done = Imported()
    parts = list_parts(lake, project_id)
    sent = KnownIds(lake, [part for part in parts if not is_import(part.source)])
    imported = KnownIds(lake, [part for part in parts if is_import(part.source)])
    received_us = time.time_ns() // 1000
    received_date = dt.datetime.fromtimestamp(received_us // 1_000_000, dt.UTC).date()
    import_id = id_of_import(received_us)
    lake.make()

    def look() -> Rules:
        return Rules(project_id) if not_taken is None else not_taken.now()

    first = look()
    masker = None if mask is None else Masker(mask, first.suppressed)
    known = pl.concat([sent.rows, imported.rows])
    events = _checked(documents, max_text, done, on_refused, known, first.suppressed, masker)
    for number, batch in enumerate(_batches(events)):
        name = f"{import_id}-{number:06d}.parquet"
        while True:
            batch = list(_taken_now(batch, first, look(), done, on_refused))
            frame = _frame(batch, received_us)
            is_sent, is_imported = sent.are_known(frame["event_id"]), imported.are_known(frame["event_id"])
            fresh, again = frame.filter(~is_sent & ~is_imported), frame.filter(is_imported & ~is_sent)
            written = [(each, rows) for each, rows in ((name + ASIDE, again), (name, fresh)) if rows.height]
            for each, rows in written:
                write_part(lake, project_id, received_date, each, rows, {FILE: file})
            failpoint.reached("import.after_part")
            # An erasure that began and ended while they were written did not find them.
            if not any(_gone_now(batch, first, look())):
                break
            remove_files(lake, [Part(project_id, received_date, each, 0) for each, _ in written])
        done.duplicates += frame.height - fresh.height
        if written:
            done.import_id = import_id
        if fresh.height:
            done.parts.append(name)
            done.imported += fresh.height
    return done


def _checked(
    documents: Iterable[Document],
    max_text: int,
    done: Imported,
    on_refused: Callable[[RefusedRow], None],
    known: pl.DataFrame,
    suppressed: Suppressed | None,
    masker: Masker | None,
) -> Iterator[tuple[int, Checked]]:
    """Yield row number and event of what may be stored, each event once, with the ids that this file always gives."""
    anonymous = AnonymousRows(lambda: _anonymous(documents, max_text, suppressed), known)
    occurrences: collections.Counter[bytes] = collections.Counter()
    for number, row in documents:
        done.read += 1
        try:
            event, document = _judged(row, max_text, suppressed)
        except ApiError as error:
            done.refused += 1
            error = in_words(error, masker)
            on_refused(RefusedRow(number, error.code, error.message))
            continue
        done.undated += event.timestamp_us is None
        key = content(event, document)
        if is_anonymous(event):
            tail = anonymous.next_tail(number, key)
        else:
            occurrences[key] += 1
            if event.is_named and occurrences[key] > 1:
                done.duplicates += 1
                continue
            tail = (key if event.is_named else nth(key, occurrences[key])).hex()
        if not event.is_named:
            event.event_id = f"evt_{tail}"
        if given_id(document, "session_id") is None:
            event.session_id = f"ses_{tail}"
        if given_id(document, "user_id") is None:
            event.user_id = f"usr_{tail}"
        why, given = refusal(suppressed, ids_of(event)), ids_of(event)
        if why is None and masker is not None:
            event = masker.event(event)
            why = None if ids_of(event) == given else refusal(suppressed, ids_of(event))
        if why is not None:
            done.refused += 1
            on_refused(RefusedRow(number, why.code, why.message))
            continue
        yield number, event


def _taken_now(
    batch: Sequence[tuple[int, Checked]],
    first: Rules,
    now: Rules,
    done: Imported,
    on_refused: Callable[[RefusedRow], None],
) -> Iterator[tuple[int, Checked]]:
    """Yield what may be stored still: an erasure may have begun since the rows were read."""
    for (number, event), why in zip(batch, _gone_now(batch, first, now), strict=True):
        if why is None:
            yield number, event
        else:
            done.refused += 1
            on_refused(RefusedRow(number, why.code, why.message))


def _gone_now(batch: Sequence[tuple[int, Checked]], first: Rules, now: Rules) -> list[ApiError | None]:
    """Return for each event why it may not be stored any more; None: it may. first: the rules it was read under."""
    if now.erased is first.erased and now.suppressed == first.suppressed:
        return [None] * len(batch)
    return [
        erased_meanwhile() if now.erased_since(first, ids_of(event)) else refusal(now.suppressed, ids_of(event))
        for _, event in batch
    ]


def _anonymous(
    documents: Iterable[Document], max_text: int, suppressed: Suppressed | None
) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of each row that has neither an id nor a time."""
    for number, row in documents:
        with contextlib.suppress(ApiError):
            event, document = _judged(row, max_text, suppressed)
            if is_anonymous(event):
                yield number, content(event, document)


def _judged(row: Any | ApiError, max_text: int, suppressed: Suppressed | None) -> tuple[Checked, dict[str, Any]]:
    """Return the event of a row and its document; raise `ApiError` if it is none, or one that is not taken."""
    if isinstance(row, ApiError):
        raise row
    event = check(row, max_text)
    error = refusal(suppressed, ids_of(event))
    if error is not None:
        raise error
    return event, row


def _batches(events: Iterable[tuple[int, Checked]]) -> Iterator[list[tuple[int, Checked]]]:
    batch: list[tuple[int, Checked]] = []
    size = 0
    for number, event in events:
        batch.append((number, event))
        size += len(event.metadata)
        if len(batch) >= ROWS_A_PART or size >= _BYTES_A_PART:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _frame(batch: list[tuple[int, Checked]], received_us: int) -> pl.DataFrame:
    events = [event for _, event in batch]
    times = [received_us if event.timestamp_us is None else event.timestamp_us for event in events]
    columns = {
        "event_id": [event.event_id for event in events],
        "session_id": [event.session_id for event in events],
        "user_id": [event.user_id for event in events],
        "name": [event.name for event in events],
        "timestamp": pl.Series(times, dtype=pl.Int64).cast(PART_SCHEMA["timestamp"]),
        "received_at": pl.Series([received_us] * len(events), dtype=pl.Int64).cast(PART_SCHEMA["received_at"]),
        "seq": [number for number, _ in batch],
        "metadata": [event.metadata.decode() for event in events],
    }
    return pl.DataFrame(columns, schema_overrides=dict(PART_SCHEMA))
