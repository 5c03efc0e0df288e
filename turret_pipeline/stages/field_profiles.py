"""`field_profiles`: a day's evidence about each metadata field."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.analysis.fields.detect import profile_fields
from turret_pipeline.fanout import in_process
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS, FIELD_PROFILES
from turret_pipeline.stages.check import Check, Finding, ReceiptDays, finding, of_days
from turret_pipeline.stages.containment import Failure, Failures, no_field_failed, trying
from turret_pipeline.stages.stage import Product, Source, Stage, Task
from turret_pipeline.stages.work import Outcome, Work

SPREAD_EVENTS = 200_000
"""Events from which on days go to workers: to profile fewer takes less than to start these, some three seconds."""


def left_out_on(day: dt.date) -> str:
    """Return the name of the mark that says how many fields of the day have no profile, being too many."""
    return f"left out on {day.isoformat()}"


def _profiled_on(day: dt.date) -> str:
    """Return the name of the mark that says of which rows of `events` (`ProjectTable.seen`) the day's profiles are."""
    return f"profiled on {day.isoformat()}"


def bring(task: Task) -> Outcome:
    """After this call each day of `events` that was asked for is profiled, one commit a day.

    Of a day to which events were only added these alone are profiled, and added to what is there: under lasting traffic
    the day that fills up is looked at every few minutes. Of a field that cannot be profiled the values are counted. A
    day has the profiles of `MOST_FIELDS` at most.
    """
    outcome = Outcome("field_profiles")
    failures = Failures(task)
    stale = task.stale_days()
    todo = task.asked_for(stale)
    chunks = ((day, failures.are_any(day) or task.makes_anew(day)) for day in todo)
    fanout = task.work.spread if _n_events(task, todo) >= SPREAD_EVENTS else in_process
    profiled = fanout(partial(_profiled_in_worker, task.work.in_worker), chunks, partial(_profiled, task))
    for position, (day, found) in enumerate(zip(todo, profiled, strict=True), start=1):
        failpoint.reached("field_profiles.after_analysis")
        outcome.days[day] = _commit(task, day, found, failures)
        outcome.n_rows += outcome.days[day]
        task.work.tell("field_profiles", position, len(todo))
        failpoint.reached("field_profiles.after_day")
    return task.finish(outcome, is_whole=todo == stale)


@dataclass(frozen=True)
class _Profiled:
    """What was found of one day. rows: as `profile_fields` returns them; n_left_out: fields without a profile."""

    rows: pl.DataFrame
    failed: dict[str, Failure]
    n_left_out: int


def _profiled(task: Task, chunk: tuple[dt.date, bool]) -> _Profiled:
    """Return what is found of one day. chunk: the day, and whether all of its events are to be profiled anew."""
    day, is_anew = chunk
    added = None if is_anew else _added(task, day)
    of_day = pl.col("received_date") == day
    before = None
    if added is not None:
        before = task.table.scan().filter(of_day).drop("project_id", "received_date").collect()
    rows_of = task.open(EVENTS).scan().filter(of_day) if added is None else added
    failed: dict[str, Failure] = {}
    left_out: set[str] = set()
    events = rows_of.select("timestamp", "metadata").collect()
    rows = profile_fields(events, partial(trying, failed), left_out, before)
    return _Profiled(rows, failed, len(left_out))


def _profiled_in_worker(work: Work, chunk: tuple[dt.date, bool]) -> _Profiled:
    return _profiled(Task(STAGE, work), chunk)


def _commit(task: Task, day: dt.date, found: _Profiled, failures: Failures) -> int:
    """Commit what was found of one day; return how many rows it has."""
    table, mark = task.table, left_out_on(day)
    failures.settle(found.failed, day)
    rows = found.rows.with_columns(project_id=pl.lit(task.work.project_id), received_date=pl.lit(day, dtype=pl.Date))
    rows = rows.select(FIELD_PROFILES.schema.names()).sort("month", "field")
    marks = {mark: found.n_left_out} if found.n_left_out or table.mark(mark) else {}
    marks[_profiled_on(day)] = task.open(EVENTS).seen
    table.replace(rows, [day], days={day: task.inputs(day)}, marks=marks)
    return rows.height


def _n_events(task: Task, days: Collection[dt.date]) -> int:
    """Return how many events the days have; no file is opened."""
    return int(task.open(EVENTS).sizes().filter(pl.col("received_date").is_in(list(days)))["n_rows"].sum())


def _added(task: Task, day: dt.date) -> pl.LazyFrame | None:
    """Return the events of the day that came since it was profiled; None where all of them are to be profiled.

    Of a day with too many fields all are: which fields are left out follows from all of them.
    """
    if task.table.mark(left_out_on(day)):
        return None
    return task.open(EVENTS).added_since(task.table.mark(_profiled_on(day)), day)


def counts_reconcile(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """No field of a day is in more events than the day has."""
    events = of_days(store.scan(lake, EVENTS, project_id), days).group_by("received_date").agg(there=pl.len())
    by_field = of_days(store.scan(lake, FIELD_PROFILES, project_id), days).group_by("received_date", "field")
    profiles = by_field.agg(pl.col("n_events").sum())
    met = profiles.join(events, on="received_date", how="left").collect()
    wrong = met.filter(pl.col("n_events") > pl.col("there").fill_null(0))
    return finding(met, wrong)


STAGE = Stage(
    makes=(
        Product(
            FIELD_PROFILES,
            "What the values of each metadata field looked like on one day. From these Turret tells texts from "
            "choices and numbers.",
            {"field n_events n_values evidence": "events.metadata", "month": "events.timestamp"},
            {
                "counts_reconcile": Check("no field is in more events than the day has", counts_reconcile),
                "no_field_failed": no_field_failed(FIELD_PROFILES),
            },
        ),
    ),
    reads=(Source(EVENTS),),
    method=bring,
    group="events",
    version=4,
    by_day=True,
    leads=True,
)
