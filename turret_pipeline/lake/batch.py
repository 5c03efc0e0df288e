"""Many small projects brought up to date together: each table is opened once, and written in few commits.

To open a table and to commit to it costs the same for three rows as for a million, and more with every project that the
table has. So a `Batch` opens each table once for all of its projects, and holds what their stages commit until `flush`:

    nothing held ── a stage appends, replaces, sets marks ──▶ held: this batch alone sees it
         ▲                                                        │
         └───── flush: one commit a table, with the marks of all ─┘── drop: as if the stage had not run

What a project is left with after `flush` is what its own commits would have left: its rows and its marks still go into
the lake in one commit, and a project whose commit is refused fails alone. The projects have to be small: what the batch
wrote stays in memory, so that what follows reads it there. Give a lake that bears the batch (`Batch.lake`) to whatever
reads or writes; all else knows nothing of it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import deltalake
import numpy as np
import polars as pl
from deltalake.exceptions import DeltaError

from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable, fingerprint
from turret_pipeline.lake.marks import mark_id
from turret_pipeline.lake.open_table import Held, OpenTable
from turret_pipeline.lake.paths import Lake, check_project_id
from turret_pipeline.lake.tables import Table

_SIZES = pl.Schema({"received_date": pl.Date, "n_rows": pl.Int64, "n_files": pl.Int64, "n_bytes": pl.Int64})


class HeldTable(ProjectTable):
    """One project's rows and marks in one table of a batch; what is committed is held there."""

    def __init__(self, of: OpenTable, project_id: str, method: int) -> None:
        self.lake, self.table, self.method = of.lake, of.table, method
        self.project_id = check_project_id(project_id)
        self._of = of

    @property
    def version(self) -> int:
        """Number of the commit that is open, without what is held."""
        return self._of.version

    def mark(self, name: str, day: dt.date | None = None) -> int | None:
        """Return the mark `name` (of `day`, default: of the project), None if it was never set."""
        name = mark_id(self.project_id, name, day)
        held = self._of.held.get(self.project_id)
        return held.marks[name] if held is not None and name in held.marks else self._of.mark(name)

    def days(self) -> list[dt.date]:
        """Return the days of receipt that have rows, in order (tables partitioned by day only)."""
        return sorted(day for day in self._counts() if day is not None)

    def sizes(self) -> pl.DataFrame:
        """Return the same as `ProjectTable.sizes`; what is held counts as in no file."""
        rows = sorted(self._counts().items(), key=lambda item: item[0] or dt.date.min)
        return pl.DataFrame([(day, *counts) for day, counts in rows], schema=_SIZES, orient="row")

    def _counts(self) -> dict[dt.date | None, tuple[int, int, int]]:
        """Return rows, files and bytes by day of receipt (None: in tables that know no days)."""
        held = self._of.held.get(self.project_id, Held())
        found: dict[dt.date | None, tuple[int, int, int]] = {}

        def add(day: dt.date | None, n_rows: int, n_files: int = 0, n_bytes: int = 0) -> None:
            rows, files, size = found.get(day, (0, 0, 0))
            found[day] = rows + n_rows, files + n_files, size + n_bytes

        for each in [] if held.is_whole else self._of.files(self.project_id):
            if each.day not in held.days:
                add(each.day, each.n_rows, 1, each.n_bytes)
        for frame in held.frames:
            if self.table.is_by_day:
                for day, n_rows in frame["received_date"].value_counts().iter_rows():
                    add(day, n_rows)
            elif frame.height:
                add(None, frame.height)
        return found

    def scan(self, at: int | None = None) -> pl.LazyFrame:
        """Return the project's rows (at the version `at`, default: the one that is open, with what is held)."""
        if at is None:
            return self._of.rows(self.project_id)
        if at == self.version:
            return self._of.in_lake(self.project_id)
        return store.scan_files(self.lake, self.table, store.project_files(self._of.then(at), self.project_id))

    def read(self) -> pl.DataFrame:
        """Return the project's rows, with what is held."""
        return self._of.read(self.project_id)

    def only_appended_since(self, version: int) -> bool:
        """Return whether every row that the project had at `version` is still there; False where it is not known."""
        held = self._of.held.get(self.project_id)
        if held is not None and (held.is_whole or held.days):
            return False
        with contextlib.suppress(DeltaError):
            then = {name.rpartition("/")[2] for name in store.project_files(self._of.then(version), self.project_id)}
            return then <= {each.path.rpartition("/")[2] for each in self._of.files(self.project_id)}
        return False

    @property
    def seen(self) -> int:
        """Return 0: what is held is in no version yet."""
        return 0

    def added_since(self, seen: int | None, day: dt.date | None = None) -> pl.LazyFrame | None:
        """Return None: of a project of a batch, which is small, all rows are looked at."""
        return None

    def having(self, column: str, values: pl.Series) -> pl.LazyFrame:
        """Return the rows whose `column` is one of `values`."""
        return self.scan().filter(pl.col(column).is_in(values.implode()))

    def near(self, values: pl.Series) -> pl.LazyFrame:
        """Return the rows among which one of `values` may be: all, as a project of a batch is small."""
        return self.scan()

    def having_by(self, column: str, values: pl.Series, n_rows: int) -> Iterator[tuple[np.ndarray, pl.LazyFrame]]:
        """Yield places in `values` with the rows of those: all at once, as a project of a batch is small."""
        yield np.arange(values.len()), self.having(column, values)

    def append(
        self,
        rows: pl.DataFrame,
        *,
        inputs: int | None = None,
        days: dict[dt.date, int] | None = None,
        marks: dict[str, int] | None = None,
    ) -> None:
        """Hold a commit: `rows` come, and the marks are set."""
        touched = self._touched(rows)
        self._of.hold(self.project_id, self._checked(rows), (), self._ids(touched, inputs, days, marks))

    def replace(
        self,
        rows: pl.DataFrame,
        only: Iterable[dt.date] | None = None,
        *,
        inputs: int | None = None,
        days: dict[dt.date, int] | None = None,
        marks: dict[str, int] | None = None,
    ) -> None:
        """Hold a commit: `rows` are all that the project has (on the days `only`, if given), and the marks are set."""
        only = None if only is None else sorted(set(only))
        self._of.hold(self.project_id, self._checked(rows), only, self._ids([None, *(only or ())], inputs, days, marks))

    def remove(self, column: str, values: pl.Series, inputs: int | None = None) -> None:
        """Hold a commit: no row's `column` is one of `values`, and the mark is set; nothing without `values`."""
        if values.len():
            self.replace(self.scan().filter(~pl.col(column).is_in(values.implode())).collect(), inputs=inputs)

    def blocked(self) -> list[dt.date | None]:
        """Return the days (None: the whole) whose rows a blocking check found wrong and that are still as they were."""
        days = [None, *(self.days() if self.table.is_by_day else ())]
        return [day for day in days if self.state(day) and self.mark("blocked", day) == self.state(day)]

    def block(self, verdicts: Mapping[dt.date | None, bool]) -> None:
        """Hold a commit: the rows of each day (None: of the project) count as wrong, or as right, until they change."""
        if ids := self._verdicts(verdicts):
            self._of.hold(self.project_id, self.table.empty(), (), ids | self._ids([], None, None, None))

    def _next_state(self) -> int:
        held = self._of.held.get(self.project_id)
        assert self._of.delta is not None
        made = (str(self._of.delta.metadata().id), self.version)
        return fingerprint(*made) if held is None else fingerprint(*made, held.n)


class Batch:
    """The tables of one lake, open for many small projects; see the module."""

    def __init__(self, lake: Lake) -> None:
        self.lake = replace(lake, batch=self)
        """The lake with what is held."""
        self._lake = lake
        self._open: dict[str, OpenTable] = {}

    def open(self, table: Table, project_id: str, method: int = 1) -> HeldTable:
        """Return the project's share of the table, which is made if there is none."""
        return HeldTable(self._of(table, made=True), project_id, method)

    def scan(self, table: Table, project_id: str) -> pl.LazyFrame:
        """Return the project's rows with what is held; none if the table was never written."""
        return self._of(table).rows(check_project_id(project_id))

    def read(self, table: Table, project_id: str, columns: Sequence[str] = ()) -> pl.DataFrame:
        """Return the project's rows with what is held, with all columns or with `columns`."""
        return self._of(table).read(check_project_id(project_id), columns)

    def opened(self, table: Table) -> deltalake.DeltaTable | None:
        """Return the Delta table as it is open, without what is held; None if it was never written."""
        return self._of(table).delta

    def refresh(self) -> None:
        """Move on to the newest version of each table. Nothing may be held."""
        for opened in self._open.values():
            opened.refresh()

    def flush(self, order: Iterable[Table]) -> dict[str, Exception]:
        """Commit what is held, table after table; return the projects that failed, each with its error.

        order: the tables that may hold something. Of a project that fails nothing goes into the tables that follow.
        """
        failed: dict[str, Exception] = {}
        for table in order:
            if (opened := self._open.get(table.name)) is not None and opened.held:
                for project in failed:
                    opened.held.pop(project, None)
                failed |= opened.flush()
        return failed

    def drop(self, project_id: str) -> None:
        """After this call nothing is held of the project."""
        for opened in self._open.values():
            opened.held.pop(project_id, None)

    def _of(self, table: Table, made: bool = False) -> OpenTable:
        opened = self._open.get(table.name)
        if opened is None or (made and opened.delta is None):
            opened = self._open[table.name] = OpenTable(self._lake, table, made)
        return opened
