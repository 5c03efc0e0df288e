"""Messages with their kinds and topics: what the API and the export list, so that their numbers add up.

What a message is, and which topic it has, stands in the steps of journeys: a follow-up has the topic of the request
that it continues. The words come from `messages`.
"""

from __future__ import annotations

import polars as pl

from turret_api.errors import NotFoundError, invalid
from turret_api.read.engine.library import Snapshot
from turret_api.read.views.filters import Filters
from turret_api.read.views.gone import with_gone
from turret_api.read.views.topics import MOVE_NODES, edits_of, shown_topic, topics_of
from turret_api.read.views.values import VALUE_SOURCES
from turret_pipeline.lake.tables import (
    FIELD_TYPES,
    JOURNEY_STEPS,
    MESSAGES,
    REMOVALS,
    TOPIC_ASSIGNMENTS,
    TOPIC_EDITS,
    TOPICS,
)
from turret_pipeline.semantics.friction import is_of_answers
from turret_pipeline.semantics.kinds import REQUEST
from turret_pipeline.semantics.visits import ONLY_MOVES, UNASSIGNED, is_move

SOURCES = (MESSAGES, TOPIC_ASSIGNMENTS, TOPICS, TOPIC_EDITS, FIELD_TYPES, REMOVALS, *VALUE_SOURCES)
"""Tables that answers about messages, topics and journeys follow from."""

STEP = ("event_id", "session_id", "user_id", "name", "timestamp", "received_at", "seq", "message_date", "text_id")


def text_fields(snapshot: Snapshot) -> list[str]:
    """Return the fields that have messages in force: those of type text, the one with most events first.

    Fields that hold answers, by their names, come after all others: what users said is asked for first.
    """
    found = (
        snapshot.scan(FIELD_TYPES).filter(pl.col("type") == "text").sort("n_events", "field", descending=[True, False])
    )
    return sorted(found.select("field").collect()["field"], key=is_of_answers)


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


def messages_of(snapshot: Snapshot, field: str, filters: Filters, topic_id: str | None = None) -> pl.LazyFrame:
    """Return the field's messages that count: `STEP`, `kind`, `topic_id` (null: none) and `is_own`.

    topic_id: only those that have this topic, or are moves of this kind (`moves`: of any), or (`unassigned`) are no
    moves and have none; None: all. is_own: whether the topic is that of the text alone.
    """
    steps = snapshot.scan(JOURNEY_STEPS).filter(pl.col("field") == field)
    if topic_id in MOVE_NODES:
        steps = steps.filter(is_move() if topic_id == ONLY_MOVES else pl.col("kind") == topic_id)
    elif topic_id is not None or not filters.has_moves:
        steps = steps.filter(~is_move())
    is_own = (pl.col("topic_id") == pl.col("text_topic_id")).fill_null(False)
    topic, kind = shown_topic(snapshot, field), pl.col("kind").fill_null(REQUEST)
    messages = filters.apply(snapshot, field, steps).select(*STEP, kind, topic, is_own=is_own)
    wanted = edits_of(snapshot, field).merged.get(topic_id or "", topic_id)
    if wanted is None or wanted in MOVE_NODES:
        return messages
    return messages.filter(pl.col("topic_id").is_null() if wanted == UNASSIGNED else pl.col("topic_id") == wanted)


def with_texts(snapshot: Snapshot, field: str, messages: pl.DataFrame) -> pl.DataFrame:
    """Return `messages` in their order with `text`, `gone`, `topic_label` and `similarity`.

    gone: why the text is null (`views.gone`). similarity: that of the text and the topic's centroid; null where the
    topic is not that of the text alone.
    """
    # Conditions on columns are judged while the files are read, which joins are not.
    of_field, ids = pl.col("field") == field, pl.col("text_id").is_in(messages["text_id"].unique().implode())
    days = pl.col("received_date").is_in(messages["message_date"].unique().implode())
    said = snapshot.scan(MESSAGES).filter(of_field, days, ids).select("event_id", "text").collect()
    near = snapshot.scan(TOPIC_ASSIGNMENTS).filter(of_field, ids).select("text_id", "similarity").collect()
    labels = topics_of(snapshot, field).select("topic_id", topic_label="label")
    shown = pl.when(pl.col("is_own") & pl.col("topic_id").is_not_null()).then("similarity")
    return (
        with_gone(snapshot, field, messages)
        .join(said, on="event_id", maintain_order="left")
        .join(near, on="text_id", how="left", maintain_order="left")
        .join(labels, on="topic_id", how="left", maintain_order="left")
        .with_columns(shown.alias("similarity"))
    )
