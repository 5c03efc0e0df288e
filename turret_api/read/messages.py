"""Messages with their topics: what topics, journeys and the export are counted from, so that their numbers add up."""

from __future__ import annotations

import datetime as dt
from typing import Any

import orjson
import polars as pl

from turret_api.errors import NotFoundError, invalid
from turret_api.read.edits import edits_of
from turret_api.read.filters import Filters
from turret_api.read.pages import decode, encode
from turret_api.read.snapshot import Snapshot
from turret_api.read.values import VALUE_SOURCES
from turret_pipeline.lake.tables import FIELD_TYPES, MESSAGES, TOPIC_ASSIGNMENTS, TOPIC_EDITS, TOPICS
from turret_pipeline.semantics.visits import UNASSIGNED

SOURCES = (MESSAGES, TOPIC_ASSIGNMENTS, TOPICS, TOPIC_EDITS, FIELD_TYPES, *VALUE_SOURCES)
"""Tables that answers about messages, topics and journeys follow from."""


COLUMNS = ("event_id", "session_id", "user_id", "name", "timestamp", "text", "topic_id", "similarity")


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


def topics_of(snapshot: Snapshot, field: str, level: int = 0) -> pl.DataFrame:
    """Return the rows of `TOPICS` of one field and level, without centroids, in order of the id.

    Names are those that people gave; a topic that is merged into another is left out.
    """

    def compute() -> pl.DataFrame:
        edits = edits_of(snapshot, field)
        return (
            snapshot.scan(TOPICS)
            .filter(pl.col("field") == field, pl.col("level") == level, ~pl.col("topic_id").is_in(list(edits.merged)))
            .drop("project_id", "field", "centroid")
            .with_columns(
                label=pl.col("topic_id").replace_strict(edits.labels, default=pl.col("label"), return_dtype=pl.String)
            )
            .sort("topic_id")
            .collect()
        )

    return snapshot.remember(("topics", field, level), (TOPICS, TOPIC_EDITS), compute)


def text_topics(snapshot: Snapshot, field: str, level: int = 0) -> pl.DataFrame:
    """Return `text_id`, `topic_id`, `similarity` of every text of the field that has a topic.

    level 1: the topic is the theme that it belongs to; a topic without a theme stays itself.
    """

    def compute() -> pl.DataFrame:
        topics = topics_of(snapshot, field).select("topic_id", "parent_id")
        merged = edits_of(snapshot, field).merged
        # An assignment to a topic that the topics of this moment lack (a build is under way) counts as none.
        found = (
            snapshot.scan(TOPIC_ASSIGNMENTS)
            .filter(pl.col("field") == field)
            .select("text_id", pl.col("topic_id").replace(merged), "similarity")
            .collect()
            .join(topics, on="topic_id", how="inner")
        )
        if level:
            found = found.with_columns(pl.coalesce("parent_id", "topic_id").alias("topic_id"))
        return found.drop("parent_id")

    return snapshot.remember(("text_topics", field, level), (TOPICS, TOPIC_EDITS, TOPIC_ASSIGNMENTS), compute)


def messages_of(snapshot: Snapshot, field: str, filters: Filters, level: int = 0) -> pl.LazyFrame:
    """Return the field's messages that pass `filters`, with `topic_id` and `similarity` (null: no topic)."""
    messages = snapshot.scan(MESSAGES).filter(pl.col("field") == field)
    topics = text_topics(snapshot, field, level).lazy()
    return filters.apply(snapshot, field, messages).join(topics, on="text_id", how="left")


def model_version(snapshot: Snapshot, field: str | None) -> int | None:
    """Return the number of the fit that the field's topics come from; None: none yet."""
    if field is None:
        return None
    found = topics_of(snapshot, field)["model_version"].max()
    return found if isinstance(found, int) else None


def of_topic(snapshot: Snapshot, field: str, messages: pl.LazyFrame, topic_id: str | None) -> pl.LazyFrame:
    """Return those of `messages` that have the topic, or (`unassigned`) none; all if no topic is asked for."""
    topic_id = edits_of(snapshot, field).merged.get(topic_id or "", topic_id)
    if topic_id == UNASSIGNED:
        return messages.filter(pl.col("topic_id").is_null())
    return messages if topic_id is None else messages.filter(pl.col("topic_id") == topic_id)


def page(
    snapshot: Snapshot, field: str, filters: Filters, topic_id: str | None, limit: int, cursor: str | None
) -> tuple[list[dict[str, Any]], str | None]:
    """Return up to `limit` messages, newest first, and the cursor of the next ones (None: there are no more)."""
    found = of_topic(snapshot, field, messages_of(snapshot, field, filters), topic_id)
    if cursor is not None:
        before, event_id = _read_cursor(cursor)
        at = pl.col("timestamp")
        found = found.filter((at < before) | ((at == before) & (pl.col("event_id") < event_id)))
    labels = topics_of(snapshot, field).select("topic_id", topic_label="label")
    rows = (
        found.top_k(limit + 1, by=["timestamp", "event_id"])
        .select(COLUMNS)
        .join(labels.lazy(), on="topic_id", how="left")
        .sort("timestamp", "event_id", descending=True)
        .collect()
    )
    data = rows.head(limit).to_dicts()
    return data, _cursor(data[-1]) if rows.height > limit else None


def _cursor(row: dict[str, Any]) -> str:
    place = orjson.dumps([row["timestamp"].isoformat(), row["event_id"]])
    return encode(place)


def _read_cursor(cursor: str) -> tuple[dt.datetime, str]:
    try:
        at, event_id = orjson.loads(decode(cursor))
        return dt.datetime.fromisoformat(at).astimezone(dt.UTC), str(event_id)
    except (ValueError, TypeError, OverflowError):
        raise invalid("The cursor is not one that this route gave; start again without it.", field="cursor") from None
