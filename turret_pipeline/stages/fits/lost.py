"""What a field lost as events were taken back or erased, and what of its topics says nothing of that."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from turret_pipeline.lake.schema import STRINGS

FEW = 0.1
"""Share of a field's texts up to which their loss leaves its topics as they are."""


@dataclass(frozen=True)
class Lost:
    """What a field lost. n_texts: distinct texts; n_before: those it had; topic_ids: the topics of the lost ones."""

    n_texts: int
    n_before: int
    topic_ids: frozenset[str]

    @property
    def is_few(self) -> bool:
        """Whether the topics of what is left are those that there were."""
        return self.n_texts <= FEW * self.n_before


def untouched(topics: pl.DataFrame, lost: Lost | None, texts: pl.DataFrame, known: pl.DataFrame) -> set[str]:
    """Return the topics, and themes over such alone, whose labels say nothing of what was lost.

    A topic may have had a lost text before an earlier fit. So each word of its label has to stand in one of its texts.

    topics: rows of `TOPICS` before the fit. texts: `text_id` and `text` of what is left; known: their topics.
    """
    if lost is None or not lost.is_few:
        return set()
    leaves = topics.filter(pl.col("level") == 0, ~pl.col("topic_id").is_in(list(lost.topic_ids)))
    told = texts.select("text_id", pl.col("text").str.to_lowercase()).join(known, on="text_id")
    texts_of = told.group_by("topic_id").agg("text").rows_by_key("topic_id", unique=True)
    found = {
        topic_id
        for topic_id, label in leaves.select("topic_id", "label").iter_rows()
        if all(any(word in text for text in texts_of.get(topic_id, [[]])[0]) for word in label.lower().split())
    }
    below = topics.filter(pl.col("level") == 0).group_by("parent_id").agg("topic_id").drop_nulls("parent_id")
    return found | {theme for theme, topic_ids in below.iter_rows() if found.issuperset(topic_ids)}


def without_words(topics: pl.DataFrame, held: Collection[str]) -> pl.DataFrame:
    """Return `topics` without what a next fit would take over from them but their ids: words, and places on the map.

    held: those of people's choice, and those that lost nothing, which keep their labels and places.
    """
    stays = pl.col("topic_id").is_in(list(held))
    nowhere = pl.lit(float("nan"))
    return topics.with_columns(
        label=pl.when(stays).then("label"),
        x=pl.when(stays).then("x").otherwise(nowhere),
        y=pl.when(stays).then("y").otherwise(nowhere),
        summary=pl.lit(None, dtype=pl.String),
        keywords=pl.lit([], dtype=STRINGS),
        examples=pl.lit([], dtype=STRINGS),
    )
