"""The file below a spool: its layout, how it is opened, and what can go wrong with it.

batches  rows as they were committed together, packed, by the number of the first; numbers are never used twice
rolls    pinned ranges of numbers: a range that is here is written to the same parts as often as it takes
seen     (project, event_id) of events that clients named, with the ids that the first answer gave
quota    by (project, period): events granted to this collector and events accepted
meta     the collector's id, the layout's version, the first number not yet deleted
"""

from __future__ import annotations

from pathlib import Path

import apsw

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
        if isinstance(error, apsw.Error):
            raise SpoolBrokenError(f"the spool failed: {type(error).__name__}: {error}") from error
