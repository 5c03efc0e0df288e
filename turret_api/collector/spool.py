"""The spool: one SQLite file that holds what was acknowledged and is not yet in the lake.

It knows rows, ranges of rows, ids that were seen and counters; what an event means is not its business. One thread
writes (`collector.writer`); others read through connections of their own (`spool_reader`). With `journal_mode=WAL` and
`synchronous=FULL` a commit returns after the fsync of the log, so what was committed survives the loss of power.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from turret_api.collector.rows import Range, Row, Seen, pack, pieces
from turret_api.collector.spool_file import (
    LAYOUT,
    TABLES,
    SpoolBrokenError,
    SpoolDamagedError,
    SpoolError,
    SpoolFullError,
    check_sqlite,
    connect,
    fault_of,
    translated,
)
from turret_api.collector.spool_reader import SpoolReader, find_seen
from turret_pipeline.lake.damage import MEND

__all__ = ["Spool", "SpoolBrokenError", "SpoolDamagedError", "SpoolError", "SpoolFullError", "SpoolReader"]

MOST_LOOKED_AT = 1 << 28
"""Bytes of a file up to which all of it is looked at before it is used, which takes a second."""


class Spool:
    """The spool in `file`, open for its one writer. All methods but `reader` belong to the writer's thread."""

    def __init__(self, file: Path, vfs: str | None = None) -> None:
        check_sqlite()
        if vfs is None and file.exists() and (fault := fault_of(file, MOST_LOOKED_AT)):
            raise SpoolDamagedError(f"the spool {file} {fault}; `{MEND}` takes over what can be read of it")
        self.file = file
        self._vfs = vfs
        with translated():
            self._db = connect(file, vfs)
            # A spool that drained after a day without the lake gives its room back.
            self._db.execute("PRAGMA auto_vacuum=INCREMENTAL")
            mode = self._db.execute("PRAGMA journal_mode=WAL").get
            if mode != "wal":
                raise SpoolError(f"{file} cannot keep a write-ahead log (journal_mode is {mode}); use a local disk")
            self._db.execute("PRAGMA synchronous=FULL")
            # Bytes of a row go with it where its page is written anyway; an erasure sees to the pages that are free.
            self._db.execute("PRAGMA secure_delete=FAST")
            self._db.execute("PRAGMA wal_autocheckpoint=2000")
            self._db.execute("PRAGMA journal_size_limit=16777216")
            with self._db:
                self._db.execute(TABLES)
                self._db.execute("INSERT OR IGNORE INTO meta VALUES('layout', ?)", (LAYOUT,))
                self._db.execute("INSERT OR IGNORE INTO meta VALUES('collector_id', ?)", (secrets.token_hex(6),))
                self._db.execute("INSERT OR IGNORE INTO meta VALUES('next_seq', 1)")
            layout = self._meta("layout")
            if layout != LAYOUT:
                raise SpoolError(f"{file} has layout {layout}; this version of Turret knows {LAYOUT}")
            self.collector_id = str(self._meta("collector_id"))
            last = self._db.execute("SELECT max(first_seq + n) FROM batches").get
            self.next_seq = max(int(self._meta("next_seq")), int(last or 0))

    def close(self) -> None:
        """After this call the file is closed and its log folded in."""
        self._db.close()

    def reader(self) -> SpoolReader:
        """Return a view for another thread."""
        return SpoolReader(self.file, self._vfs)

    def begin(self) -> None:
        """Open a transaction; nothing is stored before `commit`."""
        with translated():
            self._db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """After this call the transaction is on stable storage."""
        with translated():
            self._db.execute("COMMIT")

    def rollback(self) -> None:
        """After this call nothing of the transaction is stored."""
        if self._db.in_transaction:
            with translated():
                self._db.execute("ROLLBACK")

    def add(self, rows: list[Row], received_us: int) -> Range:
        """Add `rows`; they get the next numbers, in order."""
        first = self.next_seq
        with translated():
            for members in pieces(rows):
                values = (self.next_seq, len(members), received_us, pack(members))
                self._db.execute("INSERT INTO batches VALUES(?, ?, ?, ?)", values)
                self.next_seq += len(members)
        return Range(first, self.next_seq - 1)

    def seen(self, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Seen]:
        """Return, of these (project_id, event_id), those that were seen, with the ids of the first answer."""
        return find_seen(self._db, names)

    def remember(self, names: list[Seen], received_us: int) -> None:
        """Add ids that clients named, with the ids they were answered."""
        with translated():
            self._db.execute(
                "INSERT INTO seen SELECT value->>0, value->>1, value->>2, value->>3, ? FROM json_each(?)",
                (received_us, msgspec.json.encode(names).decode()),
            )

    def forget_seen(self, before_us: int, most: int = 2000) -> int:
        """Delete at most `most` of the ids seen before `before_us`; return how many."""
        with translated():
            self._db.execute(
                "DELETE FROM seen WHERE (project_id, event_id) IN "
                "(SELECT project_id, event_id FROM seen WHERE received_us < ? LIMIT ?)",
                (before_us, most),
            )
        return int(self._db.changes())

    def forget_project(self, project_id: str, most: int = 2000) -> int:
        """Delete the project's counters, and at most `most` of the ids seen of it; return how many."""
        with translated():
            self._db.execute("DELETE FROM quota WHERE project_id = ?", (project_id,))
            self._db.execute(
                "DELETE FROM seen WHERE (project_id, event_id) IN "
                "(SELECT project_id, event_id FROM seen WHERE project_id = ? LIMIT ?)",
                (project_id, most),
            )
        return int(self._db.changes())

    def quota(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Return (granted, used) by (project_id, period)."""
        with translated():
            rows: list[tuple[Any, ...]] = self._db.execute(
                "SELECT project_id, period, granted, used FROM quota"
            ).fetchall()
        return {(row[0], row[1]): (row[2], row[3]) for row in rows}

    def set_quota(self, project_id: str, period: str, granted: int, used: int) -> None:
        """Store both counters of one project and period."""
        with translated():
            self._db.execute(
                "INSERT INTO quota VALUES(?1, ?2, ?3, ?4) "
                "ON CONFLICT DO UPDATE SET granted = excluded.granted, used = excluded.used",
                (project_id, period, granted, used),
            )

    def hear(self, erased: Mapping[str, Mapping[str, int]], old_us: int) -> None:
        """Note that what is added from now on comes knowing that ids were erased: by project and hash, when.

        What is known already stays; what was erased before `old_us` is forgotten.
        """
        news = [(project_id, *each) for project_id, hashes in erased.items() for each in hashes.items()]
        with translated():
            self._db.execute("DELETE FROM heard WHERE before_us < ?", (old_us,))
            self._db.execute(
                "INSERT INTO heard SELECT value->>0, value->>1, value->>2, ? FROM json_each(?) WHERE true "
                "ON CONFLICT DO UPDATE SET before_us = excluded.before_us, first_seq = excluded.first_seq "
                "WHERE excluded.before_us > before_us",
                (self.next_seq, msgspec.json.encode(news).decode()),
            )

    def take_over(
        self,
        batches: Iterable[tuple[int, int, int, bytes]],
        rolls: Iterable[tuple[int, int]],
        seen: Iterable[tuple[str, str, str, str, int]],
        quota: Iterable[tuple[str, str, int, int]],
        collector_id: str | None,
        next_seq: int,
    ) -> None:
        """Add rows of another spool's tables, with its collector's id if that is known; numbers begin at `next_seq`.

        Pinned ranges are kept if the events of both their ends are there.
        """
        known = list(batches)
        firsts, lasts = {row[0] for row in known}, {row[0] + row[1] - 1 for row in known}
        with translated():
            self._db.executemany("INSERT OR IGNORE INTO batches VALUES(?, ?, ?, ?)", known)
            kept = [roll for roll in rolls if roll[0] in firsts and roll[1] in lasts and collector_id is not None]
            self._db.executemany("INSERT OR IGNORE INTO rolls VALUES(?, ?)", kept)
            self._db.executemany("INSERT OR IGNORE INTO seen VALUES(?, ?, ?, ?, ?)", seen)
            if collector_id is not None:
                self._db.executemany("INSERT OR IGNORE INTO quota VALUES(?, ?, ?, ?)", quota)
                self._db.execute("UPDATE meta SET value = ? WHERE name = 'collector_id'", (collector_id,))
            first_free = max([next_seq, *(last + 1 for last in lasts)])
            self._db.execute("UPDATE meta SET value = ? WHERE name = 'next_seq'", (first_free,))

    def pin(self, most_rows: int, most_bytes: int) -> Range | None:
        """Pin the oldest rows not pinned yet, within the limits but at least one batch; None if there are none."""
        with translated():
            after = self._db.execute("SELECT coalesce(max(last_seq), 0) FROM rolls").get
            rows = size = 0
            first = last = 0
            query = "SELECT first_seq, n, length(payload) FROM batches WHERE first_seq > ? ORDER BY first_seq"
            for first_seq, n, length in self._db.execute(query, (after,)):
                if rows and (rows + n > most_rows or size + length > most_bytes):
                    break
                first, last = first or first_seq, first_seq + n - 1
                rows, size = rows + n, size + length
            if not rows:
                return None
            self._db.execute("INSERT INTO rolls VALUES(?, ?)", (first, last))
        return Range(first, last)

    def pinned(self) -> list[Range]:
        """Return all pinned ranges, oldest first."""
        with translated():
            return [Range(*row) for row in self._db.execute("SELECT first_seq, last_seq FROM rolls ORDER BY first_seq")]

    def delete(self, rows: Range) -> None:
        """Delete the rows of a pinned range, and the pin.

        Raise `SpoolBrokenError` if one of them is not there: only a damaged file loses rows, and a roll until nothing
        is left would find the same range again and again.
        """
        with translated():
            for deletion, values in (
                ("DELETE FROM batches WHERE first_seq BETWEEN ? AND ?", tuple(rows)),
                ("DELETE FROM rolls WHERE first_seq = ?", (rows.first_seq,)),
            ):
                self._db.execute(deletion, values)
                if not self._db.changes():
                    raise SpoolBrokenError(f"the spool is damaged: events {rows.first_seq} to {rows.last_seq} are gone")
            self._db.execute("UPDATE meta SET value = max(value, ?) WHERE name = 'next_seq'", (rows.last_seq + 1,))

    def give_room_back(self) -> None:
        """Return free pages to the file system if they are more than a quarter of the file, some at a time."""
        with translated():
            free, pages = self._db.execute("PRAGMA freelist_count").get, self._db.execute("PRAGMA page_count").get
            if free > 4096 and free * 4 > pages:
                self._db.execute("PRAGMA incremental_vacuum(4096)").fetchall()

    def _meta(self, name: str) -> str | int:
        value: str | int = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).get
        return value
