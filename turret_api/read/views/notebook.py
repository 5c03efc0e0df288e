"""What people wrote down, as it is now: the latest row of each annotation, note and saved view that is not taken away.

A note is on the topic that it was written on for as long as that topic is there. Of a topic that people merged into
another, it is on the other; of one that a refit merged or split, on the topic that most of its texts went to.
"""

from __future__ import annotations

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.views.topics import edits_of
from turret_pipeline.lake.tables import ANNOTATIONS, SAVED_VIEWS, TOPIC_EDITS, TOPIC_LINEAGE, TOPIC_NOTES, TOPICS

NOTE_SOURCES = (TOPIC_NOTES, TOPIC_EDITS, TOPIC_LINEAGE, TOPICS)
"""Tables that say which notes are on which topic."""


def annotations_of(snapshot: Snapshot) -> pl.DataFrame:
    """Return the annotations in force, in order of their days; rows of `ANNOTATIONS` with `written_at`."""
    return _in_force(snapshot.scan(ANNOTATIONS), "annotation_id", "text").sort("date", "written_at", "annotation_id")


def views_of(snapshot: Snapshot) -> pl.DataFrame:
    """Return the saved views in force, in order of their names; rows of `SAVED_VIEWS` with `written_at`."""
    return _in_force(snapshot.scan(SAVED_VIEWS), "view_id", "name").sort(pl.col("name").str.to_lowercase(), "view_id")


def notes_of(snapshot: Snapshot) -> pl.DataFrame:
    """Return the notes in force, the newest first: rows of `TOPIC_NOTES` with `written_at` and `on_topic`.

    on_topic: the topic that the note is on now; null where its topic ended and became nothing.
    """
    notes = _in_force(snapshot.scan(TOPIC_NOTES), "note_id", "text")
    places = {field: _places(snapshot, field) for field in notes["field"].unique().to_list()}
    on_topic = [places[field].get(topic) for field, topic in notes.select("field", "topic_id").iter_rows()]
    placed = notes.with_columns(on_topic=pl.Series(on_topic, dtype=pl.String))
    return placed.sort("written_at", "note_id", descending=[True, False])


def _in_force(rows: pl.LazyFrame, name: str, said: str) -> pl.DataFrame:
    """Return the newest row of each `name` with `written_at`, the time of its first; none where `said` is null."""
    ordered = rows.sort("decided_at").group_by(name, maintain_order=True)
    newest = ordered.agg(pl.all().last(), pl.col("decided_at").first().alias("written_at"))
    return newest.filter(pl.col(said).is_not_null()).collect()


def _places(snapshot: Snapshot, field: str) -> dict[str, str]:
    """Return for each topic that there is or was the topic that has its place now; those that became nothing lack."""
    of_field = pl.col("field") == field
    there = set(snapshot.scan(TOPICS).filter(of_field).select("topic_id").collect()["topic_id"])
    ways = (
        snapshot.scan(TOPIC_LINEAGE)
        .filter(of_field, pl.col("from_topic").is_not_null(), pl.col("from_topic") != pl.col("to_topic"))
        .sort("model_version", "share", "to_topic", descending=[True, True, False])
        .group_by("from_topic", maintain_order=True)
        .agg(pl.col("to_topic", "model_version").first())
        .collect()
    )
    became = {gone: (to, version) for gone, to, version in ways.iter_rows() if gone not in there}
    merged = edits_of(snapshot, field).merged
    found = {}
    for topic in there | set(became):
        place, at = topic, -1
        # Fits go forward only, so that no ring of ids can be followed for ever.
        while place in became and became[place][1] > at:
            place, at = became[place]
        if place in there:
            found[topic] = merged.get(place, place)
    return found
