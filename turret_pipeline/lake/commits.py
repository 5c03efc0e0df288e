"""Writing one project's share of a table: rows and what they were made from, in the same commit.

A *mark* is a named whole number that a commit carries (a Delta `txn` action, which exists for writers that must do
things once). Rows and marks become visible together or not at all, so no crash can leave one without the other, and
there is nothing to repair. These marks every table has, of a day and of the project:

- `inputs`, set by the caller: fingerprint of what the rows were made from;
- `method`, set with `inputs`: version of the method that made the rows; not set while it is the first;
- `state`, set by each commit that changes rows (but for `ProjectTable.rewrite`): a number that no earlier state had;
- `blocked`, set by `ProjectTable.block`: the state in which a blocking check found the rows wrong.

Every commit is made against the version that was opened. If another writer of the same project has committed since
(because its lock was lost with the database, say), `deltalake.exceptions.CommitFailedError` is raised and nothing is
written. Writers of other projects do not disturb.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import deltalake
import numpy as np
import polars as pl
import pyarrow as pa
from deltalake.exceptions import CommitFailedError, DeltaError

from turret_pipeline.lake import additions, handles, objects, store, sums
from turret_pipeline.lake.fingerprint import fingerprint as fingerprint
from turret_pipeline.lake.marks import ProjectMarks, blocked_days, mark_id, marks_at
from turret_pipeline.lake.paths import Lake, check_project_id
from turret_pipeline.lake.tables import Table

S3_CHECKPOINT_COMMITS = 10
"""Commits of a table on S3 after which its log gets a checkpoint; on a local lake they are the 100 of deltalake."""


class ProjectTable:
    """One project's rows and marks in one table, open at its newest version; its commits move it forward.

    Opening makes the table if there is none. method: version of the method by which the caller makes rows.
    """

    def __init__(self, lake: Lake, table: Table, project_id: str, method: int = 1) -> None:
        self.lake = lake
        self.method = method
        self.table = table
        self.project_id = check_project_id(project_id)
        self._delta = open_or_make(lake, table)
        self._marks: dict[str, int] | None = marks_at(lake, table, self.version, self.table_id)

    @property
    def version(self) -> int:
        """Number of the commit that is open."""
        return int(self._delta.version())

    @property
    def table_id(self) -> str:
        """What tells the table from any other that was in its place."""
        return str(self._delta.metadata().id)

    def inputs(self, day: dt.date | None = None) -> int | None:
        """Return the fingerprint of what the rows (of `day`, default: all) were made from, None if never set."""
        return self.mark("inputs", day)

    def state(self, day: dt.date | None = None) -> int | None:
        """Return the number of the state of the rows (of `day`, default: all), None if there never were any."""
        return self.mark("state", day)

    def made_by(self, day: dt.date | None = None) -> int | None:
        """Return the version of the method that made the rows (of `day`, default: all), None if none were made."""
        return None if self.state(day) is None else self.mark("method", day) or 1

    def mark(self, name: str, day: dt.date | None = None) -> int | None:
        """Return the mark `name` (of `day`, default: of the project), None if it was never set."""
        if self._marks is not None:
            return ProjectMarks(self._marks, self.project_id).mark(name, day)
        found = self._delta.transaction_version(mark_id(self.project_id, name, day))
        return None if found is None else int(found)

    def days(self) -> list[dt.date]:
        """Return the days of receipt that have rows, in order (tables partitioned by day only)."""
        found = self._delta.partitions(file_pruning_predicate=[("project_id", "=", self.project_id)])
        return sorted({dt.date.fromisoformat(str(partition["received_date"])) for partition in found})

    def sizes(self) -> pl.DataFrame:
        """Return `received_date` (null in tables that know no days), `n_rows`, `n_files`, `n_bytes`, by day in order.

        From the log alone: no file is opened.
        """
        files = pl.DataFrame(self._delta.get_add_actions(flatten=True))
        mine = files.filter(pl.col("partition.project_id") == self.project_id)
        day = pl.col("partition.received_date") if self.table.is_by_day else pl.lit(None)
        counts = {"n_rows": pl.col("num_records").sum(), "n_files": pl.len(), "n_bytes": pl.col("size_bytes").sum()}
        found = mine.group_by(received_date=day.cast(pl.Date)).agg(**counts)
        return found.cast({"n_files": pl.Int64}).sort("received_date")

    def files(self) -> list[str]:
        """Return the addresses of the project's data files."""
        return store.file_names(self.lake, store.project_files(self._delta, self.project_id))

    def verify(self) -> None:
        """Return if each file of the project holds what was written; raise `DamageError` if one does not."""
        for name in self.files():
            sums.verify(self.lake, name)

    def scan(self, at: int | None = None) -> pl.LazyFrame:
        """Return the project's rows (at the version `at`, default: the one that is open)."""
        if at is not None:
            return store.scan(self.lake, self.table, self.project_id, at=at)
        return store.scan_files(self.lake, self.table, store.project_files(self._delta, self.project_id))

    def read(self) -> pl.DataFrame:
        """Return the project's rows."""
        return self.scan().collect()

    def only_appended_since(self, version: int) -> bool:
        """Return whether every row that the project had at `version` is still there, as it was.

        False too where that cannot be told: that version is no longer kept, or its files were rewritten.
        """
        return self._files_since(version) is not None

    @property
    def seen(self) -> int:
        """What a mark says of the rows that are open, for `added_since`; 0 where some are in no version yet."""
        return self.version + 1

    def added_since(self, seen: int | None, day: dt.date | None = None) -> pl.LazyFrame | None:
        """Return the rows (of `day`, default: all) that came since these were `seen`, None where others went since.

        None too where that cannot be told: that version is no longer kept, or its files were rewritten.
        """
        files = self._files_since(seen - 1, day) if seen else None
        return None if files is None else store.scan_files(self.lake, self.table, files)

    def _files_since(self, version: int, day: dt.date | None = None) -> list[str] | None:
        """Return the files (of `day`, default: all) that came since `version`; None where not all of then are left."""
        if not self.lake.is_local and 0 <= version <= self.version <= version + additions.FEW:
            folder = f"project_id={self.project_id}/{'' if day is None else f'received_date={day.isoformat()}/'}"
            paths = additions.added_paths(self.lake, self.table, version, self.version, folder)
            there = store.project_files(self._delta, self.project_id, day) if paths else []
            came = {f"{self.lake.table(self.table.name)}/{path}" for path in paths or ()}
            return None if paths is None else [file for file in there if file in came]
        try:
            then = deltalake.DeltaTable(self.lake.table(self.table.name), version=version)
        except DeltaError:
            return None
        was = set(store.project_files(then, self.project_id, day))
        now = store.project_files(self._delta, self.project_id, day)
        return [file for file in now if file not in was] if was <= set(now) else None

    def having(self, column: str, values: pl.Series) -> pl.LazyFrame:
        """Return the rows whose `column` is one of `values`.

        Of files that hold none of them only that column is read: rows that came together mostly lie together.
        """
        wanted = pl.col(column).is_in(values.implode())
        files = store.project_files(self._delta, self.project_id)
        each = [store.scan_files(self.lake, self.table, [file]).filter(wanted).select(pl.len()) for file in files]
        found = [file for file, n in zip(files, pl.collect_all(each), strict=True) if n.item()]
        return store.scan_files(self.lake, self.table, found).filter(wanted)

    def near(self, values: pl.Series) -> pl.LazyFrame:
        """Return the rows of the files that may hold one of `values` (`store.files_near`)."""
        return store.scan_files(self.lake, self.table, store.files_near(self._delta, self.project_id, values))

    def having_by(self, column: str, values: pl.Series, n_rows: int) -> Iterator[tuple[np.ndarray, pl.LazyFrame]]:
        """Yield places in `values` (distinct) with the rows of those, as many files at a time as have `n_rows` of them.

        Each file is read once, whatever the number of values: as many as there are rows cost what the rows do. A value
        that is in several files comes with each.
        """
        if values.len() <= n_rows:
            yield np.arange(values.len()), self.having(column, values)
            return
        places = values.to_frame(column).with_row_index("place").lazy()
        files = store.project_files(self._delta, self.project_id)
        of_files = [
            store.scan_files(self.lake, self.table, [file]).select(column, file=pl.lit(number, pl.UInt32))
            for number, file in enumerate(files)
        ]
        there = pl.concat(of_files or [self.table.empty().lazy().select(column, file=pl.lit(0, pl.UInt32))])
        found = there.join(places, on=column).select("file", "place").collect(engine="streaming").sort("file", "place")
        before = found["file"].value_counts().sort("file").with_columns(pl.col("count").cum_sum() - pl.col("count"))
        group = found.join(before, on="file", maintain_order="left")["count"] // n_rows
        for part in found.with_columns(group=group).partition_by("group", maintain_order=True):
            read = [files[number] for number in part["file"].unique().sort()]
            wanted = pl.col(column).is_in(values.gather(part["place"]).implode())
            rows = store.scan_files(self.lake, self.table, read).filter(wanted)
            yield part["place"].unique().sort().to_numpy(), rows

    def append(
        self,
        rows: pl.DataFrame,
        *,
        inputs: int | None = None,
        days: dict[dt.date, int] | None = None,
        marks: dict[str, int] | None = None,
    ) -> None:
        """After this call `rows` are in the table too, and the marks are set; without rows only the marks change.

        inputs: the project's; days: inputs by day; marks: further marks of the project.
        """
        self._commit(rows, self._ids(self._touched(rows), inputs, days, marks), mode="append")

    def replace(
        self,
        rows: pl.DataFrame,
        only: Iterable[dt.date] | None = None,
        *,
        inputs: int | None = None,
        days: dict[dt.date, int] | None = None,
        marks: dict[str, int] | None = None,
    ) -> None:
        """After this call `rows` are all that the project has (on the days `only`, if given), and the marks are set."""
        predicate = f"project_id = '{self.project_id}'"
        touched: list[dt.date | None] = [None]
        if only is not None:
            touched += sorted(set(only))
            listed = ", ".join(f"'{day.isoformat()}'" for day in touched if day is not None)
            predicate += f" AND received_date IN ({listed})"
        self._commit(rows, self._ids(touched, inputs, days, marks), mode="overwrite", predicate=predicate)

    def rewrite(self, rows: pl.DataFrame, only: Iterable[dt.date] | None = None) -> None:
        """After this call `rows` are in the place of those that there were (on the days `only`), in the same states.

        For rows from which the same follows as from those before: no stage has anything to do. So are `add_alike` and
        `remove_alike`.
        """
        predicate = f"project_id = '{self.project_id}'"
        if only is not None:
            listed = ", ".join(f"'{day.isoformat()}'" for day in sorted(set(only)))
            predicate += f" AND received_date IN ({listed})"
        self._commit(rows, self._ids([], None, None, None), mode="overwrite", predicate=predicate)

    def add_alike(self, rows: pl.DataFrame) -> None:
        """After this call `rows` are in the table too, in the same states."""
        self._commit(rows, self._ids([], None, None, None), mode="append")

    def remove_alike(self, column: str, values: pl.Series) -> None:
        """After this call no row's `column` is one of `values`, in the same states."""
        self._remove(column, values, self._ids([], None, None, None))

    def remove(self, column: str, values: pl.Series, inputs: int | None = None) -> None:
        """After this call no row's `column` is one of `values`, and the mark is set; nothing is done without `values`.

        Files that hold none of them stay as they are.
        """
        self._remove(column, values, self._ids([None], inputs, None, None))

    def _remove(self, column: str, values: pl.Series, ids: dict[str, int]) -> None:
        if values.is_empty():
            return
        before = self.version
        self.verify()  # delta-rs reads the files by itself
        self._delta.merge(
            pa.table({column: values.to_arrow(compat_level=pl.CompatLevel.oldest())}),
            f"rows.project_id = '{self.project_id}' AND rows.{column} = gone.{column}",
            source_alias="gone",
            target_alias="rows",
            writer_properties=store.writer(self.table),
            commit_properties=self._commit_properties(ids),
            post_commithook_properties=store.after_commit(self.lake),
        ).when_matched_delete().execute()
        sums.seal_commits(self.lake, self.table, before, self.version)
        self._took(ids)

    def set_inputs(self, inputs: int, days: dict[dt.date, int] | None = None) -> None:
        """After this call the marks are set; rows stay as they are. Does nothing when they are so already."""
        if self.inputs() != inputs or any(self.inputs(day) != value for day, value in (days or {}).items()):
            self.append(self.table.empty(), inputs=inputs, days=days)

    def blocked(self) -> list[dt.date | None]:
        """Return the days (None: the whole) whose rows a blocking check found wrong and that are still as they were."""
        if self._marks is None:
            days = [None, *(self.days() if self.table.is_by_day else ())]
            return [day for day in days if self.state(day) and self.mark("blocked", day) == self.state(day)]
        return blocked_days(self._marks).get(self.project_id, [])

    def block(self, verdicts: Mapping[dt.date | None, bool]) -> None:
        """After this call the rows of each day (None: of the project) count as wrong, or as right, until they change.

        Does nothing where they do so already.
        """
        if ids := self._verdicts(verdicts):
            self._commit(self.table.empty(), ids | self._ids([], None, None, None), mode="append")

    def _verdicts(self, verdicts: Mapping[dt.date | None, bool]) -> dict[str, int]:
        """Return the marks, by id, that change when the rows of each day count as wrong, or as right."""
        was = set(self.blocked())
        return {
            mark_id(self.project_id, "blocked", day): (self.state(day) or 0) if wrong else 0
            for day, wrong in verdicts.items()
            if wrong != (day in was)
        }

    def _touched(self, rows: pl.DataFrame) -> list[dt.date | None]:
        """Return the days (None: the whole) that have another state once `rows` are there too."""
        if rows.is_empty():
            return []
        return [None, *(rows["received_date"].unique() if self.table.is_by_day else ())]

    def _checked(self, rows: pl.DataFrame) -> pl.DataFrame:
        checked = store.check(self.table, rows)
        if not (checked["project_id"] == self.project_id).all():
            raise store.SchemaError(f"{self.table.name}: rows of another project than {self.project_id}")
        return checked

    def _commit(self, rows: pl.DataFrame, ids: dict[str, int], **how: Any) -> None:
        """Write `rows` and set the marks `ids`, in one commit."""
        before = self.version
        whole = self._checked(rows).rechunk()  # in how many pieces a result comes would show in the file
        with objects.explained(self.lake):
            deltalake.write_deltalake(
                self._delta,
                whole.to_arrow(compat_level=pl.CompatLevel.oldest()),
                commit_properties=self._commit_properties(ids),
                writer_properties=store.writer(self.table),
                post_commithook_properties=store.after_commit(self.lake),
                **how,
            )
        sums.seal_commits(self.lake, self.table, before, self.version)
        self._took(ids)

    @staticmethod
    def _commit_properties(ids: dict[str, int]) -> deltalake.CommitProperties:
        transactions = [deltalake.Transaction(name, value) for name, value in ids.items()]
        return deltalake.CommitProperties(app_transactions=transactions)

    def _took(self, ids: dict[str, int]) -> None:
        if self._marks is not None:
            self._marks |= ids

    def _ids(
        self,
        touched: Iterable[dt.date | None],
        inputs: int | None,
        days: dict[dt.date, int] | None,
        marks: dict[str, int] | None,
    ) -> dict[str, int]:
        """Return the marks that a commit sets, by id."""
        state = self._next_state()
        # Every commit of a project sets its `writer`, so that two at once collide whatever else they write.
        ids = {("writer", None): state} | {("state", day): state for day in touched}
        ids |= {(name, None): value for name, value in (marks or {}).items()}
        made_from: dict[dt.date | None, int] = dict((days or {}).items())
        if inputs is not None:
            made_from[None] = inputs
        ids |= {("inputs", day): value for day, value in made_from.items()}
        ids |= {("method", day): self.method for day in made_from if self.method != (self.mark("method", day) or 1)}
        return {mark_id(self.project_id, name, day): value for (name, day), value in ids.items()}

    def _next_state(self) -> int:
        """Return a number that no state of the project's rows ever had."""
        # The table's own id counts too: a table that was deleted and made again starts its versions anew.
        return fingerprint(self.table_id, self.version)


def open_or_make(lake: Lake, table: Table) -> deltalake.DeltaTable:
    """Return the table, made with no rows first if it was never written.

    Raises:
        SchemaError: another version of Turret wrote it, with other columns.
        DamageError: its log is damaged.
    """
    address = lake.table(table.name)
    opened = store.open_table(lake, table)
    if opened is not None:
        other = {field.name for field in opened.schema().fields} ^ set(table.schema.names())
        if other:
            raise store.SchemaError(
                f"{table.name} was written by another version of Turret (columns {', '.join(sorted(other))}); "
                "start this version's `turret up` or `turret build`, which upgrades the lake, or go back to that one"
            )
        return opened
    sums.unseal_folder(lake, address)  # of an earlier table of this name
    if lake.is_local:
        Path(address).mkdir(parents=True, exist_ok=True)
    empty = table.empty().to_arrow(compat_level=pl.CompatLevel.oldest())
    kept = {"delta.logRetentionDuration": f"interval {table.log_kept_h} hours"}
    if not lake.is_local:
        # A process that opens the table reads each commit since its checkpoint, twice: a request each.
        kept["delta.checkpointInterval"] = str(S3_CHECKPOINT_COMMITS)
    with contextlib.suppress(CommitFailedError):  # another process makes it at the same moment
        deltalake.write_deltalake(
            address, empty, mode="ignore", partition_by=list(table.partition_by), configuration=kept
        )
        sums.seal_commits(lake, table, -1, 0)
    return deltalake.DeltaTable(address) if lake.is_local else handles.newest(lake, table)
