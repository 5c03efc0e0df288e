"""Days of a table some at a time, and the stages that follow the steps day by day: here, or spread over workers."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.tables import JOURNEY_STEPS
from turret_pipeline.stages.stage import Stage, Task
from turret_pipeline.stages.work import Outcome, Work

BATCH_ROWS = 1_000_000
"""Rows read at once, if they are of several days; what bounds the memory that a build takes."""

Made = TypeVar("Made")


def bring_days(
    task: Task,
    columns: Sequence[str],
    rows_of: Callable[[Task, list[dt.date], pl.DataFrame], pl.DataFrame],
    marks_of: Callable[[Task, list[dt.date]], dict[str, int]] = lambda task, days: {},
) -> Outcome:
    """After this call each day has what `rows_of` makes of its steps; only days that changed are looked at.

    rows_of: as `of_days_of_steps` takes it; returns the rows of some days, as the stage's table declares them.
    marks_of: returns the marks to be set with the rows of some days.
    """
    name = task.stage.table.name
    outcome = Outcome(name)
    todo = outcome.looked_at = task.stale_days()
    done = 0
    for days, rows in of_days_of_steps(task, todo, columns, rows_of):
        failpoint.reached(f"{name}.after_analysis")
        inputs = {day: task.inputs(day) for day in days}
        task.table.replace(rows, days, days=inputs, marks=marks_of(task, days))
        outcome.n_rows += rows.height
        done += len(days)
        task.work.tell(name, done, len(todo))
        failpoint.reached(f"{name}.after_days")
    return task.finish(outcome)


def of_days_of_steps(
    task: Task, days: list[dt.date], columns: Sequence[str], make: Callable[[Task, list[dt.date], pl.DataFrame], Made]
) -> Iterator[tuple[list[dt.date], Made]]:
    """Yield `days` in order, some at a time, with what is made of their steps, here or by the workers of the fanout.

    make: a function of the module whose `STAGE` the task is of; takes a task, some days and their steps, with
    `columns`. What it reads no one else changes during the build.
    """
    groups = groups_of(task.open(JOURNEY_STEPS), days)
    in_worker = partial(_made_in_worker, make, columns, task.work.in_worker)
    yield from zip(groups, task.work.spread(in_worker, groups, partial(_made, make, columns, task)), strict=True)


def _made(
    make: Callable[[Task, list[dt.date], pl.DataFrame], Made], columns: Sequence[str], task: Task, days: list[dt.date]
) -> Made:
    return make(task, days, rows_of_days(task.open(JOURNEY_STEPS), days, columns))


def _made_in_worker(
    make: Callable[[Task, list[dt.date], pl.DataFrame], Made], columns: Sequence[str], work: Work, days: list[dt.date]
) -> Made:
    """Return what `make` makes of the days, in a process of its own."""
    stage: Stage = vars(sys.modules[make.__module__])["STAGE"]
    return _made(make, columns, Task(stage, work), days)


def batches(
    table: ProjectTable, days: list[dt.date], columns: Sequence[str]
) -> Iterator[tuple[list[dt.date], pl.DataFrame]]:
    """Yield `days` in order, some at a time, with `columns` of their rows."""
    for group in groups_of(table, days):
        yield group, rows_of_days(table, group, columns)


def groups_of(table: ProjectTable, days: list[dt.date]) -> list[list[dt.date]]:
    """Return `days` in order, some at a time: one day, or days with at most `BATCH_ROWS` rows."""
    day = pl.col("received_date")
    counted = table.scan().filter(day.is_in(days)).group_by(day).len().collect()
    sizes = dict(counted.iter_rows())
    found: list[list[dt.date]] = []
    while days:
        n, size = 0, 0
        while n < len(days) and (not n or size + sizes.get(days[n], 0) <= BATCH_ROWS):
            size, n = size + sizes.get(days[n], 0), n + 1
        found.append(days[:n])
        days = days[n:]
    return found


def rows_of_days(table: ProjectTable, days: list[dt.date], columns: Sequence[str]) -> pl.DataFrame:
    """Return `columns` of the table's rows of `days`."""
    return table.scan().filter(pl.col("received_date").is_in(days)).select(columns).collect()
