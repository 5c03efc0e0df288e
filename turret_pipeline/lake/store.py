"""Reading and writing the tables: each write is one Delta commit, so a reader sees all of it or nothing."""

from __future__ import annotations

import datetime as dt
import urllib.parse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import deltalake
import polars as pl
import pyarrow as pa
from deltalake.exceptions import DeltaError, TableNotFoundError

from turret_pipeline.lake import handles, heads, objects, small_files, sums
from turret_pipeline.lake.damage import DamageError
from turret_pipeline.lake.paths import Lake, check_project_id
from turret_pipeline.lake.tables import Table


class SchemaError(ValueError):
    """A frame does not have the columns, types or nulls that its table declares."""


def writer(table: Table) -> deltalake.WriterProperties:
    """Return how the table's files are to be written."""
    return deltalake.WriterProperties(compression="ZSTD", max_row_group_size=table.group_rows or None)


def after_commit(lake: Lake) -> deltalake.PostCommitHookProperties | None:
    """Return what is to be done after a commit; None: what deltalake does by default.

    On S3 old commits are not looked for after each, which lists the whole log: `lake.upkeep` does it once a day.
    """
    return None if lake.is_local else deltalake.PostCommitHookProperties(cleanup_expired_logs=False)


def open_table(lake: Lake, table: Table, version: int | None = None) -> deltalake.DeltaTable | None:
    """Return the Delta table (at `version`, or the newest), or None if nothing was ever written to it.

    Raise `TableNotFoundError` when `version` is no longer kept: that is not a table without rows. Raise `DamageError`
    where its log is damaged, `UnreachableError` where S3 does not answer.
    """
    if lake.batch is not None and version is None:
        opened: deltalake.DeltaTable | None = lake.batch.opened(table)
        return opened
    sums.verify_log(lake, table, version)
    try:
        if version is None and not lake.is_local:
            return handles.newest(lake, table)
        return deltalake.DeltaTable(lake.table(table.name), version=version)
    except TableNotFoundError:
        if version is not None:
            raise
        return None
    except OSError as error:
        raise error if lake.is_local else objects.told(lake, error) from error
    except DeltaError as error:
        if version is not None:
            raise
        raise unreadable(lake, table, error) from error


def unreadable(lake: Lake, table: Table, error: BaseException) -> DamageError:
    """Return the error that says that the table's log cannot be read, and why."""
    reason = f"cannot be read ({sums.first_line(error)})"
    return sums.damaged(lake, f"{lake.table(table.name)}/_delta_log", reason)


def version(lake: Lake, table: Table) -> int | None:
    """Return the number of the table's newest commit, or None if nothing was ever written to it."""
    found = open_table(lake, table)
    return None if found is None else found.version()


def scan(lake: Lake, table: Table, project_id: str, *, at: int | None = None) -> pl.LazyFrame:
    """Return one project's rows of `table` (at the version `at`, or the newest); none if it was never written."""
    check_project_id(project_id)
    if lake.batch is not None and at is None:
        rows: pl.LazyFrame = lake.batch.scan(table, project_id)
        return rows
    found = open_table(lake, table, at)
    return scan_files(lake, table, [] if found is None else project_files(found, project_id))


def project_files(opened: deltalake.DeltaTable, project_id: str, day: dt.date | None = None) -> list[str]:
    """Return the addresses of the files that hold one project's rows (of `day`) at the version that is open."""
    of_day = [] if day is None else [("received_date", "=", day.isoformat())]
    return opened.file_uris(file_pruning_predicate=[("project_id", "=", check_project_id(project_id)), *of_day])


def scan_near(lake: Lake, table: Table, project_id: str, values: pl.Series) -> pl.LazyFrame:
    """Return one project's rows of the files that `files_near` names, at the newest version."""
    found = None if lake.batch is not None else open_table(lake, table)
    if found is None:
        return scan(lake, table, project_id)
    return scan_files(lake, table, files_near(found, project_id, values))


def files_near(opened: deltalake.DeltaTable, project_id: str, values: pl.Series) -> list[str]:
    """Return those of `project_files` that may hold one of `values` in the column that has the name of the series.

    The log has the least and the greatest value of each file. Ids that the server makes begin with the time, so of all
    history only the newest files may hold one that has just come; with ids of another make, all may.
    """
    names = project_files(opened, project_id)
    least, greatest = f"min.{values.name}", f"max.{values.name}"
    files = pl.DataFrame(opened.get_add_actions(flatten=True))
    if least not in files.columns or greatest not in files.columns:
        return names
    files = files.select("path", least, greatest).drop_nulls()
    known = values.unique().sort().append(pl.Series([None], dtype=values.dtype))
    next_known = known.gather(known.head(-1).search_sorted(files[least]))  # null: all are less than the least
    far = files.filter((next_known > files[greatest]).fill_null(True))["path"]
    unread = {path.rpartition("/")[2] for path in far}
    return [name for name in names if name.rpartition("/")[2] not in unread]


def rows_by_project(opened: deltalake.DeltaTable) -> dict[str, int]:
    """Return how many rows each project has at the version that is open, from the log alone."""
    files = pl.DataFrame(opened.get_add_actions(flatten=True))
    counted = files.group_by("partition.project_id").agg(pl.col("num_records").sum())
    return dict(counted.iter_rows())


def scan_files(lake: Lake, table: Table, files: list[str]) -> pl.LazyFrame:
    """Return the rows of `files`, which `project_files` named; none if there are none.

    Raise `DamageError` where one of them does not hold what was written, `FileNotFoundError` where it is not there.
    """
    if not files:
        return table.empty().lazy()
    # Not `pl.scan_delta`: polars 2.1 looks for the percent-encoded path when a local folder has a space in its name.
    names = file_names(lake, files)
    for name in names:
        sums.verify(lake, name)
    if lake.versions is not None and not lake.is_local and len(names) <= small_files.MOST_FILES:
        return small_files.scan(lake, table, names, partial(_scan, table))
    return _scan(table, names)


def _scan(table: Table, names: list[str]) -> pl.LazyFrame:
    schema = table.schema
    hive = {name: schema[name] for name in table.partition_by}
    frame = pl.scan_parquet(
        names, hive_partitioning=True, hive_schema=hive, schema={**schema}, missing_columns="insert", glob=False
    )
    return frame.select(schema.names())


def file_names(lake: Lake, files: list[str]) -> list[str]:
    """Return the paths, or on S3 the addresses, of `files`, which deltalake named."""
    return [urllib.parse.unquote(name) for name in files] if lake.is_local else files


def read(lake: Lake, table: Table, project_id: str, *columns: str) -> pl.DataFrame:
    """Return one project's rows of `table`, with all columns or with `columns`."""
    if lake.batch is not None:
        rows: pl.DataFrame = lake.batch.read(table, project_id, columns)
        return rows
    frame = scan(lake, table, project_id)
    return (frame.select(columns) if columns else frame).collect()


def append(lake: Lake, table: Table, rows: pl.DataFrame) -> None:
    """After this call `rows` are in the table too."""
    if rows.height:
        _make_folder(lake, table)
        opened = open_table(lake, table)
        before = None if opened is None else opened.version()
        if before is None:
            sums.unseal_folder(lake, lake.table(table.name))
        if table.is_kept:
            heads.moved(lake, f"tables/{table.name}")  # before too: should we be killed, no build makes up for it
        with objects.explained(lake):
            deltalake.write_deltalake(
                lake.table(table.name) if lake.is_local or opened is None else opened,
                _arrow(table, rows),
                mode="append",
                partition_by=list(table.partition_by),
                writer_properties=writer(table),
                post_commithook_properties=after_commit(lake),
            )
        _seal(lake, table, before)


def replace(lake: Lake, table: Table, rows: pl.DataFrame, project_id: str, **where: object) -> None:
    """After this call `rows` are all that the table has for the project (and for the column values in `where`).

    Columns in `where` that are not partition columns cost a rewrite of the project's files.
    """
    terms = {"project_id": check_project_id(project_id), **where}
    predicate = " AND ".join(f"{name} = '{_quoted(value)}'" for name, value in terms.items())
    before = version(lake, table)
    if before is None:
        append(lake, table, rows)
    else:
        with objects.explained(lake):
            deltalake.write_deltalake(
                lake.table(table.name),
                _arrow(table, rows),
                mode="overwrite",
                predicate=predicate,
                partition_by=list(table.partition_by),
                writer_properties=writer(table),
                post_commithook_properties=after_commit(lake),
            )
        _seal(lake, table, before)


def check(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """Return `rows` in the order of the table's columns; raise `SchemaError` if they are not what it declares."""
    if set(rows.columns) != set(table.schema.names()):
        difference = sorted(set(rows.columns) ^ set(table.schema.names()))
        raise SchemaError(f"{table.name}: columns differ from the declared ones: {', '.join(difference)}")
    if rows.columns != table.schema.names():
        rows = rows.select(table.schema.names())
    for column in table.columns:
        found = rows.schema[column.name]
        if found != column.dtype:
            raise SchemaError(f"{table.name}.{column.name} is {found}; expected {column.dtype}")
        if not column.nullable and rows[column.name].null_count():
            raise SchemaError(f"{table.name}.{column.name} has nulls; expected none")
    return rows


def _arrow(table: Table, rows: pl.DataFrame) -> pa.Table:
    return check(table, rows).to_arrow(compat_level=pl.CompatLevel.oldest())


def _seal(lake: Lake, table: Table, before: int | None) -> None:
    """After this call what was committed past the version `before` (None: all) has checksums."""
    last = (version(lake, table) or 0) if lake.is_local else 0
    sums.seal_commits(lake, table, -1 if before is None else before, last)


def _make_folder(lake: Lake, table: Table) -> None:
    if lake.is_local:
        Path(lake.table(table.name)).mkdir(parents=True, exist_ok=True)


def _quoted(value: object) -> str:
    return str(value).replace("'", "''")


def tables_with_rows(lake: Lake, project_id: str, tables: Sequence[Table]) -> list[str]:
    """Return the names of those `tables` that have rows of the project."""
    return [table.name for table in tables if scan(lake, table, project_id).limit(1).collect().height]
