"""From the spool to the lake: pin a range of rows, write it as Parquet parts, delete it.

A part is named after the collector and the range, and a pinned range always holds the same rows, so a roll that died
anywhere is done again into the same files. A range is deleted only when its parts are whole and durable.

What belongs to a project that was deleted goes nowhere: its rows are left out, and the ids seen of it are forgotten.
What was erased while it waited here is left out too.
"""

from __future__ import annotations

import collections
import datetime as dt
import itertools
import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from operator import attrgetter
from typing import get_type_hints

import polars as pl

from turret_api.accounts.erased_ids import ErasedIds
from turret_api.collector.metrics import Metrics
from turret_api.collector.rows import Range, Row
from turret_api.collector.spool import Spool, SpoolBrokenError, SpoolReader
from turret_api.collector.writer import Writer
from turret_pipeline import failpoint
from turret_pipeline.lake.parts import PART_SCHEMA, write_part
from turret_pipeline.lake.paths import Lake

log = logging.getLogger(__name__)

MOST_ROWS = 50_000
MOST_BYTES = 8 * 1024 * 1024
SEEN_FOR_DAYS = 8
FEW_PARTS, WRITERS = 4, 16
"""Parts of a roll up to which one follows the other; more are written by so many threads."""
_LOOK_S, _IDLE_LOOK_S = 0.2, 0.5
"""Seconds between two looks at a spool, and at an empty one: less than the youngest age at which rows are rolled."""
_LONGEST_PAUSE_S = 30.0
_DAY_US = 86_400_000_000
_SPOOLED = {name: {int: pl.Int64, bytes: pl.Binary}.get(hint, pl.String) for name, hint in get_type_hints(Row).items()}
"""Columns of rows as they are spooled."""
Heard = Mapping[tuple[str, str], tuple[int, int]]
"""As `SpoolReader.heard` returns it."""


class Roller:
    """The thread that rolls `writer`'s spool into `lake`.

    Args:
        reader: a view of the spool of its own.
        collector_id: what parts are named after.
        after_s: age at which rows are rolled. Under lasting traffic it stretches (up to fifteen times), so that a day
            does not end up in tens of thousands of small parts.
        deleted: returns the ids of the projects that were deleted.
        erased: returns what was erased lately; None: nothing was.
        asked: returns the revision before which all is to be brought in now, and the directory's version that knew it;
            None: there is none.

    Attributes:
        brought_in: the revision before which all that was taken is in the lake; None: nobody asked yet.
        waits: tells whether something waits beside the spool that came before a version of the directory.
    """

    def __init__(
        self,
        writer: Writer,
        reader: SpoolReader,
        collector_id: str,
        lake: Lake,
        metrics: Metrics,
        after_s: float,
        deleted: Callable[[], Collection[str]] = tuple,
        erased: Callable[[], ErasedIds | None] = lambda: None,
        asked: Callable[[], tuple[int, int] | None] = lambda: None,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._collector_id = collector_id
        self._lake = lake
        self._metrics = metrics
        self._after_s = after_s
        self._deleted = deleted
        self._erased = erased
        self._asked = asked
        self.brought_in: int | None = None
        self.waits: Callable[[int], bool] = lambda version: False
        self._forgotten: set[str] = set()
        self._rolled_at: collections.deque[float] = collections.deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="roller", daemon=True)

    def start(self) -> None:
        """From this call on rows go to the lake by themselves."""
        self._thread.start()

    def stop(self) -> None:
        """After this call the thread has ended and everything that was in the spool is in the lake, if it can be."""
        self._stop.set()
        self._thread.join()
        try:
            self.roll_everything()
        except SpoolBrokenError:
            raise
        except Exception as error:
            log.warning("the lake cannot be written; events stay in the spool", extra={"reason": str(error)})

    def roll_everything(self) -> int:
        """Roll until the spool is empty; return how many rows went. Raises what writing the lake raises."""
        rolled = self.recover()
        while (rows := self._writer.call(lambda spool: spool.pin(MOST_ROWS, MOST_BYTES))) is not None:
            rolled += self._roll(rows)
        while not self._forgotten.issuperset(self._deleted()):
            self._forget()
        return rolled

    def recover(self) -> int:
        """Roll again every range that was pinned and not deleted; return how many rows went."""
        return sum(self._roll(rows) for rows in self._writer.call(Spool.pinned))

    def _run(self) -> None:
        pause, look_s = 0.5, _LOOK_S
        while not self._stop.wait(look_s):
            try:
                state = self._reader.backlog()
                look_s = _LOOK_S if state.rows else _IDLE_LOOK_S
                now = time.time()
                age = 0.0 if state.oldest_us is None else max(0.0, now - state.oldest_us / 1e6)
                self._metrics.roll_lag.set(age)
                self._metrics.spool_rows.set(state.rows)
                if state.rows and (age >= self._interval_s() or age < -60 or state.rows >= MOST_ROWS):
                    self.recover()
                    rows = self._writer.call(lambda spool: spool.pin(MOST_ROWS, MOST_BYTES))
                    if rows is not None:
                        self._roll(rows)
                        self._rolled_at.append(now)
                self._bring_in()
                self._tidy()
                pause = 0.5
            except SpoolBrokenError:
                return
            except Exception as error:
                self._metrics.roll_failures.inc()
                log.warning("a roll failed and is tried again", extra={"reason": repr(error)[:300], "pause_s": pause})
                self._stop.wait(pause)
                pause = min(_LONGEST_PAUSE_S, pause * 2)

    def _bring_in(self) -> None:
        """Roll what was taken before an erasure that may be of it, whatever its age."""
        asked = self._asked()
        if asked is None or asked[0] == self.brought_in or self.waits(asked[1]):
            return
        last = self._writer.call(lambda spool: spool.next_seq) - 1
        self.recover()
        while (rows := self._writer.call(lambda spool: spool.pin(MOST_ROWS, MOST_BYTES))) is not None:
            self._roll(rows)
            if rows.last_seq >= last:
                break
        self.brought_in = asked[0]

    def _interval_s(self) -> float:
        while self._rolled_at and self._rolled_at[0] < time.time() - 3600:
            self._rolled_at.popleft()
        return self._after_s * min(15.0, 1 + len(self._rolled_at) / 60)

    def _tidy(self) -> None:
        before_us = time.time_ns() // 1000 - SEEN_FOR_DAYS * _DAY_US
        if self._reader.has_seen_before(before_us):
            self._writer.call(lambda spool: spool.forget_seen(before_us))
        self._forget()

    def _forget(self) -> None:
        """Forget some of what the spool knows of one project that was deleted."""
        for project_id in set(self._deleted()) - self._forgotten:
            if not self._writer.forget_project(project_id):
                self._forgotten.add(project_id)
            return

    def _roll(self, rows: Range) -> int:
        failpoint.reached("roll.after_plan")
        started = time.perf_counter()
        batches = list(self._reader.batches(rows))
        name = f"{self._collector_id}-{rows.first_seq:012d}-{rows.last_seq:012d}.parquet"
        erased = self._erased()
        heard = {} if erased is None else self._reader.heard()
        self._write(name, _parts(batches, self._deleted(), erased, heard))
        self._writer.call(lambda spool: spool.delete(rows))
        failpoint.reached("roll.after_delete")
        self._writer.call(Spool.give_room_back)
        self._metrics.roll_seconds.observe(time.perf_counter() - started)
        return sum(len(batch) for _, batch in batches)

    def _write(self, name: str, parts: Mapping[tuple[str, dt.date], pl.DataFrame]) -> None:
        """After this call each part is written, whole and durable, or an error is raised."""
        in_order = sorted(parts.items(), key=lambda item: item[0])

        def write(part: tuple[tuple[str, dt.date], pl.DataFrame]) -> None:
            (project_id, date), events = part
            write_part(self._lake, project_id, date, name, events)

        if len(in_order) <= FEW_PARTS:
            for part in in_order:
                write(part)
            return
        # Each waits for the disk several times; those of many projects wait together.
        with ThreadPoolExecutor(WRITERS, "part") as writers:
            for done in [writers.submit(write, part) for part in in_order]:
                done.result()


def _parts(
    batches: Sequence[tuple[int, list[Row]]], deleted: Collection[str], erased: ErasedIds | None, heard: Heard
) -> dict[tuple[str, dt.date], pl.DataFrame]:
    """Return by project and UTC day of receipt the events (`PART_SCHEMA`) of batches, which come with a first number.

    Those of projects that were `deleted` are left out, and those that were `erased` since they were received.
    """
    # By column and not by row: whatever is done for each row in Python keeps requests waiting.
    rows = list(itertools.chain.from_iterable(batch for _, batch in batches))
    numbers = itertools.chain.from_iterable(range(first, first + len(batch)) for first, batch in batches)
    spooled = pl.DataFrame({name: list(map(attrgetter(name), rows)) for name in _SPOOLED}, schema=_SPOOLED)
    events = spooled.select(
        pl.exclude("timestamp_us", "received_us", "metadata"),
        timestamp=pl.col("timestamp_us").cast(PART_SCHEMA["timestamp"]),
        received_at=pl.col("received_us").cast(PART_SCHEMA["received_at"]),
        seq=pl.Series(list(numbers), dtype=pl.Int64),
        metadata=pl.col("metadata").cast(pl.String),
    )
    kept = events.filter(~pl.col("project_id").is_in(list(deleted)))
    if erased is not None:
        kept = _without_erased(kept, erased, heard)
    kept = kept.with_columns(day=pl.col("received_at").dt.date())
    return kept.partition_by("project_id", "day", maintain_order=True, include_key=False, as_dict=True)


def _without_erased(events: pl.DataFrame, erased: ErasedIds, heard: Heard) -> pl.DataFrame:
    """Return the events that were not erased since they were received; most came long after the last erasure."""
    received_us = pl.col("received_at").dt.epoch("us")
    of_before = events.filter(received_us < erased.latest_us)
    gone = []
    for seq, project_id, at_us, *ids in of_before.select(
        "seq", "project_id", received_us, "user_id", "session_id", "event_id"
    ).iter_rows():
        if erased.has(project_id, at_us, tuple(ids), partial(_knew, heard, project_id, seq)):
            gone.append(seq)
    if gone:
        log.info("events that were erased since they were received are left out", extra={"events": len(gone)})
    return events.filter(~pl.col("seq").is_in(gone))


def _knew(heard: Heard, project_id: str, seq: int, hashed: str, before: int) -> bool:
    """Tell whether the event of this number came when it was known that the id was erased at that time."""
    at_us, first_seq = heard.get((project_id, hashed), (-1, 0))
    return at_us >= before and seq >= first_seq
