"""What each stage's rows follow from, as a fingerprint: if the table has that mark, there is nothing to do.

Light on purpose: nothing here, and so nothing in `pending`, loads a model.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection

import polars as pl

from turret_pipeline.lake.commits import fingerprint
from turret_pipeline.lake.parts import Part

TEXT_FIELDS = "text fields"
"""Name of the mark in `field_types` that stands for the set of fields that are text."""

SEGMENT_FIELDS = "segment fields"
"""Likewise for the set of fields that are enum or number."""


def parts_by_day(parts: Collection[Part]) -> dict[dt.date, list[Part]]:
    """Return the parts of one project by their day of receipt, in order."""
    found: defaultdict[dt.date, list[Part]] = defaultdict(list)
    for part in sorted(parts):
        found[part.received_date].append(part)
    return dict(found)


def parts_state(parts: Collection[Part]) -> int:
    """Return the fingerprint of one day's parts: they are immutable, so their names say what they hold."""
    return fingerprint(sorted(part.name for part in parts))


def all_parts_state(parts: dict[dt.date, list[Part]]) -> int:
    """Return the fingerprint of all parts of a project."""
    return fingerprint([(day.isoformat(), parts_state(parts[day])) for day in sorted(parts)])


def profiles_inputs(events_state: int | None) -> int:
    """Return the fingerprint of what a project's profiles follow from."""
    return fingerprint(events_state)


def field_types_inputs(profiles_state: int | None, overrides: pl.DataFrame) -> int:
    """Return the fingerprint of what the types follow from; `overrides` are the project's rows of the table."""
    decided = overrides.sort("decided_at", "field").select("field", pl.col("decided_at").dt.epoch("us"), "type")
    return fingerprint(profiles_state, decided.rows())


def messages_inputs(events_state: int | None, chosen: int | None) -> int:
    """Return the fingerprint of what a project's messages follow from; `chosen` is the mark `TEXT_FIELDS`."""
    return fingerprint(events_state, chosen)


def embeddings_inputs(messages_state: int | None, model: str) -> int:
    """Return the fingerprint of what a project's vectors follow from."""
    return fingerprint(messages_state, model)


def topics_inputs(
    messages_state: int | None, embeddings_state: int | None, chosen: int | None, clusters: str = "graph"
) -> int:
    """Return the fingerprint of what topics and assignments follow from.

    chosen: the mark `TEXT_FIELDS`. clusters: how topics are found; the default counts as nothing.
    """
    another = [] if clusters == "graph" else [clusters]
    return fingerprint(messages_state, embeddings_state, chosen, *another)


def steps_inputs(messages_state: int | None, assignments_state: int | None, chosen: int | None) -> int:
    """Return the fingerprint of what a project's steps follow from; `chosen` is the mark `TEXT_FIELDS`."""
    return fingerprint(messages_state, assignments_state, chosen)


def step_values_inputs(steps_state: int | None, chosen: int | None) -> int:
    """Return the fingerprint of what the values (of a day, of a project) follow from.

    chosen: the mark `SEGMENT_FIELDS`.
    """
    return fingerprint("step_values", steps_state, chosen)


def topic_days_inputs(messages_state: int | None, assignments_state: int | None, chosen: int | None) -> int:
    """Return the fingerprint of what a project's counts by day follow from; `chosen` is the mark `TEXT_FIELDS`."""
    return fingerprint("topic_days", messages_state, assignments_state, chosen)


def moves_inputs(steps_state: int | None) -> int:
    """Return the fingerprint of what the moves (of a day, of a project) follow from."""
    return fingerprint(steps_state)


def edges_inputs(moves_state: int | None) -> int:
    """Return the fingerprint of what a project's edges follow from."""
    return fingerprint(moves_state)
