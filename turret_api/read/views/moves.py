"""Rows of a list of topics that are none: kinds of moves of conversation with their most common texts, and `few`."""

from __future__ import annotations

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.views.topics import FEW, MOVE_NODES, NODES
from turret_pipeline.lake.tables import JOURNEY_STEPS, MESSAGES, STRINGS, TOPICS
from turret_pipeline.semantics.gone import IS_GONE
from turret_pipeline.semantics.visits import is_move

EXAMPLES = 5

COLUMNS = ("topic_id", "level", "parent_id", "label", "summary", "keywords", "examples", "n_texts", "x", "y")
"""Columns of `TOPICS` that lists of topics show; a move has no place on the map."""


def few_topic(level: int) -> pl.DataFrame:
    """Return the row (`COLUMNS`) of `few`."""
    row = {"topic_id": FEW, "level": level, "label": NODES[FEW], "keywords": [], "examples": [], "n_texts": 0}
    empty = TOPICS.empty().select(COLUMNS)
    return pl.DataFrame([{name: row.get(name) for name in COLUMNS}], schema=empty.schema)


def move_topics(snapshot: Snapshot, field: str) -> pl.DataFrame:
    """Return a row (`COLUMNS`) for each kind of move that the field's messages have, by the name of the kind."""

    def compute() -> pl.DataFrame:
        of_field = pl.col("field") == field
        moves = snapshot.scan(JOURNEY_STEPS).filter(of_field, is_move())
        counted = moves.group_by("kind", "text_id").agg(n=pl.len()).collect()
        left = counted.filter(~IS_GONE)
        most = left.sort("n", "text_id", descending=[True, False]).group_by("kind", maintain_order=True)
        shown = most.head(EXAMPLES)
        ids = pl.col("text_id").is_in(shown["text_id"].implode())
        words = snapshot.scan(MESSAGES).filter(of_field, ids).group_by("text_id").agg(pl.col("text").first()).collect()
        examples = shown.join(words, on="text_id", maintain_order="left").group_by("kind").agg(examples="text")
        found = counted.group_by("kind").agg(n_texts=pl.len().cast(pl.Int64)).join(examples, on="kind", how="left")
        found = found.with_columns(pl.col("examples").fill_null([]))
        named = found.with_columns(
            topic_id="kind",
            label=pl.col("kind").replace_strict(MOVE_NODES, return_dtype=pl.String),
            keywords=pl.lit([], dtype=STRINGS),
            level=0,
        )
        return (
            pl.concat([TOPICS.empty().select(COLUMNS), named], how="diagonal_relaxed").select(COLUMNS).sort("topic_id")
        )

    return snapshot.remember(("move_topics", field), (JOURNEY_STEPS, MESSAGES), compute)
