"""The map of a field's texts: a place for each, and its topic."""

from __future__ import annotations

from typing import Any

import polars as pl

from turret_api.read.filters import Filters
from turret_api.read.messages import SOURCES, messages_of, text_topics
from turret_api.read.snapshot import Snapshot
from turret_pipeline.lake.tables import TOPIC_ASSIGNMENTS

SHOWN_CHARACTERS = 120
COLUMNS = ("x", "y", "topic_id", "text", "size")


def topic_map(snapshot: Snapshot, field: str, filters: Filters, limit: int) -> dict[str, Any]:
    """Return the columns of the map, and of how many texts `n_texts` they are.

    Past `limit` texts those with the least ids are shown: ids are hashes, so this is an even sample, and the same one
    again while nothing changes.
    """
    shown = snapshot.remember(("map", field, filters, limit), SOURCES, lambda: _places(snapshot, field, filters, limit))
    n_texts = int(shown["n_texts"].max() or 0)  # type: ignore[arg-type]
    return {**{name: shown[name].to_list() for name in COLUMNS}, "n_texts": n_texts}


def _places(snapshot: Snapshot, field: str, filters: Filters, limit: int) -> pl.DataFrame:
    placed = (
        snapshot.scan(TOPIC_ASSIGNMENTS)
        .filter(pl.col("field") == field, pl.col("x").is_not_null())
        .select("text_id", *(pl.col(name).cast(pl.Float64).round(4) for name in ("x", "y")))
    )
    said = messages_of(snapshot, field, filters).select("text_id", "text")
    if filters:
        placed = placed.join(said.select("text_id").unique(), on="text_id", how="semi")
    found = placed.collect()
    sample = found.bottom_k(limit, by="text_id")
    texts = (
        # A condition on the column is judged while the files are read, which a join is not.
        said.filter(pl.col("text_id").is_in(sample["text_id"].implode()))
        .group_by("text_id")
        .agg(pl.col("text").first().str.slice(0, SHOWN_CHARACTERS), size=pl.len().cast(pl.Int64))
        .collect()
    )
    topics = text_topics(snapshot, field).select("text_id", "topic_id")
    shown = sample.join(texts, on="text_id").join(topics, on="text_id", how="left").sort("text_id")
    return shown.select(*COLUMNS, n_texts=pl.lit(found.height, dtype=pl.Int64))
