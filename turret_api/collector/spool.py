"""The spool: one SQLite file that holds what was acknowledged and is not yet in the lake.

It knows rows, ranges of rows, keys that were seen and counters; what an event means is not its business. One thread
writes (`collector.writer`); others read through connections of their own. `journal_mode=WAL` and `synchronous=FULL`:
a commit returns after the fsync of the log, so what was committed survives the loss of power.

    batches  rows as they were committed together, packed, by the number of the first; numbers are never used twice
    rolls    pinned ranges of numbers: a range that is here is written to the same parts as often as it takes
    seen     (project, event_id) of events that clients named, with the ids that the first answer gave
    quota    by (project, period): events granted to this collector and events accepted
    meta     the collector's id, the layout's version, the first number not yet deleted
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import msgspec

LAYOUT = "1"
_PIECE_BYTES = 2 * 1024 * 1024
LEAST_SQLITE = (3, 51, 3)

_TABLES = """
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches(
    first_seq INTEGER PRIMARY KEY, n INTEGER NOT NULL, received_us INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS rolls(first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS seen(
    project_id TEXT, event_id TEXT, session_id TEXT NOT NULL, user_id TEXT NOT NULL, received_us INTEGER NOT NULL,
    PRIMARY KEY(project_id, event_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_by_age ON seen(received_us);
CREATE TABLE IF NOT EXISTS quota(
    project_id TEXT, period TEXT, granted INTEGER NOT NULL, used INTEGER NOT NULL,
    PRIMARY KEY(project_id, period)) WITHOUT ROWID;
"""


class SpoolError(Exception):
    """The spool cannot be used.

    SpoolError
    ├─ SpoolFullError     no room on the disk: nothing was stored, and it is worth trying again later
    └─ SpoolBrokenError   a write or an fsync failed: what is on the disk is not known; end, and recover then
    """


class SpoolFullError(SpoolError):
    """There is no room on the disk; nothing of the transaction was stored."""


class SpoolBrokenError(SpoolError):
    """A write or an fsync failed; the process must end, for only a fresh start finds out what is on the disk."""


class Row(NamedTuple):
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


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[tuple[str, str, str, str, str, int, int, bytes]]).decode


def check_sqlite(version: str | None = None) -> None:
    """Refuse a SQLite older than 3.51.3, which can lose a reset log (sqlite.org, "WAL-reset bug"); raise SpoolError."""
    version = version or apsw.sqlite_lib_version()
    if tuple(int(part) for part in version.split(".")) < LEAST_SQLITE:
        least = ".".join(str(part) for part in LEAST_SQLITE)
        raise SpoolError(f"SQLite {version} can lose acknowledged events; install an apsw with SQLite {least} or later")


class Spool:
    """The spool in `file`, open for its one writer. All methods but `reader` belong to the writer's thread."""

    def __init__(self, file: Path, vfs: str | None = None) -> None:
        check_sqlite()
        self.file = file
        self._vfs = vfs
        with translated():
            self._db = _connect(file, vfs)
            # A spool that drained after a day without the lake gives its room back.
            self._db.execute("PRAGMA auto_vacuum=INCREMENTAL")
            mode = self._db.execute("PRAGMA journal_mode=WAL").get
            if mode != "wal":
                raise SpoolError(f"{file} cannot keep a write-ahead log (journal_mode is {mode}); use a local disk")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA wal_autocheckpoint=2000")
            self._db.execute("PRAGMA journal_size_limit=16777216")
            with self._db:
                self._db.execute(_TABLES)
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
            for members in _pieces(rows):
                values = (self.next_seq, len(members), received_us, _pack(members))
                self._db.execute("INSERT INTO batches VALUES(?, ?, ?, ?)", values)
                self.next_seq += len(members)
        return Range(first, self.next_seq - 1)

    def seen(self, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Seen]:
        """Return, of these (project_id, event_id), those that were seen, with the ids of the first answer."""
        wanted = msgspec.json.encode(list(names)).decode()
        with translated():
            found = self._db.execute(
                "SELECT s.project_id, s.event_id, s.session_id, s.user_id FROM json_each(?) AS j CROSS JOIN seen AS s "
                "ON s.project_id = j.value->>0 AND s.event_id = j.value->>1",
                (wanted,),
            ).fetchall()
        return {(str(p), str(e)): Seen(str(p), str(e), str(s), str(u)) for p, e, s, u in found}

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
        """Delete the rows of a pinned range, and the pin."""
        with translated():
            self._db.execute("DELETE FROM batches WHERE first_seq BETWEEN ? AND ?", rows)
            self._db.execute("DELETE FROM rolls WHERE first_seq = ?", (rows.first_seq,))
            self._db.execute("UPDATE meta SET value = max(value, ?) WHERE name = 'next_seq'", (rows.last_seq + 1,))

    def give_room_back(self) -> None:
        """Return free pages to the file system if they are more than a quarter of the file, some at a time."""
        with translated():
            free, pages = self._db.execute("PRAGMA freelist_count").get, self._db.execute("PRAGMA page_count").get
            if free > 4096 and free * 4 > pages:
                self._db.execute("PRAGMA incremental_vacuum(4096)").fetchall()

    def _meta(self, name: str) -> str | int:
        return self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).get


class SpoolReader:
    """A view of a spool for one thread other than the writer's."""

    def __init__(self, file: Path, vfs: str | None = None) -> None:
        with translated():
            self._db = _connect(file, vfs)

    def close(self) -> None:
        """After this call the view is closed."""
        self._db.close()

    def rows(self, rows: Range) -> Iterator[tuple[int, Row]]:
        """Yield (number, row) for the rows of a range, in order."""
        query = "SELECT first_seq, payload FROM batches WHERE first_seq BETWEEN ? AND ? ORDER BY first_seq"
        with translated():
            for first_seq, payload in self._db.execute(query, rows):
                for offset, values in enumerate(_unpack(payload)):
                    yield first_seq + offset, Row(*values)

    def state(self) -> SpoolState:
        """Return what is in the spool now."""
        with translated():
            return SpoolState(
                *self._db.execute(
                    "SELECT coalesce(sum(n), 0), coalesce(sum(length(payload)), 0), min(received_us) FROM batches"
                ).get
            )

    def backlog(self) -> Backlog:
        """Return how many rows wait, at most, and since when; costs the same however many there are."""
        with translated():
            first = self._db.execute("SELECT first_seq, received_us FROM batches ORDER BY first_seq LIMIT 1").get
            if first is None:
                return Backlog(0, None)
            last = self._db.execute("SELECT first_seq + n FROM batches ORDER BY first_seq DESC LIMIT 1").get
        return Backlog(last - first[0], first[1])

    def has_seen_before(self, before_us: int) -> bool:
        """Tell whether an id is remembered that was seen before `before_us`."""
        with translated():
            return bool(self._db.execute("SELECT EXISTS(SELECT 1 FROM seen WHERE received_us < ?)", (before_us,)).get)

    def is_settled(self) -> bool:
        """Tell whether nothing is left to do: no row, no pinned range, no unused grant."""
        with translated():
            return bool(
                self._db.execute(
                    "SELECT NOT EXISTS(SELECT 1 FROM batches) AND NOT EXISTS(SELECT 1 FROM rolls) "
                    "AND NOT EXISTS(SELECT 1 FROM quota WHERE granted > used)"
                ).get
            )

    def collector_id(self) -> str:
        """Return the id of the collector whose spool it is."""
        with translated():
            return str(self._db.execute("SELECT value FROM meta WHERE name = 'collector_id'").get)


def _pieces(rows: list[Row]) -> Iterator[list[Row]]:
    """Yield `rows` in pieces that are packed together: few bytes each, so that nobody ever holds much of a spool."""
    start = size = 0
    for n, row in enumerate(rows):
        size += len(row.metadata)
        if size > _PIECE_BYTES and n > start:
            yield rows[start:n]
            start, size = n, len(row.metadata)
    yield rows[start:]


def _connect(file: Path, vfs: str | None) -> apsw.Connection:
    connection = apsw.Connection(str(file), vfs=vfs)
    connection.set_busy_timeout(5000)
    return connection


class translated:  # noqa: N801 - used like a function, and cheaper than contextlib's on the way of every event
    """Within this, what SQLite raises comes out as `SpoolFullError` or `SpoolBrokenError`."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, apsw.FullError):
            raise SpoolFullError("there is no room on the disk of the spool") from error
        if isinstance(error, apsw.Error):
            raise SpoolBrokenError(f"the spool failed: {type(error).__name__}: {error}") from error
