"""A table that is open for many projects at one version, with what is held of each until it is committed.

It is what a batch (`lake.batch`) has of each of its tables: rows and marks of a project are those of the version that
is open, and over them what the project's stages would have committed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import deltalake
import polars as pl
from deltalake.exceptions import CommitFailedError

from turret_pipeline import failpoint
from turret_pipeline.lake import store, sums
from turret_pipeline.lake.commits import open_or_make
from turret_pipeline.lake.marks import MarkLog, mark_id
from turret_pipeline.lake.paths import Lake, check_project_id
from turret_pipeline.lake.tables import Table

TRIES = 20
"""How often a commit is tried while other processes commit to other projects."""
VERSIONS_OPEN = 4
"""Older versions of a table that stay open: projects of a batch mostly ask for the same one."""


class File(NamedTuple):
    """A file of a table: its path in the table's folder, the day of receipt of its rows, and its size."""

    path: str
    day: dt.date | None
    n_rows: int
    n_bytes: int


@dataclass
class Held:
    """What is held of one project's share of a table.

    Args:
        is_whole: whether none of the rows in the lake are left.
        days: days of receipt of which none of the rows in the lake are left.
        frames: rows that come, in order.
        marks: those that are set, by id.
        n: how many commits it would have been.
        writer: mark of the project's newest commit when there was nothing held.
    """

    is_whole: bool = False
    days: set[dt.date] = field(default_factory=set)
    frames: list[pl.DataFrame] = field(default_factory=list)
    marks: dict[str, int] = field(default_factory=dict)
    n: int = 0
    writer: int | None = None


class OpenTable:
    """One table, open for all projects of a batch at one version, with what is held of each."""

    def __init__(self, lake: Lake, table: Table, made: bool) -> None:
        self.lake, self.table = lake, table
        opened = open_or_make(lake, table) if made else store.open_table(lake, table)
        self.delta: deltalake.DeltaTable | None = opened
        self.log = MarkLog(lake, table)
        self.held: dict[str, Held] = {}
        self._then: dict[int, deltalake.DeltaTable] = {}
        self._known: dict[str, tuple[int | None, pl.DataFrame]] = {}
        self._read_log()

    def refresh(self) -> None:
        """Move on to the newest version."""
        if self.delta is None:
            self.delta = store.open_table(self.lake, self.table)
        else:
            sums.verify_log(self.lake, self.table)
            self.delta.update_incremental()
        self._read_log()

    def _read_log(self) -> None:
        self._files: dict[str, list[File]] | None = None
        self.has_marks = self.delta is not None and self.log.catch_up(self.version)

    @property
    def version(self) -> int:
        """Number of the commit that is open."""
        assert self.delta is not None
        return int(self.delta.version())

    def mark(self, name: str) -> int | None:
        """Return the mark with this id as of the version that is open."""
        if self.delta is None:
            return None
        if self.has_marks:
            return self.log.marks.get(name)
        found = self.delta.transaction_version(name)
        return None if found is None else int(found)

    def files(self, project_id: str) -> list[File]:
        """Return the files with the project's rows, of the version that is open."""
        if self._files is None:
            self._files = {}
            if self.delta is not None:
                added = pl.DataFrame(self.delta.get_add_actions(flatten=True))
                day = pl.col("partition.received_date") if self.table.is_by_day else pl.lit(None)
                named = added.with_columns(day=day.cast(pl.Date))
                wanted = named.select("partition.project_id", "path", "day", "num_records", "size_bytes")
                for project, *of_file in wanted.iter_rows():
                    self._files.setdefault(project, []).append(File(*of_file))
        return self._files.get(project_id, [])

    def then(self, version: int) -> deltalake.DeltaTable:
        """Return the table at an earlier version; raise `DeltaError` where that is no longer kept."""
        if version not in self._then:
            if len(self._then) >= VERSIONS_OPEN:
                self._then.pop(next(iter(self._then)))
            self._then[version] = deltalake.DeltaTable(self.lake.table(self.table.name), version=version)
        return self._then[version]

    def in_lake(self, project_id: str) -> pl.LazyFrame:
        """Return the project's rows as of the version that is open."""
        state, rows = self._known.get(project_id, (None, None))
        if rows is not None and state == self.mark(mark_id(project_id, "state")):
            return rows.lazy()
        folder = self.lake.table(self.table.name)
        return store.scan_files(self.lake, self.table, [f"{folder}/{each.path}" for each in self.files(project_id)])

    def rows(self, project_id: str) -> pl.LazyFrame:
        """Return the project's rows with what is held."""
        held = self.held.get(project_id)
        if held is None:
            return self.in_lake(project_id)
        there = [] if held.is_whole else [self.in_lake(project_id)]
        if there and held.days:
            there = [there[0].filter(~pl.col("received_date").is_in(list(held.days)))]
        frames = [*there, *(frame.lazy() for frame in held.frames)]
        return pl.concat(frames) if frames else self.table.empty().lazy()

    def read(self, project_id: str, columns: Sequence[str] = ()) -> pl.DataFrame:
        """Return the project's rows with what is held, with all columns or with `columns`.

        Of a small project they are mostly in memory, and no query is made.
        """
        there = self._in_memory(project_id)
        if there is None:
            rows = self.rows(project_id)
            return (rows.select(columns) if columns else rows).collect()
        return there[list(columns)] if columns else there

    def _in_memory(self, project_id: str) -> pl.DataFrame | None:
        held, files = self.held.get(project_id), self.files(project_id)
        if held is not None:
            return pl.concat([self.table.empty(), *held.frames]) if held.is_whole or not files else None
        state, rows = self._known.get(project_id, (None, None))
        if rows is not None and state == self.mark(mark_id(project_id, "state")):
            return rows
        return None if files else self.table.empty()

    def hold(self, project_id: str, rows: pl.DataFrame, gone: Iterable[dt.date] | None, marks: dict[str, int]) -> None:
        """Hold a commit: rows of the days `gone` (None: all) go, `rows` come, `marks` are set."""
        if project_id not in self.held:
            self.held[project_id] = Held(writer=self.mark(mark_id(project_id, "writer")))
        held = self.held[project_id]
        if gone is None:
            held.is_whole, held.frames = True, []
        elif days := set(gone):
            held.days |= days
            held.frames = [frame.filter(~pl.col("received_date").is_in(list(days))) for frame in held.frames]
        if rows.height:
            held.frames.append(rows)
        held.marks |= marks
        held.n += 1

    def flush(self) -> dict[str, Exception]:
        """Commit what is held, in as few commits as can be; return the projects that failed, each with its error."""
        groups: dict[frozenset[dt.date] | None, list[str]] = {}
        for project in sorted(self.held):
            groups.setdefault(self._removed(project), []).append(project)
        failed: dict[str, Exception] = {}
        for removed, projects in groups.items():
            try:
                self._write_past_others(removed, projects)
            except Exception as error:
                self.refresh()  # the commit may stand all the same: what follows it can fail too
                for project in projects:  # one of them, or each
                    if len(projects) == 1 or self._is_written(project):
                        failed[project] = error
                        continue
                    try:
                        self._write_past_others(removed, [project])
                    except Exception as of_project:
                        failed[project] = of_project
            failpoint.reached("batch.after_commit")
        self.held.clear()
        self._read_log()
        return failed

    def _is_written(self, project: str) -> bool:
        """Return whether the version that is open has what is held of the project: no two commits set the same mark."""
        name = mark_id(project, "writer")
        return self.mark(name) == self.held[project].marks[name]

    def _write_past_others(self, removed: frozenset[dt.date] | None, projects: Sequence[str]) -> None:
        """Write, and once more when a commit to other projects came in between: Delta takes it for one to ours.

        It does so as soon as a predicate names more than 20 projects. A commit to one of `projects` is still refused.
        """
        for tries_left in reversed(range(TRIES)):
            for project in projects:
                if self.mark(mark_id(project, "writer")) != self.held[project].writer:
                    raise CommitFailedError(f"another process has written {self.table.name} of {project} meanwhile")
            try:
                self._write(removed, projects)
                return
            except CommitFailedError:
                if not tries_left:
                    raise
                self.refresh()

    def _removed(self, project_id: str) -> frozenset[dt.date] | None:
        """Return the days of receipt whose rows in the lake go; None: all that there are, on whatever days.

        A commit that removes rows may bring such of the removed days alone. So days that are new count as removed too,
        and of days that are to stay the rows that are there are written once more.
        """
        held, there = self.held[project_id], {each.day for each in self.files(project_id) if each.day is not None}
        if held.is_whole:
            return None if self.files(project_id) else frozenset()
        if not held.days & there:
            return frozenset()
        brought = {day for frame in held.frames for day in frame["received_date"].unique()}
        if stay := (brought & there) - held.days:
            held.frames.insert(0, self.in_lake(project_id).filter(pl.col("received_date").is_in(list(stay))).collect())
            held.days |= stay
        return frozenset(held.days | brought)

    def _write(self, removed: frozenset[dt.date] | None, projects: Sequence[str]) -> None:
        held = {project: self.held[project] for project in projects}
        written = {project: pl.concat([self.table.empty(), *each.frames]) for project, each in held.items()}
        marks = {name: value for each in held.values() for name, value in each.marks.items()}
        transactions = [deltalake.Transaction(name, value) for name, value in marks.items()]
        known = {project: self._rows_to_keep(project, rows) for project, rows in written.items()}
        how: dict[str, Any] = {"mode": "append"}
        if removed is None or removed:
            predicate = f"project_id IN ({', '.join(repr(check_project_id(project)) for project in projects)})"
            if removed:
                predicate += f" AND received_date IN ({', '.join(repr(day.isoformat()) for day in sorted(removed))})"
            how = {"mode": "overwrite", "predicate": predicate}
        assert self.delta is not None
        before = self.version
        deltalake.write_deltalake(
            self.delta,
            pl.concat(written.values(), rechunk=True).to_arrow(compat_level=pl.CompatLevel.oldest()),
            commit_properties=deltalake.CommitProperties(app_transactions=transactions),
            writer_properties=store.writer(self.table),
            post_commithook_properties=store.after_commit(self.lake),
            **how,
        )
        sums.seal_commits(self.lake, self.table, before, self.version)
        for project, rows in known.items():
            self._known.pop(project, None)
            state = marks.get(mark_id(project, "state"), self.mark(mark_id(project, "state")))
            if rows is not None:
                self._known[project] = (state, rows)

    def _rows_to_keep(self, project_id: str, written: pl.DataFrame) -> pl.DataFrame | None:
        """Return all rows that the project will have, where that is known without reading any."""
        held = self.held[project_id]
        if held.is_whole or not self.files(project_id):
            return written
        state, rows = self._known.get(project_id, (None, None))
        if rows is None or state != self.mark(mark_id(project_id, "state")):
            return None
        if held.days:
            rows = rows.filter(~pl.col("received_date").is_in(list(held.days)))
        return pl.concat([rows, written])
