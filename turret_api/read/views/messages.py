"""Messages with their topics: what topics, journeys and the export are counted from, so that their numbers add up."""

from __future__ import annotations

import polars as pl

from turret_api.errors import NotFoundError, invalid
from turret_api.read.engine.library import Snapshot
from turret_api.read.views.filters import Filters
from turret_api.read.views.topics import edits_of, text_topics
from turret_api.read.views.values import VALUE_SOURCES
from turret_pipeline.lake.tables import FIELD_TYPES, MESSAGES, TOPIC_ASSIGNMENTS, TOPIC_EDITS, TOPICS
from turret_pipeline.semantics.visits import UNASSIGNED

SOURCES = (MESSAGES, TOPIC_ASSIGNMENTS, TOPICS, TOPIC_EDITS, FIELD_TYPES, *VALUE_SOURCES)
"""Tables that answers about messages, topics and journeys follow from."""


def text_fields(snapshot: Snapshot) -> list[str]:
    """Return the fields that have messages in force: those of type text, the one with most events first."""
    found = (
        snapshot.scan(FIELD_TYPES).filter(pl.col("type") == "text").sort("n_events", "field", descending=[True, False])
    )
    return found.select("field").collect()["field"].to_list()


def choose_field(snapshot: Snapshot, field: str | None) -> str | None:
    """Return `field`, or the text field with most events if none was asked for (None: nothing is built yet).

    Raise an `ApiError` if the project has the field, but not as text, and `NotFoundError` if it has no such field.
    """
    if field is None:
        return next(iter(text_fields(snapshot)), None)
    types = dict(snapshot.scan(FIELD_TYPES).select("field", "type").collect().iter_rows())
    if not types or types.get(field) == "text":
        return field
    if field in types:
        raise invalid(f"The field {field!r} is of type {types[field]}; only text fields have topics.", field="field")
    raise NotFoundError(f"There is no field {field!r}; GET /v1/fields lists them.", field="field")


def messages_of(snapshot: Snapshot, field: str, filters: Filters, level: int = 0) -> pl.LazyFrame:
    """Return the field's messages that pass `filters`, with `topic_id` and `similarity` (null: no topic)."""
    messages = snapshot.scan(MESSAGES).filter(pl.col("field") == field)
    topics = text_topics(snapshot, field, level).lazy()
    return filters.apply(snapshot, field, messages).join(topics, on="text_id", how="left")


def of_topic(snapshot: Snapshot, field: str, messages: pl.LazyFrame, topic_id: str | None) -> pl.LazyFrame:
    """Return those of `messages` that have the topic, or (`unassigned`) none; all if no topic is asked for."""
    topic_id = edits_of(snapshot, field).merged.get(topic_id or "", topic_id)
    if topic_id == UNASSIGNED:
        return messages.filter(pl.col("topic_id").is_null())
    return messages if topic_id is None else messages.filter(pl.col("topic_id") == topic_id)
