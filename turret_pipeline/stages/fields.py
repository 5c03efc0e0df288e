"""`field_profiles`, a day's evidence about each metadata field, and `field_types`, what all days together show.

`field_totals` and `field_history` are by-products of the latter.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.analysis.fields.detect import TOTALS, add_up, detect_types, periods_to_read, profile_fields
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable, fingerprint
from turret_pipeline.lake.tables import (
    EVENTS,
    FIELD_HISTORY,
    FIELD_OVERRIDES,
    FIELD_PROFILES,
    FIELD_TOTALS,
    FIELD_TYPES,
)
from turret_pipeline.stages.inputs import SEGMENT_FIELDS, TEXT_FIELDS, field_types_inputs, profiles_inputs
from turret_pipeline.stages.work import Outcome, Work

DAYS = "days"
"""Name of the mark in `field_totals` with the number of days that it sums up."""


def bring_field_profiles(work: Work, days: Collection[dt.date] | None = None) -> Outcome:
    """After this call each day of `events` (of `days`, default: of all) is profiled, one commit a day."""
    outcome = Outcome("field_profiles")
    events, table = work.open(EVENTS), work.open(FIELD_PROFILES)
    wanted = {day: profiles_inputs(events.state(day)) for day in events.days()}
    pending = [day for day in wanted if work.full_refresh or table.inputs(day) != wanted[day]]
    todo = [day for day in pending if days is None or day in days]
    for position, day in enumerate(todo, start=1):
        of_day = events.scan().filter(pl.col("received_date") == day).select("timestamp", "metadata")
        found = profile_fields(of_day.collect())
        failpoint.reached("field_profiles.after_analysis")
        rows = found.with_columns(project_id=pl.lit(work.project_id), received_date=pl.lit(day, dtype=pl.Date))
        rows = rows.select(FIELD_PROFILES.schema.names()).sort("month", "field")
        table.replace(rows, [day], days={day: wanted[day]})
        outcome.days[day] = rows.height
        outcome.n_rows += rows.height
        work.tell("field_profiles", position, len(todo))
        failpoint.reached("field_profiles.after_day")
    return outcome.finish(work, table, profiles_inputs(events.state()) if todo == pending else None)


def bring_field_types(work: Work) -> Outcome:
    """After this call `field_types` follows from all profiles and from what people decided.

    What changed is added to `field_history` first. Of the profiles only those are read that are new, and as many
    before them as a type is judged by; the sum of all others is kept in `field_totals`.
    """
    outcome = Outcome("field_types")
    profiles, table, history = work.open(FIELD_PROFILES), work.open(FIELD_TYPES), work.open(FIELD_HISTORY)
    overrides = store.read(work.lake, FIELD_OVERRIDES, work.project_id)
    wanted = field_types_inputs(profiles.state(), overrides)
    if work.full_refresh or table.inputs() != wanted:
        totals = _bring_totals(work, profiles)
        known = table.scan().drop("project_id").sort("field").collect()
        previous = None if known.is_empty() or work.full_refresh else known
        periods = profiles.scan().select("received_date", "month", "field", "n_values").collect()
        needed = periods_to_read(periods, previous)
        found = detect_types(_evidence(profiles, needed), previous, overrides.drop("project_id"), totals)
        failpoint.reached("field_types.after_analysis")
        _add_to_history(work, history, found.changes, anew=previous is None)
        failpoint.reached("field_types.after_history")
        rows = found.types.with_columns(project_id=pl.lit(work.project_id)).select(FIELD_TYPES.schema.names())
        text = sorted(rows.filter(pl.col("type") == "text")["field"])
        segments = sorted(rows.filter(pl.col("type").is_in(["enum", "number"]))["field"])
        marks = {TEXT_FIELDS: fingerprint(text), SEGMENT_FIELDS: fingerprint(segments)}
        table.replace(rows, inputs=wanted, marks=marks)
        outcome.n_rows = rows.height
        outcome.facts = dict(sorted(rows["type"].value_counts().iter_rows()))
        outcome.facts["profiles read"] = needed.height
        failpoint.reached("field_types.after_commit")
    return outcome.finish(work, table, wanted)


def _bring_totals(work: Work, profiles: ProjectTable) -> pl.DataFrame:
    """Return the evidence of all days but the newest, kept in `field_totals` so that each day is added once.

    The mark `DAYS` says how many days are in it, `inputs` in which state they were: if one of them was profiled again
    since, or came between them, all are added up anew.
    """
    table = work.open(FIELD_TOTALS)
    days = profiles.days()[:-1]
    states = [(day.isoformat(), profiles.state(day)) for day in days]
    n_known = table.mark(DAYS) or 0
    holds = not work.full_refresh and n_known <= len(days) and table.inputs() == fingerprint(states[:n_known])
    known = table.scan().drop("project_id").sort("field").collect() if holds else pl.DataFrame(schema=TOTALS)
    added = days[n_known:] if holds else days
    if not added:
        return known
    for day in added:
        of_day = profiles.scan().filter(pl.col("received_date") == day).select("field", "evidence").collect()
        known = add_up(known, of_day)
    rows = known.with_columns(project_id=pl.lit(work.project_id)).select(FIELD_TOTALS.schema.names())
    table.replace(rows, inputs=fingerprint(states), marks={DAYS: len(days)})
    failpoint.reached("field_totals.after_commit")
    return known


def _evidence(profiles: ProjectTable, periods: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of `field_profiles` of these periods."""
    days = pl.col("received_date").is_in(periods["received_date"].unique().to_list())
    found = profiles.scan().filter(days).drop("project_id")
    return found.join(periods.lazy(), on=["received_date", "month", "field"], how="semi").collect()


def _add_to_history(work: Work, table: ProjectTable, changes: pl.DataFrame, anew: bool) -> None:
    """After this call the history holds `changes` too; or, `anew`, nothing else.

    A type that the history ends with already was found in a build that was killed before its types were written.
    """
    known = FIELD_HISTORY.empty() if anew else table.scan().collect()
    last = known.sort("field", "n").group_by("field", maintain_order=True).agg(pl.col("n", "type").last())
    added = (
        changes.join(last.rename({"type": "known"}), on="field", how="left", maintain_order="left")
        .with_columns(pl.coalesce(pl.col("type").shift().over("field"), "known").alias("before"))
        .filter((pl.col("type") != pl.col("before")).fill_null(True))
        .with_columns(
            n=pl.col("n").fill_null(0) + pl.int_range(1, pl.len() + 1).over("field"), project_id=pl.lit(work.project_id)
        )
        .select(FIELD_HISTORY.schema.names())
    )
    if added.height or (anew and table.state() is not None):
        table.replace(pl.concat([known, added]).sort("field", "n"))
