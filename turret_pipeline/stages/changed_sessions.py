"""Which sessions of a large day changed since a stage made the day's rows: those of the others may stay.

A day that fills up changes with every run, and its sessions hardly: the steps as they are now are compared with those
that the rows were made from, which the lake keeps for days. A mark by day, set with the rows, says which these were.
Small days are made anew, which costs less than to compare.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

import polars as pl
from deltalake.exceptions import DeltaError

from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable, fingerprint
from turret_pipeline.lake.tables import JOURNEY_STEPS
from turret_pipeline.stages.stage import Task

LARGE_DAY = 200_000
"""Steps of a day from which on it is compared."""

SESSION = ("received_date", "field", "session_id")


def steps_marks(task: Task, days: Collection[dt.date], besides: Sequence[object]) -> dict[str, int]:
    """Return the marks to be set with rows of `days` that were made of the steps as they are now, and of `besides`."""
    if task.work.lake.batch is not None:
        return {}  # projects that are brought up to date together are small
    steps, found = task.open(JOURNEY_STEPS), dict[str, int]()
    sizes = dict(steps.sizes().select("received_date", "n_rows").rows())
    for day in days:
        if sizes.get(day, 0) >= LARGE_DAY:
            found |= {_made_of(day): steps.version + 1, _made_by(day): _besides(steps, besides)}
        elif task.table.mark(_made_of(day)):
            found[_made_of(day)] = 0  # it was large once
    return found


def changed_sessions(
    task: Task, days: Sequence[dt.date], steps: pl.DataFrame, besides: Sequence[object]
) -> pl.DataFrame | None:
    """Return the sessions (`SESSION`) that have other steps than the rows of `days` were made of; None: all may have.

    steps: of `days`, as they are now, with all columns that rows follow from.
    """
    opened, table = task.open(JOURNEY_STEPS), task.table
    if task.work.lake.batch is not None or any(task.makes_anew(day) for day in days):
        return None
    made_of = {table.mark(_made_of(day)) or 0 for day in days}
    made_by = {table.mark(_made_by(day)) for day in days}
    if len(made_of) > 1 or made_of == {0} or made_by != {_besides(opened, besides)}:
        return None
    try:
        before = _steps_at(opened, made_of.pop() - 1, days)
    except (DeltaError, FileNotFoundError):
        return None  # that version is no longer kept
    was = _fingerprints(before.select(steps.columns))
    now = _fingerprints(steps.lazy())
    met = now.join(was, on=SESSION, how="full", coalesce=True, suffix="_before")
    return met.filter(pl.col("print").ne_missing(pl.col("print_before"))).select(SESSION).collect(engine="streaming")


def _steps_at(opened: ProjectTable, version: int, days: Sequence[dt.date]) -> pl.LazyFrame:
    then = store.open_table(opened.lake, JOURNEY_STEPS, version)
    assert then is not None
    files = [file for day in days for file in store.project_files(then, opened.project_id, day)]
    return store.scan_files(opened.lake, JOURNEY_STEPS, files)


def _fingerprints(steps: pl.LazyFrame) -> pl.LazyFrame:
    """Return `SESSION` and `print`, which is another one where a session has other steps."""
    return steps.group_by(SESSION).agg(print=pl.struct(pl.all()).hash().sum())


def _besides(steps: ProjectTable, besides: Sequence[object]) -> int:
    return fingerprint(steps.table_id, *besides)


def _made_of(day: dt.date) -> str:
    return f"made of steps at, {day.isoformat()}"


def _made_by(day: dt.date) -> str:
    return f"made by, {day.isoformat()}"
