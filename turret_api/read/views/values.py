"""What the events behind messages have in a metadata field: as conditions (segments), as values, as numbers.

Values of enum and number fields lie in the order of the steps of journeys (`step_values`), so nothing has to be joined.
Any other field can be asked for too and is looked up in the events. So is every field while a build has written the
steps and not yet the values beside them. An answer is the same either way.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_pipeline.lake.tables import EVENTS, JOURNEY_STEPS, STEP_VALUES
from turret_pipeline.semantics.step_values import NONE, order_of, unpacked
from turret_pipeline.semantics.values import canonical_column, field_values, number_column

VALUE_SOURCES = (JOURNEY_STEPS, STEP_VALUES, EVENTS)
"""Tables that the values beside steps follow from."""

CHUNK_EVENTS = 200_000
_NUMBER = r"-?\d{1,15}(?:\.\d{1,15})?"
RANGE = re.compile(rf"(?:{_NUMBER})\.\.(?:{_NUMBER})?|\.\.(?:{_NUMBER})", re.ASCII)

Segments = tuple[tuple[str, tuple[str, ...]], ...]
"""Fields and the values that each may have; all must hold."""


def read_steps(snapshot: Snapshot, field: str, *columns: str) -> pl.DataFrame:
    """Return `place` and `columns` of all steps of the field, session after session, each in order."""
    rows = snapshot.scan(JOURNEY_STEPS).filter(pl.col("field") == field).select("place", *columns).collect()
    before = pl.col("place").shift()
    in_order = rows.select(((pl.col("place") == before + 1) | (pl.col("place") == 0)).all()).item()
    if in_order:
        return rows
    # An engine that compacted the files may have changed the order of the rows.
    key = ("received_date", "session_id", "place")
    wanted = snapshot.scan(JOURNEY_STEPS).filter(pl.col("field") == field)
    return wanted.select({*key, *columns}).sort(key).collect().select("place", *columns)


def passing(snapshot: Snapshot, field: str, segments: Segments) -> pl.Series:
    """Return for each step of the field whether its event passes all `segments`."""

    def compute() -> pl.DataFrame:
        passes: np.ndarray | None = None
        for name, values in segments:
            known, places = _values(snapshot, field, name)
            of_value = known.select(_any_of(values)).to_series().fill_null(False).to_numpy()
            this = np.append(of_value, False)[places]  # NONE is the last
            passes = this if passes is None else passes & this
        return pl.DataFrame({"passes": passes})

    return snapshot.remember(("passing", field, segments), VALUE_SOURCES, compute)["passes"]


def values_of(snapshot: Snapshot, field: str, name: str) -> pl.Series:
    """Return for each step of the field the value that its event has in the field `name`: categorical, null if none."""

    def compute() -> pl.DataFrame:
        known, places = _values(snapshot, field, name)
        return pl.DataFrame({"value": compact(known["value"]).gather(pl.Series(places).replace(NONE, None))})

    return snapshot.remember(("values", field, name), VALUE_SOURCES, compute)["value"]


def numbers_of(snapshot: Snapshot, field: str, name: str) -> pl.Series:
    """Return for each step of the field the number that its event has in the field `name`: float64, null if none."""

    def compute() -> pl.DataFrame:
        known, places = _values(snapshot, field, name)
        return pl.DataFrame({"number": known["number"].gather(pl.Series(places).replace(NONE, None))})

    return snapshot.remember(("numbers", field, name), VALUE_SOURCES, compute)["number"]


def compact(texts: pl.Series) -> pl.Series:
    """Return `texts` as categories of two bytes each, if there are not too many for that."""
    return compact_together(texts)[0]


def compact_together(*columns: pl.Series) -> list[pl.Series]:
    """Return columns of texts as categories that they share, so that a value of one may be put into another."""
    with contextlib.suppress(pl.exceptions.ComputeError):  # there are too many
        return _categories(columns, pl.UInt16)
    return _categories(columns, pl.UInt32)


def _categories(columns: Sequence[pl.Series], physical: type[pl.UInt16 | pl.UInt32]) -> list[pl.Series]:
    shared = pl.Categorical(pl.Categories.random(physical=physical))
    return [each.cast(shared) for each in columns]


def _values(snapshot: Snapshot, field: str, name: str) -> tuple[pl.DataFrame, np.ndarray]:
    """Return `value` and `number` of the values in the field `name`, and for each step of `field` which one it has."""
    beside = snapshot.scan(STEP_VALUES).filter(pl.col("field") == field, pl.col("segment") == name).collect()
    found = _runs(snapshot, field).join(beside, on=["received_date", "order"], how="left", maintain_order="left")
    if not found["places"].null_count() and found["places"].list.len().equals(found["n"].cast(pl.UInt32)):
        return unpacked(found)
    sent = _event_values(snapshot, name)
    known = pl.DataFrame({"value": sent["value"].unique()}, schema={"value": pl.String}).with_row_index("row")
    events = sent.join(known, on="value").select("event_id", "row")
    ids = read_steps(snapshot, field, "event_id").select("event_id")
    found_at = ids.join(events, on="event_id", how="left", maintain_order="left")["row"]
    places = found_at.cast(pl.Int32).fill_null(NONE).to_numpy()
    return known.select("value", number=number_column(known["value"])), places


def _runs(snapshot: Snapshot, field: str) -> pl.DataFrame:
    """Return `received_date`, `n` and `order` of each run of steps of one day, in the order of the steps."""

    def compute() -> pl.DataFrame:
        steps = read_steps(snapshot, field, "received_date", "timestamp")
        runs = steps["received_date"].rle().struct.unnest()
        ends = runs["len"].cum_sum().to_list()
        of_run = [steps.slice(end - n, n) for end, n in zip(ends, runs["len"].to_list(), strict=True)]
        return pl.DataFrame(
            {"received_date": runs["value"], "n": runs["len"], "order": [order_of(each) for each in of_run]},
            schema={"received_date": pl.Date, "n": pl.Int64, "order": pl.Int64},
        )

    return snapshot.remember(("runs", field), (JOURNEY_STEPS,), compute)


def _event_values(snapshot: Snapshot, name: str) -> pl.DataFrame:
    """Return `event_id` and `value`, in its one spelling (`semantics.values`), of events that have one in the field."""

    def compute() -> pl.DataFrame:
        events = snapshot.scan(EVENTS).select("event_id", "metadata").collect()
        frames = [pl.DataFrame(schema={"event_id": pl.String, "value": pl.String})]
        # In pieces: as Python's objects the metadata of all events would take several times their memory.
        for chunk in events.iter_slices(CHUNK_EVENTS):
            values = canonical_column(field_values(chunk["metadata"].to_list(), [name])[name])
            frames.append(chunk.select("event_id", values.alias("value")).drop_nulls("value"))
        return pl.concat(frames)

    return snapshot.remember(("event_values", name), (EVENTS,), compute)


def _any_of(values: tuple[str, ...]) -> pl.Expr:
    """Return whether a row's `value` is one of `values`, or its `number` lies in one of the ranges among them."""
    found = pl.col("value").is_in([value for value in values if not RANGE.fullmatch(value)])
    for value in values:
        if RANGE.fullmatch(value):
            least, _, most = value.partition("..")
            inside = pl.col("number").is_not_null()
            inside = inside & (pl.col("number") >= float(least)) if least else inside
            found = found | (inside & (pl.col("number") < float(most)) if most else inside)
    return found
