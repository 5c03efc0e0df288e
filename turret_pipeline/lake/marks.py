"""Reading all marks of a table at once, from its log.

A mark is a named whole number that a commit carries (see `commits`). `DeltaTable.transaction_version` returns one mark
and replays the log for it, which takes a millisecond: with a hundred days in a project, or fifty projects, that would
be most of the cost of looking for new work. Here the log is read once, from its newest checkpoint on. A process that
looks again and again (`follow`) keeps what it read and reads only the commits that came since:

    never read ── follow ──> read up to version n ── follow ──> read up to version m
                                    │
                     commit n is not the one that was read (the table was made anew, or
                     its old commits were cleaned away): all is read again, from the checkpoint
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from turret_pipeline.lake import files, handles, heads, objects, sums
from turret_pipeline.lake.damage import DamageError
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import Table


def mark_id(project_id: str, name: str, day: dt.date | None = None) -> str:
    """Return what the log calls the mark `name` of a project (of a day of it)."""
    return f"{project_id}/{name}/{day.isoformat() if day else ''}"


_BLOCKED = "/blocked/"
"""Between project and day in the ids of marks that `ProjectTable.block` sets."""


@dataclass(frozen=True)
class ProjectMarks:
    """One project's marks among `of`, those of a table by id."""

    of: Mapping[str, int]
    project_id: str

    def inputs(self, day: dt.date | None = None) -> int | None:
        """Return the fingerprint of what the rows (of `day`, default: all) were made from, None if never set."""
        return self.mark("inputs", day)

    def state(self, day: dt.date | None = None) -> int | None:
        """Return the number of the state of the rows (of `day`, default: all), None if there never were any."""
        return self.mark("state", day)

    def mark(self, name: str, day: dt.date | None = None) -> int | None:
        """Return the mark `name` (of `day`, default: of the project), None if it was never set."""
        return self.of.get(mark_id(self.project_id, name, day))


def blocked_days(marks: Mapping[str, int]) -> dict[str, list[dt.date | None]]:
    """Return by project the days (None: all rows) that a blocking check found wrong and that are still as they were.

    marks: all of a table, by id.
    """
    found: dict[str, list[dt.date | None]] = {}
    for name, state in marks.items():
        if _BLOCKED in name:
            project, _, text = name.partition(_BLOCKED)
            day = dt.date.fromisoformat(text) if text else None
            if state and marks.get(mark_id(project, "state", day)) == state:
                found.setdefault(project, []).append(day)
    return found


class MarkLog:
    """The marks of one table as of the newest commit that was looked at; nothing before the first look."""

    def __init__(self, lake: Lake, table: Table) -> None:
        self.marks: dict[str, int] = {}
        self.version = -1
        self.table_id = ""
        """Id of the Delta table that the marks are of, as its log says; "" where that was not read."""
        self._lake = lake
        self._table = table
        self._log = f"{lake.table(table.name)}/_delta_log"
        self._newest = b""
        """The commit at `version`, as it stands in the log (on S3 its ETag); empty: only its checkpoint is left."""

    def catch_up(self, until: int | None = None) -> bool:
        """Read on to the commit `until` (default: to the newest); return whether it was reached.

        It is not reached where the log before it is gone: a later checkpoint stands for it. Raise `DamageError` where
        the log is damaged, `UnreachableError` where S3 does not answer.
        """
        if not self._lake.is_local:
            return self._catch_up_on_s3(until)
        if self.version >= 0 and (self._read(f"{self.version:020d}.json") or b"") != self._newest:
            # Another table of the same name, or one whose old commits were cleaned away meanwhile.
            self.version = -1
        if self.version < 0:
            self.marks = {}
            self._start(files.names(self._lake, self._log), until)
        while until is None or self.version < until:
            name = f"{self.version + 1:020d}.json"
            commit = self._read(name)
            if commit is None:
                if until is None and self._is_gone(name):
                    raise sums.damaged(self._lake, f"{self._log}/{name}", "is gone")
                break
            with sums.reading(self._lake, f"{self._log}/{name}"):
                found = [orjson.loads(line)["txn"] for line in commit.splitlines() if line.startswith(b'{"txn"')]
            for mark in found:
                self._take(mark)
            self.version += 1
            self._newest = commit
        return until is None or self.version == until

    def _catch_up_on_s3(self, until: int | None) -> bool:
        """Do the same by one listing, which tells that the log is the one that was read, and what is new in it.

        Without it where few commits are missing up to one of the table that is known to be the one that was read.
        """
        if until is not None and self.version == until:
            return True
        if until is not None and self.table_id and self.version >= 0 and 0 < until - self.version <= _FEW:
            return self._read_on(until)
        address = self._lake.table(self._table.name)
        names = handles.log_files(self._lake, address, max(self.version, 0))
        if self.version >= 0 and handles.commits_of(names).get(self.version, "").encode() != self._newest:
            self.begin_anew()
            names = handles.log_files(self._lake, address)
        commits = handles.commits_of(names)
        if self.version < 0:
            self._start(names, until)
        for number in sorted(each for each in commits if each > self.version and (until is None or each <= until)):
            address = f"{self._log}/{number:020d}.json"
            if number != self.version + 1:
                if until is not None:
                    return False
                raise sums.damaged(self._lake, f"{self._log}/{self.version + 1:020d}.json", "is gone")
            with sums.reading(self._lake, address):
                self._take_all(files.read(self._lake, address))
            self.version = number
        self._newest = commits.get(self.version, "").encode()
        return until is None or self.version == until

    def _read_on(self, until: int) -> bool:
        while self.version < until:
            address = f"{self._log}/{self.version + 1:020d}.json"
            with sums.reading(self._lake, address):
                found = objects.read_tagged(self._lake, address)
                if found is None:
                    return False
                self._take_all(found[0])
            self.version, self._newest = self.version + 1, found[1].encode()
        return True

    def begin_anew(self) -> None:
        """Forget all that was read: it was of another table of this name."""
        self.version, self.marks, self.table_id = -1, {}, ""

    def _start(self, names: Iterable[str], until: int | None) -> None:
        """Take the marks of the newest checkpoint among the log's files `names` that is not past `until`."""
        found = [int(each[1]) for name in names if (each := sums.CHECKPOINT.fullmatch(name))]
        version = max((each for each in found if until is None or each <= until), default=-1)
        if version < 0:
            return
        name = f"{version:020d}"
        with sums.reading(self._lake, f"{self._log}/{name}.checkpoint.parquet"):
            content = files.read(self._lake, f"{self._log}/{name}.checkpoint.parquet")
            # Not by `pq.read_table`, which would load pandas: 40 MiB in a code server that waits for work.
            rows = pq.ParquetFile(pa.BufferReader(content)).read(columns=["txn", "metaData"])
            for mark in rows["txn"].drop_null().to_pylist():
                self._take(mark)
            self.table_id = next((str(each["id"]) for each in rows["metaData"].drop_null().to_pylist()), "")
        self.version, self._newest = version, self._read(f"{name}.json") or b""

    def _is_gone(self, name: str) -> bool:
        """Return whether the commit was there: its checksum is written after it. See `sums.verify_log`."""
        if self.version < 0:
            if files.names(self._lake, self._log):
                return self._read(name) is None
            if not self._table.is_kept:
                return False
        return sums.is_sealed(self._lake, f"{self._log}/{name}") and self._read(name) is None

    def _take_all(self, commit: bytes) -> None:
        for line in commit.splitlines():
            if line.startswith(b'{"txn"'):
                self._take(orjson.loads(line)["txn"])
            elif line.startswith(b'{"metaData"'):
                self.table_id = str(orjson.loads(line)["metaData"]["id"])

    def _take(self, mark: dict[str, object]) -> None:
        self.marks[str(mark["appId"])] = int(str(mark["version"]))

    def _read(self, name: str) -> bytes | None:
        try:
            return files.read(self._lake, f"{self._log}/{name}")
        except FileNotFoundError:
            return None


_followed: dict[str, tuple[threading.Lock, MarkLog]] = {}
_lock = threading.Lock()
_FEW = 8
"""Commits of a lake on S3 that are read one by one."""
_AT_ONCE = 8
"""Tables of a lake on S3 that are looked at at once."""


def follow(lake: Lake, table: Table) -> Mapping[str, int]:
    """Return all marks of the table's newest commit, by id; none if it was never written.

    What was read stays in memory until the next call, which then reads only what came since; of a lake that bears a
    look, nothing where the table's head has not moved.
    """

    def caught_up() -> dict[str, int]:
        lock, log = _log_of(lake, table)
        with lock:
            log.catch_up()
            return dict(log.marks)

    return heads.remembered(lake, f"tables/{table.name}", "marks", caught_up)


def follow_all(lake: Lake, tables: Collection[Table]) -> dict[str, Mapping[str, int] | DamageError]:
    """Return by name what `follow` returns of each table, looked at in order, or why that cannot be told."""

    def looked_at(table: Table) -> Mapping[str, int] | DamageError:
        try:
            return follow(lake, table)
        except DamageError as error:
            return error

    if lake.is_local:
        return {table.name: looked_at(table) for table in tables}
    with ThreadPoolExecutor(_AT_ONCE, "look") as threads:
        # Begun in order: the look's heads were listed before any of them, so a later commit is seen at the next look.
        return dict(zip((table.name for table in tables), threads.map(looked_at, tables), strict=True))


def marks_at(lake: Lake, table: Table, version: int, table_id: str) -> dict[str, int] | None:
    """Return all marks of the table as of a version that was newest just now; None where its log is no longer whole.

    table_id: the Delta table's own; another one of the same name has another.
    """
    if lake.is_local:
        own = MarkLog(lake, table)
        return own.marks if own.catch_up(version) else None
    lock, log = _log_of(lake, table)
    with lock:
        if log.table_id not in ("", table_id):
            log.begin_anew()
        if log.version > version:  # another thread went on meanwhile
            log = MarkLog(lake, table)
        is_reached = log.catch_up(version)
        log.table_id = table_id
        return dict(log.marks) if is_reached else None


def _log_of(lake: Lake, table: Table) -> tuple[threading.Lock, MarkLog]:
    with _lock:
        address = lake.table(table.name)
        if address not in _followed:
            _followed[address] = threading.Lock(), MarkLog(lake, table)
        return _followed[address]
