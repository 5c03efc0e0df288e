"""`step_values`: what the events behind the steps have in each enum and number field, in the order of the steps.

Follows the steps day by day. A refit gives steps other topics and leaves their order: then nothing is read again, and
when a field becomes an enum or a number its values alone are added.
"""

from __future__ import annotations

import datetime as dt

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS, FIELD_TYPES, JOURNEY_STEPS, STEP_VALUES
from turret_pipeline.semantics.step_values import order_of, packed
from turret_pipeline.semantics.values import canonical_column, field_values
from turret_pipeline.stages.by_day import of_days_of_steps
from turret_pipeline.stages.check import Check, Finding, ReceiptDays, finding, of_days
from turret_pipeline.stages.field_types import SEGMENT_FIELDS, segment_fields
from turret_pipeline.stages.stage import Product, Source, Stage, Task
from turret_pipeline.stages.work import Outcome, Work

CHUNK_EVENTS, VALUES_AT_ONCE, FIELDS_AT_ONCE = 100_000, 2_000_000, 20
"""What is taken apart at once: Python's objects take several times what the events do. Events are read again for every
`VALUES_AT_ONCE` values, but for no fewer than `FIELDS_AT_ONCE` fields."""

STEP = ("received_date", "field", "place", "timestamp", "event_id", "message_date")


def bring(task: Task) -> Outcome:
    """After this call the values of all enum and number fields lie beside each day's steps, and no others."""
    outcome = Outcome("step_values")
    work, table = task.work, task.table
    todo = task.stale_days()
    outcome.looked_at = todo
    done = 0
    for days, changed in of_days_of_steps(task, todo, STEP, _changed):
        failpoint.reached("step_values.after_analysis")
        written = pl.concat([STEP_VALUES.empty(), *changed.values()])
        marks = {day: task.inputs(day) for day in days}
        if changed:
            table.replace(written, changed, days=marks)
        else:
            table.append(written, days=marks)
        outcome.n_rows += written.height
        done += len(days)
        work.tell("step_values", done, len(todo))
        failpoint.reached("step_values.after_days")
    outcome.facts = {"segment fields": len(segment_fields(task.open(FIELD_TYPES)))}
    return task.finish(outcome)


def _changed(task: Task, days: list[dt.date], steps: pl.DataFrame) -> dict[dt.date, pl.DataFrame]:
    """Return the rows of those of the days that have others now, in order."""
    segments = segment_fields(task.open(FIELD_TYPES))
    known = task.table.scan().filter(pl.col("received_date").is_in(days)).collect()
    changed: dict[dt.date, pl.DataFrame] = {}
    for day in days:
        of_day = pl.col("received_date") == day
        before = known.filter(of_day).sort("field", "segment")
        rows = _of_day(task.work, steps.filter(of_day), segments, before.clear() if task.makes_anew(day) else before)
        if not rows.equals(before):
            changed[day] = rows
    return changed


def _of_day(work: Work, steps: pl.DataFrame, segments: list[str], known: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of one day's `steps`, in order; of `known`, its rows so far, those that still hold are taken."""
    by_field = {str(field): of_field for (field,), of_field in steps.group_by("field", maintain_order=True)}
    orders = {field: order_of(of_field) for field, of_field in by_field.items()}
    in_order = pl.DataFrame([*orders.items()], schema={"field": pl.String, "order": pl.Int64}, orient="row")
    kept = known.filter(pl.col("segment").is_in(segments)).join(in_order, on=["field", "order"], how="semi")
    there = set(kept.select("field", "segment").iter_rows())
    missing = [name for name in segments if any((field, name) not in there for field in by_field)]
    frames = [kept]
    at_once = max(FIELDS_AT_ONCE, VALUES_AT_ONCE // max(1, steps.height))
    for start in range(0, len(missing), at_once):
        group = missing[start : start + at_once]
        values = _values(work, steps, group)
        for field, of_field in by_field.items():
            beside = of_field.select("event_id").join(values, on="event_id", how="left", maintain_order="left")
            added = {place: name for place, name in enumerate(group) if (field, name) not in there}
            rows = packed(beside.select(f"value_{place}" for place in added)).with_columns(
                project_id=pl.lit(work.project_id),
                received_date=of_field["received_date"].first(),
                field=pl.lit(field),
                segment=pl.Series(list(added.values()), dtype=pl.String),
                order=pl.lit(orders[field], dtype=pl.Int64),
            )
            frames.append(rows.select(STEP_VALUES.schema.names()))
    return pl.concat(frames).sort("field", "segment")


def _values(work: Work, steps: pl.DataFrame, fields: list[str]) -> pl.DataFrame:
    """Return `event_id` and the value in each of `fields` (`value_0` and so on) of the events behind `steps`."""
    of_days = pl.col("received_date").is_in(steps["message_date"].unique().implode())
    ids = steps.lazy().select(pl.col("event_id").unique())
    events = work.open(EVENTS).scan().filter(of_days).select("event_id", "metadata")
    found = events.join(ids, on="event_id", how="semi").collect()
    names = [f"value_{place}" for place in range(len(fields))]
    frames = [pl.DataFrame(schema={"event_id": pl.String, **dict.fromkeys(names, pl.String)})]
    for chunk in found.iter_slices(CHUNK_EVENTS):
        values = field_values(chunk["metadata"].to_list(), fields)
        columns = [canonical_column(values[field]).alias(name) for field, name in zip(fields, names, strict=True)]
        frames.append(chunk.select("event_id", *columns))
    return pl.concat(frames)


def values_fit_the_steps(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """On each day every enum and number field has a place for each step of a text field, among as many values."""
    steps = of_days(store.scan(lake, JOURNEY_STEPS, project_id), days).group_by("received_date", "field")
    types = store.scan(lake, FIELD_TYPES, project_id).filter(pl.col("type").is_in(["enum", "number"]))
    wanted = steps.agg(steps=pl.len()).join(types.select(segment="field"), how="cross")
    key = ["received_date", "field", "segment"]
    places, values, numbers = (pl.col(name).list for name in ("places", "values", "numbers"))
    there = of_days(store.scan(lake, STEP_VALUES, project_id), days)
    there = there.select(*key, n=places.len(), most=places.max(), values=values.len(), numbers=numbers.len())
    met = wanted.join(there, on=key, how="full", coalesce=True).sort(key).collect()
    fits = (pl.col("n") == pl.col("steps")) & (pl.col("most") + 1 == pl.col("values"))
    return finding(met, met.filter(~(fits & (pl.col("values") == pl.col("numbers"))).fill_null(False)))


STAGE = Stage(
    makes=(
        Product(
            STEP_VALUES,
            "What each step's event has in the fields that are choices or numbers, so that topics and "
            "journeys are told apart by them without a look into the events.",
            {
                "segment": "field_types.field",
                "values numbers": "events.metadata",
                "places order": "journey_steps.place journey_steps.timestamp",
            },
            {"values_fit_the_steps": Check("every step has its place among each field's values", values_fit_the_steps)},
        ),
    ),
    reads=(Source(JOURNEY_STEPS), Source(FIELD_TYPES, SEGMENT_FIELDS), Source(EVENTS, None)),
    method=bring,
    group="journeys",
    version=2,
)
