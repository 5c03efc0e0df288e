"""From the spool to the lake: pin a range of rows, write it as Parquet parts, delete it.

A part is named after the collector and the range, and a pinned range always holds the same rows, so a roll that died
anywhere is done again into the same files. A range is deleted only when its parts are whole and durable.

What belongs to a project that was deleted goes nowhere: its rows are left out, and the ids seen of it are forgotten.
"""

from __future__ import annotations

import collections
import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

import polars as pl

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
_LOOK_S = 0.2
_LONGEST_PAUSE_S = 30.0
_DAY_US = 86_400_000_000


class Roller:
    """The thread that rolls `writer`'s spool into `lake`.

    Args:
        reader: a view of the spool of its own.
        collector_id: what parts are named after.
        after_s: age at which rows are rolled. Under lasting traffic it stretches (up to fifteen times), so that a day
            does not end up in tens of thousands of small parts.
        deleted: returns the ids of the projects that were deleted.
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
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._collector_id = collector_id
        self._lake = lake
        self._metrics = metrics
        self._after_s = after_s
        self._deleted = deleted
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
        pause = 0.5
        while not self._stop.wait(_LOOK_S):
            try:
                state = self._reader.backlog()
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
                self._tidy()
                pause = 0.5
            except SpoolBrokenError:
                return
            except Exception as error:
                self._metrics.roll_failures.inc()
                log.warning("a roll failed and is tried again", extra={"reason": repr(error)[:300], "pause_s": pause})
                self._stop.wait(pause)
                pause = min(_LONGEST_PAUSE_S, pause * 2)

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
        groups: dict[tuple[str, dt.date], list[tuple[int, Row]]] = {}
        n, deleted = 0, self._deleted()
        for seq, row in self._reader.rows(rows):
            n += 1
            if row.project_id in deleted:
                continue
            date = dt.datetime.fromtimestamp(row.received_us // 1_000_000, dt.UTC).date()
            groups.setdefault((row.project_id, date), []).append((seq, row))
        name = f"{self._collector_id}-{rows.first_seq:012d}-{rows.last_seq:012d}.parquet"
        self._write(name, groups)
        groups.clear()
        self._writer.call(lambda spool: spool.delete(rows))
        failpoint.reached("roll.after_delete")
        self._writer.call(Spool.give_room_back)
        self._metrics.roll_seconds.observe(time.perf_counter() - started)
        return n

    def _write(self, name: str, groups: Mapping[tuple[str, dt.date], list[tuple[int, Row]]]) -> None:
        """After this call each group of rows is a part, whole and durable, or an error is raised."""
        in_order = sorted(groups.items(), key=lambda item: item[0])

        def write(group: tuple[tuple[str, dt.date], list[tuple[int, Row]]]) -> None:
            (project_id, date), members = group
            write_part(self._lake, project_id, date, name, _frame(members))

        if len(in_order) <= FEW_PARTS:
            for group in in_order:
                write(group)
            return
        # Each waits for the disk several times; those of many projects wait together.
        with ThreadPoolExecutor(WRITERS, "part") as writers:
            for done in [writers.submit(write, group) for group in in_order]:
                done.result()


def _frame(members: list[tuple[int, Row]]) -> pl.DataFrame:
    """Return rows with their numbers as a frame of `PART_SCHEMA`."""
    rows = [row for _, row in members]
    columns = {
        "event_id": [row.event_id for row in rows],
        "session_id": [row.session_id for row in rows],
        "user_id": [row.user_id for row in rows],
        "name": [row.name for row in rows],
        "timestamp": pl.Series([row.timestamp_us for row in rows], dtype=pl.Int64).cast(PART_SCHEMA["timestamp"]),
        "received_at": pl.Series([row.received_us for row in rows], dtype=pl.Int64).cast(PART_SCHEMA["received_at"]),
        "seq": [seq for seq, _ in members],
        "metadata": [row.metadata.decode() for row in rows],
    }
    return pl.DataFrame(columns, schema_overrides=dict(PART_SCHEMA))
