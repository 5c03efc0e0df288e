"""Outcomes as the API holds them: which fields are marked, and how each session went by one of them.

An outcome belongs to a whole session, whatever filters say: they choose the messages that are looked at. What counts
are the values of all the session's events, of those without a message too (a rating is often sent by itself): of
numbers their mean, of an enum the last one, by the time at which it happened. Sessions without a value have none.
"""

from __future__ import annotations

import re
from typing import Annotated

import orjson
import polars as pl
from typing_extensions import TypedDict

from turret_api.errors import NotFoundError, invalid
from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.question import Meaning
from turret_api.read.views.all_steps import sessions_of
from turret_api.read.views.filters import ALL_KINDS
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.overrides import overrides_of
from turret_api.read.views.steps import field_steps
from turret_api.read.views.values import read_steps
from turret_pipeline.lake.tables import EVENTS, FIELD_OUTCOMES, FIELD_OVERRIDES, FIELD_TYPES
from turret_pipeline.semantics.outcomes import Better, Outcome, misfit, outcomes
from turret_pipeline.semantics.values import canonical_column, field_values, number_column
from turret_pipeline.semantics.visits import ORDER

OUTCOME_SOURCES = (*SOURCES, FIELD_OUTCOMES, FIELD_OVERRIDES)
"""Tables that the outcomes of sessions follow from."""

_PLAIN = re.compile(r"[\w .:-]+", re.ASCII)


class OutcomeOfField(TypedDict):
    """How a field tells how well a session went."""

    better: Annotated[Better | None, Meaning("of numbers: which is better; null: it has good values")]
    good: Annotated[list[str] | None, Meaning("values that are good, all others are bad; null: it is a number")]
    problem: Annotated[
        str | None, Meaning("why it cannot be told any more: its type changed since it was marked; null: it can")
    ]


class MarkedOutcome(OutcomeOfField):
    """A field that is marked as an outcome."""

    field: str


def marked_outcomes(snapshot: Snapshot) -> dict[str, Outcome]:
    """Return the outcomes in force by field, in order of the field."""
    return outcomes(
        snapshot.remember("field_outcomes", (FIELD_OUTCOMES,), lambda: snapshot.scan(FIELD_OUTCOMES).collect())
    )


def described(outcome: Outcome, type_in_force: str, summary: str) -> OutcomeOfField:
    """Return what is shown of an outcome. type_in_force, summary: of its field, as in `FIELD_TYPES`."""
    values = orjson.loads(summary).get("values")
    known = None if values is None else [each["value"] for each in values]
    good = None if outcome.good is None else list(outcome.good)
    return {"better": outcome.better, "good": good, "problem": misfit(outcome, type_in_force, known)}


def told_outcomes(snapshot: Snapshot) -> dict[str, MarkedOutcome]:
    """Return what is shown of each outcome of a field that the project has, in order of the field."""
    chosen = overrides_of(snapshot)
    rows = snapshot.scan(FIELD_TYPES).select("field", "detected_type", "summary").collect().iter_rows()
    types = {field: (chosen.get(field) or detected, summary) for field, detected, summary in rows}
    return {
        field: {"field": field, **described(outcome, *types[field])}
        for field, outcome in marked_outcomes(snapshot).items()
        if field in types
    }


def choose_outcome(snapshot: Snapshot, field: str | None) -> MarkedOutcome | None:
    """Return the outcome `field`, or the first that can be told if none was asked for (None: none is marked).

    Raise `NotFoundError` if there is no such field, and an `ApiError` if it is not marked.
    """
    told = told_outcomes(snapshot)
    if field is None:
        return min(told.values(), key=lambda each: (each["problem"] is not None, each["field"]), default=None)
    if field in told:
        return told[field]
    if snapshot.scan(FIELD_TYPES).filter(pl.col("field") == field).select("field").collect().is_empty():
        raise NotFoundError(f"There is no field {field!r}; GET /v1/fields lists them.", field="outcome")
    words = f"The field {field!r} is not marked as an outcome; PATCH /v1/fields/{field} with `outcome` marks it."
    raise invalid(words, field="outcome")


def outcome_in_force(snapshot: Snapshot, field: str) -> Outcome:
    """Return the outcome `field`; raise as `choose_outcome` does, or if it cannot be told."""
    chosen = choose_outcome(snapshot, field)
    if chosen is not None and chosen["problem"] is not None:
        raise invalid(chosen["problem"], field="outcome")
    return marked_outcomes(snapshot)[field]


def session_outcomes(snapshot: Snapshot, field: str, outcome: Outcome) -> pl.DataFrame:
    """Return how each session of the text field `field` went, of those that have a value: `session`, `at`, `value`.

    session: its number, see `sessions_of`; at: when its last event with a value happened; value: float64, of numbers
    their mean, of an enum 1 if the last one is good, else 0.
    """

    def compute() -> pl.DataFrame:
        name = outcome.field
        column = "number" if outcome.is_number else "value"
        number, value = (name, None) if outcome.is_number else (None, name)
        steps = field_steps(snapshot, field, ALL_KINDS, 0, number=number, value=value)
        rows = steps.select("session", "timestamp", value=column).drop_nulls("value")
        others = pl.DataFrame() if _all_have_messages(snapshot, name, rows.height) else _others(snapshot, field, name)
        if not others.is_empty():
            alone = others.select("session", "timestamp", value=column).drop_nulls("value")
            rows = rows.with_columns(pl.col("value").cast(alone["value"].dtype))
            # Stable: of the same moment, what has no message counts as the later.
            rows = pl.concat([rows, alone]).sort("session", "timestamp", maintain_order=True)
        found = rows.group_by("session").agg(
            at=pl.col("timestamp").max(),
            value=pl.col("value").mean() if outcome.is_number else pl.col("value").last(),
        )
        if not outcome.is_number:
            is_good = pl.col("value").cast(pl.String).is_in(list(outcome.good or ()))
            found = found.with_columns(value=is_good.cast(pl.Float64))
        return found.sort("session")

    return snapshot.remember(("session_outcomes", field, outcome), OUTCOME_SOURCES, compute)


def _all_have_messages(snapshot: Snapshot, name: str, n_values: int) -> bool:
    """Return whether the `n_values` values beside messages are all that events have in the field `name`."""
    there = snapshot.scan(FIELD_TYPES).filter(pl.col("field") == name)
    found = there.select(pl.col("n_events") - pl.col("n_null")).collect()
    return not found.is_empty() and found.item() == n_values


def _others(snapshot: Snapshot, field: str, name: str) -> pl.DataFrame:
    """Return `session`, `timestamp`, `value` and `number` of the events that have `name` and no message of `field`.

    They are in order, and of sessions that have messages.
    """
    events = snapshot.scan(EVENTS)
    if _PLAIN.fullmatch(name):  # such a key stands in JSON as it is, so most events need not be taken apart
        events = events.filter(pl.col("metadata").str.contains(f'"{name}"', literal=True))
    steps = read_steps(snapshot, field, "event_id").lazy()
    session = sessions_of(snapshot, field).select("session_id").with_row_index("session").lazy()
    found = (
        events.select("session_id", "metadata", *ORDER)
        .join(steps, on="event_id", how="anti")
        .join(session, on="session_id")
        .sort(ORDER)
        .collect()
    )
    value = canonical_column(field_values(found["metadata"], [name])[name])
    return found.select("session", "timestamp", value=value, number=number_column(value))
