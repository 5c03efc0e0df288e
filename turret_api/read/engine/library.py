"""The lake as one question sees it: every table at one version, and the frames that were computed from it.

A `Library` is opened once a process. It holds the tables open, looks for new commits before each question (on a local
lake one look at a folder; on S3 one listing of the heads, at most once a second), and keeps frames by the state of the
project's own files. So a frame is computed once, another project's builds throw nothing of this one's away, and an
answer never mixes two versions of a table.

    a table: not open ──first commit seen──> open at version n ──new commit seen──> open at version n + 1
    `generation` counts these steps over all tables; an answer made at a generation holds until it grows
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import deltalake
import polars as pl
from deltalake.exceptions import DeltaError

from turret_api.errors import UnavailableError
from turret_api.read.engine.cache import PATIENCE_S, Cache
from turret_pipeline.lake import heads, store, sums
from turret_pipeline.lake.counts import MARKED, counts_of_steps
from turret_pipeline.lake.damage import ANEW, DamageError, note, notes
from turret_pipeline.lake.inspection import is_standing
from turret_pipeline.lake.marks import MarkLog, mark_id
from turret_pipeline.lake.objects import UnreachableError
from turret_pipeline.lake.paths import Lake, Look
from turret_pipeline.lake.tables import BUILDS, TABLES, Table

WORKERS = 2
"""Questions that are worked on at once."""
REMOTE_CHECK_S = 1.0
CHECK_S = 0.005
"""Least time in seconds from one look for new commits to the next, on a remote lake and on a local one."""
AWAY_S = 1.0
"""Time in seconds for which a store that did not answer is not asked again."""
AT_ONCE = 8
"""Tables of a remote lake that are brought up to date at once."""


class Library:
    """The open tables of a lake, for any number of threads."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.frames = Cache()
        self._workers = threading.BoundedSemaphore(WORKERS)
        self._lock = threading.Lock()
        self._open: dict[str, deltalake.DeltaTable] = {}
        self._folders: dict[str, int | None] = {}
        # As text: these are looked at hundreds of times a second, and a `Path` takes longer to make than a look.
        self._logs = {name: f"{lake.table(name)}/_delta_log" for name in TABLES}
        self._damaged: dict[str, DamageError] = {}
        self._files: dict[tuple[str, str], tuple[int, list[str]]] = {}
        self._marks = {table.name: MarkLog(lake, table) for table in MARKED}
        self._seen: dict[str, tuple[str, float]] = {}
        """By table of a remote lake: its head when it was brought up to date, and when that was."""
        self._now = lake
        """The lake, on S3 with the last look at its heads."""
        self._offered: Look | None = None
        self._away: tuple[float, str] | None = None
        self._checked_at = -REMOTE_CHECK_S
        self._generation = 0

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Hold one of the places for work; raise `UnavailableError` if none gets free in time."""
        if not self._workers.acquire(timeout=PATIENCE_S):
            raise UnavailableError("Too many questions are being worked on; ask again.", retry_after_s=5)
        try:
            yield
        finally:
            self._workers.release()

    def snapshot(self, project_id: str, at: dt.datetime | None = None) -> Snapshot:
        """Return the project's tables as they are now, or as they were `at` an earlier time."""
        if at is not None:
            found = {name: self._files_at(table, project_id, at) for name, table in TABLES.items()}
            return Snapshot(self, project_id, found)
        with self._lock:
            self._refresh()
            damaged = self._damaged | self._made_anew_now(project_id)
            files = {name: damaged.get(name) or self._files_now(name, project_id) for name in TABLES}
            counts = counts_of_steps(lambda table, name: self._marks_now(table).get(mark_id(project_id, name)))
            return Snapshot(self, project_id, files, self._generation, counts)

    def columns_of(self, table: Table) -> frozenset[str] | None:
        """Return the columns that the table has in the lake, as of the last look; None: it was never written."""
        opened = self._open.get(table.name)
        return None if opened is None else frozenset(each.name for each in opened.schema().fields)

    def rows_by_project(self, table: Table) -> dict[str, int]:
        """Return how many rows each project has in the table now; raise `UnreachableError`."""
        with self._lock:
            self._refresh()
        opened = self._open.get(table.name)
        return {} if opened is None else store.rows_by_project(opened)

    def files_of(self, project_id: str) -> list[str]:
        """Return the addresses of all data files that the project is answered from now."""
        snapshot, found = self.snapshot(project_id), list[str]()
        for table in TABLES.values():
            with contextlib.suppress(DamageError):
                found += store.file_names(self.lake, snapshot.files(table))
        return found

    def is_newest(self, generation: int) -> bool:
        """Tell whether no table has a commit that a snapshot of this `generation` lacks; False where that is not sure.

        Takes no lock and waits for nothing: a few looks at a folder, none within `CHECK_S` of the last.
        """
        if generation != self._generation:
            return False
        now = time.monotonic()
        if now - self._checked_at < (CHECK_S if self.lake.is_local else REMOTE_CHECK_S):
            return True
        if not self.lake.is_local:
            return False
        for name, table in TABLES.items():
            opened = self._open.get(name)
            if self._has_newer(table, -1 if opened is None else opened.version()):
                return False
            if opened is not None and self._made_anew(name, table):
                return False
        if generation != self._generation:
            return False
        self._checked_at = now
        return True

    @property
    def last_look(self) -> Look | None:
        """The last look at the heads of a lake on S3, for another process that answers the same question."""
        return self._now.look

    def offer(self, look: Look | None) -> None:
        """Take the look of another process of this machine for one's own, where it is not old."""
        self._offered = look

    def look_again(self) -> None:
        """After this call nothing is taken to be the newest without a look: this process has just written."""
        self._checked_at = float("-inf")

    def _refresh(self) -> None:
        if not self.lake.is_local:
            if time.monotonic() - self._checked_at >= REMOTE_CHECK_S:
                self._refresh_remote()
            return
        for name, table in TABLES.items():
            try:
                self._refresh_table(name, table)
                self._damaged.pop(name, None)
            except DamageError as error:
                # The other tables can be read; whoever reads this one is told.
                self._open.pop(name, None)
                self._damaged[name] = error
                self._generation += 1
        self._checked_at = time.monotonic()

    def _refresh_remote(self) -> None:
        """Bring those tables up to date whose heads have moved, or were trusted for long enough.

        Raise `UnreachableError`.
        """
        if self._away is not None and time.monotonic() - self._away[0] < AWAY_S:
            raise UnreachableError(self._away[1])  # or those who wait for their turn would each wait for the store
        look = self._offered
        if look is None or time.monotonic() - look.at >= REMOTE_CHECK_S:
            try:
                look = heads.look(self.lake).look
            except UnreachableError as away:
                self._away = time.monotonic(), str(away)
                raise
        assert look is not None
        self._now = replace(self.lake, look=look)
        stale = []
        for name, table in TABLES.items():
            tag, at = self._seen.get(name, ("", float("-inf")))
            if tag != look.tag(f"tables/{name}") or look.at - at >= heads.TRUSTED_S:
                stale.append(table)
        if stale:
            with ThreadPoolExecutor(AT_ONCE, "tables") as threads:
                for table, (found, error) in zip(stale, threads.map(self._newest, stale), strict=True):
                    self._take(table.name, found, error)
                    self._seen[table.name] = look.tag(f"tables/{table.name}"), look.at
        self._checked_at = time.monotonic()

    def _newest(self, table: Table) -> tuple[deltalake.DeltaTable | None, DamageError | None]:
        try:
            return store.open_table(self.lake, table), None
        except DamageError as error:
            return None, error

    def _take(self, name: str, found: deltalake.DeltaTable | None, error: DamageError | None) -> None:
        """Answer from a table as it was found from now on."""
        before = self._open.pop(name, None)
        self._damaged.pop(name, None)
        if error is not None:
            self._damaged[name] = error
        if found is not None:
            self._open[name] = found
        if before is None or found is None or _is_other(before, found):
            self._generation += before is not None or found is not None or error is not None
            is_same = before is not None and found is not None and before.metadata().id == found.metadata().id
            self._forget(name, marks=not is_same)

    def _refresh_table(self, name: str, table: Table) -> None:
        opened = self._open.get(name)
        if opened is None or self._made_anew(name, table):
            self._generation += self._open.pop(name, None) is not None
            self._forget(name)
            folder = self._log_folder(table)
            found = store.open_table(self.lake, table)
            if found is not None:
                self._open[name], self._folders[name] = found, folder
                self._generation += 1
        elif self._has_newer(table, opened.version()):
            before = opened.version()
            sums.verify_log(self.lake, table)
            try:
                opened.update_incremental()
            except DeltaError as error:
                raise store.unreadable(self.lake, table, error) from error
            self._generation += opened.version() != before

    def _forget(self, name: str, *, marks: bool = True) -> None:
        """After this call no files are known of a table by its version, nor (of another table of this name) marks."""
        self._files = {key: known for key, known in self._files.items() if key[0] != name}
        if marks and name in self._marks:
            self._marks[name] = MarkLog(self.lake, TABLES[name])

    def _made_anew(self, name: str, table: Table) -> bool:
        """Return whether the log is in another folder than when the table was opened: it was removed, and made anew."""
        return self._folders.get(name) != self._log_folder(table)

    def _log_folder(self, table: Table) -> int | None:
        """Return what tells the folder of the table's log from any other; None: there is none, or that is not known."""
        with contextlib.suppress(OSError):
            return os.stat(self._logs[table.name]).st_ino  # noqa: PTH116 - see `_logs`
        return None

    def _has_newer(self, table: Table, version: int) -> bool:
        return os.path.exists(f"{self._logs[table.name]}/{version + 1:020d}.json")  # noqa: PTH110 - see `_logs`

    def _files_now(self, name: str, project_id: str) -> list[str]:
        opened = self._open.get(name)
        if opened is None:
            return []
        known = self._files.get((name, project_id))
        if known is None or known[0] != opened.version():
            known = (opened.version(), store.project_files(opened, project_id))
            self._files[name, project_id] = known
        return known[1]

    def _marks_now(self, table: Table) -> Mapping[str, int]:
        """Return all marks of the table at the version that is open, by id; none where the log does not tell."""
        opened, log = self._open.get(table.name), self._marks[table.name]
        if opened is not None:
            with contextlib.suppress(DamageError):
                if log.version == opened.version() or log.catch_up(opened.version()):
                    return log.marks
        return {}

    def _made_anew_now(self, project_id: str) -> dict[str, DamageError]:
        """Return the tables out of which the project's rows were taken, and in which they are not again yet."""
        if self.lake.is_local and not Path(self.lake.damaged_folder).exists():
            return {}
        told = heads.remembered(self._now, "damaged", "notes", lambda: notes(self.lake))
        found = [each for each in told if each.reason == ANEW and each.project_id == project_id]
        return {str(each.table): DamageError(each) for each in found if is_standing(self.lake, each)}

    def _files_at(self, table: Table, project_id: str, at: dt.datetime) -> list[str] | DamageError:
        try:
            opened = store.open_table(self.lake, table)
        except DamageError as error:
            return error
        if opened is None:
            return []
        first = opened.history(limit=None)[-1]
        if at.timestamp() * 1000 < first["timestamp"]:
            # Not made yet, or no longer known: `builds`, whose log is short, then only leaves `built_at` open.
            if first["version"] == 0 or table is BUILDS:
                return []
            raise FileNotFoundError(f"{table.name}: versions before {first['version']} are no longer kept")
        try:
            opened.load_as_version(at)
        except DeltaError as error:
            raise FileNotFoundError(str(error)) from error
        return store.project_files(opened, project_id)


def _is_other(one: deltalake.DeltaTable, two: deltalake.DeltaTable) -> bool:
    return (one.version(), one.metadata().id) != (two.version(), two.metadata().id)


class Snapshot:
    """One project's tables, each at one version, for the length of a request."""

    def __init__(
        self,
        library: Library,
        project_id: str,
        files: Mapping[str, list[str] | DamageError],
        generation: int | None = None,
        counts: frozenset[str] = frozenset(),
    ) -> None:
        """files: by table, or why they cannot be told. generation: of the library then; None: of an earlier time.

        counts: the tables with counts that are of the steps as they are (`lake.counts`).
        """
        self.library = library
        self.project_id = project_id
        self.generation = generation
        self._counts = counts
        # Where `builds` is damaged, answers go on without the time that they are of.
        self._files = {**files, BUILDS.name: [] if isinstance(files[BUILDS.name], DamageError) else files[BUILDS.name]}

    def state(self, *tables: Table) -> str:
        """Return a fingerprint of the project's rows in `tables`: equal while none of them was written."""
        names = sorted(f"{table.name} {name}" for table in tables for name in self.files(table))
        return hashlib.blake2b("\n".join((self.project_id, *names)).encode(), digest_size=12).hexdigest()

    def files(self, table: Table) -> list[str]:
        """Return the addresses of the files with the project's rows; raise `DamageError` if that cannot be told."""
        found = self._files[table.name]
        if isinstance(found, DamageError):
            raise DamageError(found.damage)
        return found

    def is_of_steps(self, table: Table) -> bool:
        """Tell whether the counts in `table` are of the steps in this snapshot; else the steps have to be counted."""
        return table.name in self._counts

    def scan(self, table: Table) -> pl.LazyFrame:
        """Return the project's rows of `table`."""
        return store.scan_files(self.library.lake, table, self.files(table))

    def remember(self, key: Hashable, tables: tuple[Table, ...], compute: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        """Return the frame that `compute` makes of `tables`, computed once while they do not change."""
        return self.library.frames.get(
            (self.state(*tables), key), compute, lambda frame: int(frame.estimated_size()) + 1000
        )

    def built_at(self, *tables: Table) -> dt.datetime | None:
        """Return when any of `tables` was last built for the project; None: never, or `builds` is damaged."""
        names = [table.name for table in tables]
        try:
            builds = self.remember("builds", (BUILDS,), lambda: self.scan(BUILDS).select("stage", "built_at").collect())
        except DamageError as error:
            note(self.library.lake, error.damage)
            return None
        found = builds.filter(pl.col("stage").is_in(names))["built_at"].max()
        return found if isinstance(found, dt.datetime) else None
