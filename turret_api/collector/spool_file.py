"""The file below a spool: its layout, how it is opened, and what can go wrong with it.

batches  rows as they were committed together, packed, by the number of the first; numbers are never used twice
rolls    pinned ranges of numbers: a range that is here is written to the same parts as often as it takes
seen     (project, event_id) of events that clients named, with the ids that the first answer gave
heard    by (project, hash of an id): the number from which on events were received knowing that the id was erased, and
         the time of that; earlier versions leave it alone
quota    by (project, period): events granted to this collector and events accepted
meta     the collector's id, the layout's version, the first number not yet deleted
"""

from __future__ import annotations

from pathlib import Path

import apsw

from turret_api.collector.rows import is_whole
from turret_api.collector.slots import KEYS_FILE

LAYOUT = "1"
LEAST_SQLITE = (3, 51, 3)

TABLES = """
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches(
    first_seq INTEGER PRIMARY KEY, n INTEGER NOT NULL, received_us INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS rolls(first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS seen(
    project_id TEXT, event_id TEXT, session_id TEXT NOT NULL, user_id TEXT NOT NULL, received_us INTEGER NOT NULL,
    PRIMARY KEY(project_id, event_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_by_age ON seen(received_us);
CREATE TABLE IF NOT EXISTS heard(
    project_id TEXT, hash TEXT, before_us INTEGER NOT NULL, first_seq INTEGER NOT NULL,
    PRIMARY KEY(project_id, hash)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quota(
    project_id TEXT, period TEXT, granted INTEGER NOT NULL, used INTEGER NOT NULL,
    PRIMARY KEY(project_id, period)) WITHOUT ROWID;
"""


class SpoolError(Exception):
    """The spool cannot be used.

    SpoolError
    ├─ SpoolFullError     no room on the disk: nothing was stored, and it is worth trying again later
    └─ SpoolBrokenError   a write or an fsync failed: what is on the disk is not known; end, and recover then
       └─ SpoolDamagedError   what is on the disk is known not to be what was written: a person has to mend it
    """


class SpoolFullError(SpoolError):
    """There is no room on the disk; nothing of the transaction was stored."""


class SpoolBrokenError(SpoolError):
    """A write or an fsync failed; the process must end, for only a fresh start finds out what is on the disk."""


class SpoolDamagedError(SpoolBrokenError):
    """The file does not hold what was written."""


def check_sqlite(version: str | None = None) -> None:
    """Refuse a SQLite older than 3.51.3, which can lose a reset log (sqlite.org, "WAL-reset bug"); raise SpoolError."""
    version = version or apsw.sqlite_lib_version()
    if tuple(int(part) for part in version.split(".")) < LEAST_SQLITE:
        least = ".".join(str(part) for part in LEAST_SQLITE)
        raise SpoolError(f"SQLite {version} can lose acknowledged events; install an apsw with SQLite {least} or later")


def connect(file: Path, vfs: str | None) -> apsw.Connection:
    """Return a connection to `file` that waits a few seconds for another one's lock."""
    connection = apsw.Connection(str(file), vfs=vfs)
    connection.set_busy_timeout(5000)
    return connection


class translated:  # noqa: N801 - used like a function, and cheaper than contextlib's on the way of every event
    """Within this, what SQLite raises comes out as `SpoolFullError` or `SpoolBrokenError`."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, apsw.FullError):
            raise SpoolFullError("there is no room on the disk of the spool") from error
        if isinstance(error, apsw.CorruptError | apsw.NotADBError):
            raise SpoolDamagedError(f"the spool is damaged: {error}") from error
        if isinstance(error, apsw.Error):
            raise SpoolBrokenError(f"the spool failed: {type(error).__name__}: {error}") from error


def fault_of(file: Path, most_bytes: int | None = None) -> str | None:
    """Return in words why the spool in `file` cannot be read to its end; None: it can be.

    most_bytes: size of the file past which only its first pages are looked at; None: all of it always is.
    """
    size = file.stat().st_size
    if not size and file.with_name(KEYS_FILE).exists():
        return "is empty, and was not: the file was cut off"
    if not size:
        return None  # its collector ended just when it made it
    try:
        db = connect(file, None)
        try:
            if most_bytes is not None and size > most_bytes:
                db.execute("SELECT count(*) FROM sqlite_master").fetchall()
                return None
            (found,) = db.execute("PRAGMA integrity_check(1)").fetchone() or ("",)
            if found != "ok":
                return f"does not hold together ({' '.join(str(found).split())[:200]})"
            for first, n, payload in db.execute("SELECT first_seq, n, payload FROM batches"):
                if not is_whole(payload, n):
                    return f"has events, from number {first}, that cannot be read"
        finally:
            db.close()
    except apsw.BusyError:
        return None
    except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError) as error:
        return f"is no spool any more ({error})"
    return None
