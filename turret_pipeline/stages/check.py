"""What a check is, the checks that several tables share, and what checks are made of.

A check looks at one project; where a table is kept by day of receipt, at the days that were worked on, so that it costs
what the work did and not what the history would. `blocking` ones stop what lies downstream: rows that are counted twice
would spoil all of it. No Dagster here, so that a test, or a person at a prompt, can ask the same. A table's own checks
stand in its stage's file. From table to table the counts add up: raw parts to events, events to messages, messages to
vectors and assignments, sessions to journeys.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import MESSAGES, Table
from turret_pipeline.semantics.gone import IS_GONE

ReceiptDays = Collection[dt.date] | None
"""The days of receipt to look at, in tables that are kept by day; None: all."""

UNIT_TOLERANCE = 1e-3


FEW_ROWS = 1_000
"""Rows up to which a key is looked at row by row."""


@dataclass(frozen=True)
class Finding:
    """How many things were looked at, how many of them are wrong, and one of those in words."""

    n_seen: int
    n_wrong: int
    example: str = ""


@dataclass(frozen=True)
class Check:
    """One check: what it makes sure of, in words, and the function that looks."""

    meaning: str
    find: Callable[[Lake, str, ReceiptDays], Finding]
    blocking: bool = False


def unique_key(table: Table) -> Check:
    """Return the check that the table's key names each row once: of each day, where it is kept by day of receipt.

    That no event is in two days is a check of `events` by itself. Messages, steps and values follow from events day by
    day, and other checks count them.
    """
    key = list(dict.fromkeys([*table.key, "received_date"])) if table.is_by_day else list(table.key)

    def find(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
        if lake.batch is not None:
            # Thousands of small projects, whose rows are in memory: a query each would take most of the time.
            there = store.read(lake, table, project_id, *key)
            if there.height <= FEW_ROWS:
                of = dict.fromkeys(days) if days is not None and table.is_by_day else None
                rows = [row for row in there.rows() if of is None or row[key.index("received_date")] in of]
                if len(set(rows)) == len(rows):
                    return Finding(len(rows), 0)
        rows_of = store.scan(lake, table, project_id)
        return each_once(of_days(rows_of, days) if table.is_by_day else rows_of, key)

    each_day = " of a day" if table.is_by_day and "received_date" not in table.key else ""
    return Check(f"{', '.join(table.key)} names each row{each_day} once", find, blocking=True)


def declared_types(table: Table) -> Check:
    """Return the check that the columns in the lake have the types that the table declares."""

    def find(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
        opened = store.open_table(lake, table)
        if opened is None:
            return Finding(0, 0)
        empty = pa.schema(opened.schema().to_arrow()).empty_table()
        found = pl.DataFrame(pl.from_arrow(empty)).schema
        wrong = {name: dtype for name, dtype in table.schema.items() if found.get(name) != dtype}
        example = "; ".join(f"{name} is {found.get(name)}, not {dtype}" for name, dtype in wrong.items())
        return Finding(len(table.schema), len(wrong), example)

    return Check("every column has the type that is declared", find)


def unit_length(table: Table, name: str, column: str, at_most: int | None = None) -> Check:
    """Return the check that the vectors in `column` are finite and of unit length.

    name: column that an example of a wrong one is named by. at_most: rows that are looked at; None: all.
    """

    def find(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
        rows = store.scan(lake, table, project_id).select(name, column)
        seen = (rows if at_most is None else rows.head(at_most)).collect()
        return finding(seen.select(name), seen.filter(not_unit(column)).select(name))

    return Check(f"{column}s are finite and of unit length{' (a sample)' if at_most else ''}", find)


def not_unit(column: str) -> pl.Expr:
    """Return whether the vector in `column` is not finite or not of unit length."""
    vector = pl.col(column).cast(pl.List(pl.Float64))
    square = (vector * vector).list.sum()
    near = square.is_finite() & ((square.sqrt() - 1).abs() <= UNIT_TOLERANCE)
    return ~near.fill_null(False)


def finding(rows: pl.DataFrame, wrong: pl.DataFrame) -> Finding:
    """Return what was found where `rows` were looked at and `wrong` of them are."""
    return Finding(rows.height, wrong.height, str(wrong.row(0)) if wrong.height else "")


def each_once(rows: pl.LazyFrame, key: list[str]) -> Finding:
    """Return whether `key` names each of `rows` once."""
    # By hash: the ids of millions of rows need not be in memory to be counted.
    n_rows, n_keys = rows.select(pl.len(), pl.struct(key).hash().n_unique()).collect().row(0)
    if n_rows == n_keys:
        return Finding(n_rows, 0)
    twice = rows.group_by(key).agg(n=pl.len()).filter(pl.col("n") > 1).first().collect()
    return Finding(n_rows, n_rows - n_keys, str(twice.row(0)) if twice.height else "")


def all_there(rows: pl.DataFrame, there: pl.LazyFrame) -> Finding:
    """Return whether each of `rows` is among those of `there`, which may be many more: they pass by."""
    found = there.select(rows.columns).join(rows.lazy(), on=rows.columns, how="semi").collect(engine="streaming")
    return finding(rows, rows.join(found, on=rows.columns, how="anti"))


def all_told(lake: Lake, project_id: str, vectors: Table, told: Table) -> Finding:
    """Return whether each text that has a vector of some model has its row in `told`, of that or another model."""
    key = pl.struct("model", "text_id").hash()
    living = [store.scan(lake, each, project_id).filter(~IS_GONE) for each in (vectors, told)]
    sums = [rows.select(n=pl.len(), all=key.sum()) for rows in living]
    with_vector, with_row = pl.collect_all(sums, engine="streaming")
    if with_vector.equals(with_row):
        # The same texts of the same models: none of millions of ids need be in memory.
        return Finding(with_vector["n"].item(), 0)
    texts = store.scan(lake, vectors, project_id).select("text_id").unique().collect(engine="streaming")
    return all_there(texts, store.scan(lake, told, project_id))


def of_days(rows: pl.LazyFrame, days: ReceiptDays) -> pl.LazyFrame:
    """Return the rows that were received on one of the days."""
    return rows if days is None else rows.filter(pl.col("received_date").is_in(list(days)))


def texts_of_messages(lake: Lake, project_id: str, days: ReceiptDays, *columns: str) -> pl.DataFrame:
    """Return the distinct values of the columns among the messages of the days that are not gone."""
    messages = of_days(store.scan(lake, MESSAGES, project_id), days).filter(~IS_GONE)
    return messages.select(columns).unique().collect(engine="streaming")


def wrong_days(opened: ProjectTable, checks: Iterable[Check], days: ReceiptDays) -> dict[dt.date | None, bool]:
    """Return for each of `days` (default: of all) whether one of the `checks` that are blocking finds its rows wrong.

    Where the table is not kept by day of receipt, the one answer for all of its rows is that for the day None.
    """
    looks: list[tuple[dt.date | None, ReceiptDays]] = [(None, None)]
    if opened.table.is_by_day:
        looks = [(day, [day]) for day in (opened.days() if days is None else days)]
    blocking = [check for check in checks if check.blocking]
    return {day: any(check.find(opened.lake, opened.project_id, of).n_wrong for check in blocking) for day, of in looks}
