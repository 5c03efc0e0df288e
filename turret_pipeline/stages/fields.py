"""`field_profiles`, a day's evidence about each metadata field, and `field_types`, what all days together show."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import polars as pl

from turret_pipeline.analysis.field_types import detect_types, profile_fields
from turret_pipeline.lake import failpoint, store
from turret_pipeline.lake.commits import fingerprint
from turret_pipeline.lake.tables import EVENTS, FIELD_OVERRIDES, FIELD_PROFILES, FIELD_TYPES
from turret_pipeline.stages.inputs import TEXT_FIELDS, field_types_inputs, profiles_inputs
from turret_pipeline.stages.work import Outcome, Work


def bring_field_profiles(work: Work, days: Collection[dt.date] | None = None) -> Outcome:
    """After this call each day of `events` (of `days`, default: of all) is profiled, one commit a day."""
    outcome = Outcome("field_profiles")
    events, table = work.open(EVENTS), work.open(FIELD_PROFILES)
    wanted = {day: profiles_inputs(events.state(day)) for day in events.days()}
    pending = [day for day in wanted if work.full_refresh or table.inputs(day) != wanted[day]]
    todo = [day for day in pending if days is None or day in days]
    for position, day in enumerate(todo, start=1):
        found = profile_fields(events.scan().filter(pl.col("received_date") == day).collect())
        failpoint.reached("field_profiles.after_analysis")
        rows = found.with_columns(project_id=pl.lit(work.project_id), received_date=pl.lit(day, dtype=pl.Date))
        rows = rows.select(FIELD_PROFILES.schema.names()).sort("field")
        table.replace(rows, [day], days={day: wanted[day]})
        outcome.days[day] = rows.height
        outcome.n_rows += rows.height
        work.tell("field_profiles", position, len(todo))
        failpoint.reached("field_profiles.after_day")
    return outcome.finish(work, table, profiles_inputs(events.state()) if todo == pending else None)


def bring_field_types(work: Work) -> Outcome:
    """After this call `field_types` follows from all profiles and from what people decided; one commit."""
    outcome = Outcome("field_types")
    profiles, table = work.open(FIELD_PROFILES), work.open(FIELD_TYPES)
    overrides = store.read(work.lake, FIELD_OVERRIDES, work.project_id)
    wanted = field_types_inputs(profiles.state(), overrides)
    if work.full_refresh or table.inputs() != wanted:
        evidence = profiles.scan().drop("project_id").sort("received_date", "field").collect()
        known = table.scan().drop("project_id").sort("field").collect()
        previous = None if known.is_empty() or work.full_refresh else known
        found = detect_types(evidence, previous, overrides.drop("project_id"))
        failpoint.reached("field_types.after_analysis")
        rows = found.with_columns(project_id=pl.lit(work.project_id)).select(FIELD_TYPES.schema.names()).sort("field")
        text = sorted(rows.filter(pl.col("type") == "text")["field"])
        table.replace(rows, inputs=wanted, marks={TEXT_FIELDS: fingerprint(text)})
        outcome.n_rows = rows.height
        outcome.facts = dict(sorted(rows["type"].value_counts().iter_rows()))
        failpoint.reached("field_types.after_commit")
    return outcome.finish(work, table, wanted)
