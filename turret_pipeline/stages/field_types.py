"""`field_types`: what each metadata field is, from the profiles of all days and from what people chose.

Of more than `MOST_FIELDS` fields those in most events have one. `field_totals`, `field_history` and `left_out_fields`
are by-products.
"""

from __future__ import annotations

import datetime as dt
from functools import partial

import orjson
import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.analysis.fields.detect import (
    MOST_FIELDS,
    TOTALS,
    add_up,
    detect_types,
    periods_to_read,
    typed_fields,
)
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable, fingerprint
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    FIELD_HISTORY,
    FIELD_OVERRIDES,
    FIELD_PROFILES,
    FIELD_TOTALS,
    FIELD_TYPES,
    LEFT_OUT_FIELDS,
)
from turret_pipeline.stages.check import Check, Finding, ReceiptDays, finding
from turret_pipeline.stages.containment import Failure, Failures, no_field_failed, trying
from turret_pipeline.stages.field_profiles import STAGE as FIELD_PROFILES_STAGE
from turret_pipeline.stages.field_profiles import left_out_on
from turret_pipeline.stages.stage import Product, ProjectNow, Source, Stage, Task
from turret_pipeline.stages.work import Outcome, Work

TEXT_FIELDS = "text fields"
"""Name of the mark in `field_types` that stands for the set of fields that are text."""

SEGMENT_FIELDS = "segment fields"
"""Likewise for the set of fields that are enum or number."""

DAYS = "days"
"""Name of the mark in `field_totals` with the number of days that it sums up."""

EXAMPLES = 10
"""Fields without a type that are named."""


def bring(task: Task) -> Outcome:
    """After this call `field_types` follows from all profiles and from what people chose.

    What changed is added to `field_history` first. Of the profiles only those are read that are new, and as many
    before them as a type is judged by; the sum of all others is kept in `field_totals`. Another version of the method
    judges all days anew, without regard to the types that there were, and adds what differs to the history. A field
    that cannot be judged keeps its type.
    """
    outcome = Outcome("field_types")
    work, profiles, table = task.work, task.open(FIELD_PROFILES), task.table
    overrides = task.rows(FIELD_OVERRIDES)
    if task.has_news:
        periods = profiles.scan().select("received_date", "month", "field", "n_events", "n_values").collect()
        all_fields, fields = periods, typed_fields(periods, overrides)
        periods = periods.filter(pl.col("field").is_in(fields))
        totals = _bring_totals(task, profiles, periods)
        known = table.scan().drop("project_id").sort("field").collect()
        previous = None if known.is_empty() or task.makes_anew() else known
        needed = periods_to_read(periods.drop("n_events"), previous)
        failed: dict[str, Failure] = {}
        chosen = overrides.drop("project_id")
        newest = max(profiles.days(), default=None)
        found = detect_types(_evidence(profiles, needed), previous, chosen, totals, partial(trying, failed), newest)
        failpoint.reached("field_types.after_analysis")
        failures = Failures(task)
        failures.settle(failed)
        is_first, changes = known.is_empty() or work.full_refresh, found.changes
        if previous is None and not is_first:
            # Judged anew from the first day on: the types on the way are in the history already.
            changes = changes.unique("field", keep="last", maintain_order=True)
        _add_to_history(work, task.open(FIELD_HISTORY), changes, anew=is_first)
        failpoint.reached("field_types.after_history")
        left_out = _left_out(profiles, all_fields, fields)
        _tell_left_out(task, left_out)
        rows = found.types.with_columns(project_id=pl.lit(work.project_id)).select(FIELD_TYPES.schema.names())
        text = sorted(rows.filter(pl.col("type") == "text")["field"])
        segments = sorted(rows.filter(pl.col("type").is_in(["enum", "number"]))["field"])
        marks = {TEXT_FIELDS: fingerprint(text), SEGMENT_FIELDS: fingerprint(segments)}
        table.replace(rows, inputs=task.inputs(), marks=marks)
        outcome.n_rows = rows.height
        outcome.facts = dict(sorted(rows["type"].value_counts().iter_rows()))
        outcome.facts["profiles read"] = needed.height
        outcome.facts |= {"fields left out": left_out["n_fields"].item()} if left_out.height else {}
        outcome.facts |= failures.facts
        failpoint.reached("field_types.after_commit")
    return task.finish(outcome)


def text_fields(types: ProjectTable) -> list[str]:
    """Return the fields whose type in force is text, in order."""
    return _fields_of(types, "text")


def segment_fields(types: ProjectTable) -> list[str]:
    """Return the fields whose type in force is enum or number, in order."""
    return _fields_of(types, "enum", "number")


def _fields_of(types: ProjectTable, *kinds: str) -> list[str]:
    return sorted(types.scan().filter(pl.col("type").is_in(kinds)).select("field").collect()["field"])


def _overrides(now: ProjectNow, day: dt.date | None) -> tuple[object, ...]:
    """Return what stands for the overrides: their table is written by the API and has no marks."""
    chosen = now.rows(FIELD_OVERRIDES)
    if chosen.is_empty():  # as in most projects, each of which is asked for at every look for new work
        return ([],)
    chosen = chosen.sort("decided_at", "field")
    return (chosen.select("field", pl.col("decided_at").dt.epoch("us"), "type").rows(),)


def _left_out(profiles: ProjectTable, periods: pl.DataFrame, typed: set[str]) -> pl.DataFrame:
    """Return the row of `left_out_fields`, or none if every field of every day has a type.

    Fields that a day was profiled without are known by number alone: they may be the same from day to day, and those
    among them that have a type are at most as many as the day has no profile of.
    """
    has_type = pl.col("field").is_in(typed)
    rest = periods.filter(~has_type).group_by("field").agg(pl.col("n_events").sum())
    there = periods.filter(has_type).group_by("received_date").agg(pl.col("field").n_unique())
    n_there = dict(there.iter_rows())
    marks = {day: profiles.mark(left_out_on(day)) or 0 for day in profiles.days()}
    of_days = [n - (len(typed) - n_there.get(day, 0)) for day, n in marks.items() if n]
    n_fields = max([rest.height, *of_days])
    examples = rest.sort("n_events", "field", descending=[True, False])["field"].head(EXAMPLES).to_list()
    row = (profiles.project_id, MOST_FIELDS, n_fields, orjson.dumps(examples).decode())
    return pl.DataFrame([row] if n_fields else [], schema=LEFT_OUT_FIELDS.schema, orient="row")


def _tell_left_out(task: Task, rows: pl.DataFrame) -> None:
    """After this call `left_out_fields` has these rows."""
    if not rows.equals(task.rows(LEFT_OUT_FIELDS)):
        # Opened, and so made, with the first field that is left out: most projects never have one.
        task.work.open(LEFT_OUT_FIELDS).replace(rows)


def _bring_totals(task: Task, profiles: ProjectTable, periods: pl.DataFrame) -> pl.DataFrame:
    """Return the evidence of all days but the newest, kept in `field_totals` so that each day is added once.

    The mark `DAYS` says how many days are in it, `inputs` in which state they were: if one of them was profiled again
    since, or came between them, all are added up anew.

    periods: `received_date` and `field` of the profiles of the fields that have a type. Of a field that was left out
    when a day was added, all days are added when it has one.
    """
    table = task.open(FIELD_TOTALS)
    days = profiles.days()[:-1]
    states = [(day.isoformat(), profiles.state(day)) for day in days]
    n_known = table.mark(DAYS) or 0
    holds = table.inputs() == task.stage.of_version(fingerprint(states[:n_known])) and n_known <= len(days)
    holds = holds and not task.work.full_refresh
    fields = periods["field"].unique()
    known = table.scan().drop("project_id").sort("field").collect() if holds else pl.DataFrame(schema=TOTALS)
    known = known.filter(pl.col("field").is_in(fields.implode()))
    summed, added = (days[:n_known], days[n_known:]) if holds else ([], days)
    late = periods.filter(pl.col("received_date").is_in(summed)).join(known, on="field", how="anti")
    if not added and late.is_empty():
        return known
    for which, of in ((late["received_date"].unique().sort(), late["field"].unique()), (added, fields)):
        for day in which:
            here = (pl.col("received_date") == day) & pl.col("field").is_in(of.implode())
            known = add_up(known, profiles.scan().filter(here).select("field", "evidence").collect())
    rows = known.with_columns(project_id=pl.lit(task.work.project_id)).select(FIELD_TOTALS.schema.names())
    table.replace(rows, inputs=task.stage.of_version(fingerprint(states)), marks={DAYS: len(days)})
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


def every_field_has_a_type(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """Every field that was profiled has a type, of too many those that most events have."""
    periods = store.scan(lake, FIELD_PROFILES, project_id).select("field", "n_events").collect()
    typed = sorted(typed_fields(periods, FIELD_OVERRIDES.empty()))
    fields = pl.DataFrame({"field": typed}, schema={"field": pl.String})
    return finding(fields, fields.join(store.read(lake, FIELD_TYPES, project_id, "field"), on="field", how="anti"))


def _largest(work: Work, rows: pl.LazyFrame) -> dict[str, object]:
    columns = ("field", "type", "confidence", "n_events", "n_distinct", "reason")
    return {"largest fields": rows.sort("n_events", "field", descending=[True, False]).select(columns)}


STAGE = Stage(
    makes=(
        Product(
            FIELD_TYPES,
            "What each metadata field is: text that people wrote, a choice among few values, or a number. "
            "A person's override wins over what the values show.",
            {"type detected_type confidence reason n_null n_distinct summary": "field_profiles.evidence"},
            {
                "every_field_has_a_type": Check(
                    "every field that was seen has a type, of too many the most frequent", every_field_has_a_type
                ),
                "no_field_failed": no_field_failed(FIELD_TYPES),
            },
            _largest,
        ),
    ),
    by_products=(
        Product(
            LEFT_OUT_FIELDS,
            f"How many fields have no type, as a project has more than {MOST_FIELDS:,} of them. Their values stay in "
            "the events.",
            {"n_fields examples": "field_profiles.field"},
        ),
        Product(
            FIELD_HISTORY,
            "When the type of a field changed, from what to what, and why.",
            {"type confidence reason": "field_profiles.evidence"},
        ),
        Product(
            FIELD_TOTALS,
            "What all days but the latest show about each field, summed up, so that a new day is cheap.",
            {"evidence": "field_profiles.evidence"},
        ),
    ),
    reads=(Source(FIELD_PROFILES),),
    besides=_overrides,
    method=bring,
    group="fields",
    version=3,
    remembers=True,
    follows=(FIELD_PROFILES_STAGE,),
)
