"""What a fit makes of texts that are gone (`semantics.gone`): they have no vector, and keep the topics that they had.

A text stays in its topic. Where that was merged into another at the fit it goes along; where it ended, because no text
that is left is of it, the topic stays for those that are gone, without examples. So topics, and what was counted of
them, outlive the texts.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from turret_pipeline.analysis.topics.lineage import lineage
from turret_pipeline.lake.schema import STRINGS, VECTOR
from turret_pipeline.semantics.definitions import one_label
from turret_pipeline.semantics.gone import IS_GONE

OUT_OF_REACH = 2.0
"""Radius of a topic that no new text is assigned to: its centroid is of another model's vectors."""

_NO_LABEL = "earlier messages"


@dataclass(frozen=True)
class Gone:
    """The texts of one field that are gone. texts: as of `Field.texts`; known: their rows (`ASSIGNED`)."""

    texts: pl.DataFrame
    known: pl.DataFrame


def parted(texts: pl.DataFrame, known: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, Gone]:
    """Return the texts and the assignments that are left, and those that are gone."""
    is_said = pl.col("text_id").is_in(texts["text_id"].implode())
    gone = Gone(texts.filter(IS_GONE), known.filter(IS_GONE, is_said))
    return texts.filter(~IS_GONE), known.filter(~IS_GONE), gone


def carried(
    gone: Gone, before: pl.DataFrame, after: pl.DataFrame, topics: pl.DataFrame, old: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows (`ASSIGNED`) of the texts that are gone after a fit, and the topics that stay for them.

    before, after: assignments of the texts that are left. topics: of the fit; old: those before it.
    """
    ways = lineage(before, after).filter(pl.col("kind") == "merge")
    into = ways.sort("share", "to_topic").unique("from_topic", keep="last").select("from_topic", "to_topic")
    rows = gone.known.join(into, left_on="topic_id", right_on="from_topic", how="left", maintain_order="left")
    is_there = pl.col("topic_id").is_in(topics["topic_id"].implode())
    rows = rows.with_columns(topic_id=pl.when(is_there).then("topic_id").otherwise(pl.coalesce("to_topic", "topic_id")))
    ended = rows.filter(pl.col("topic_id").is_not_null(), ~is_there).select(pl.col("topic_id").unique())
    stays = old.filter(pl.col("level") == 0).join(ended, on="topic_id", how="semi").sort("topic_id")
    there = pl.col("topic_id").is_in(pl.concat([topics["topic_id"], stays["topic_id"]]).implode())
    rows = rows.with_columns(topic_id=pl.when(there).then("topic_id"))
    return rows.select(gone.known.columns), _without_texts(stays, topics)


def _without_texts(stays: pl.DataFrame, topics: pl.DataFrame) -> pl.DataFrame:
    """Return the topics as rows that may stand beside `topics`."""
    taken, labels = set(topics["label"]), []
    for label in stays["label"].fill_null(_NO_LABEL):
        labels.append(one_label(label, taken))
        taken.add(labels[-1])
    has_theme = pl.col("parent_id").is_in(topics["topic_id"].implode())
    found = stays.with_columns(
        label=pl.Series(labels, dtype=pl.String),
        parent_id=pl.when(has_theme).then("parent_id"),
        examples=pl.lit([], dtype=STRINGS),
        x=pl.col("x").fill_nan(0.0),
        y=pl.col("y").fill_nan(0.0),
    )
    n_dims = topics["centroid"].list.len().max()
    if n_dims is not None and (found["centroid"].list.len() != n_dims).any():
        nowhere = pl.Series([[1.0] + [0.0] * (int(str(n_dims)) - 1)], dtype=VECTOR)
        found = found.with_columns(centroid=nowhere.new_from_index(0, found.height), radius=pl.lit(OUT_OF_REACH))
    return found.select(topics.columns)


def redefined(gone: pl.DataFrame, topics: pl.DataFrame) -> pl.DataFrame:
    """Return the rows (`ASSIGNED`) of texts that are gone, back in the found topics where a defined one is no more.

    Without a topic where that is none of `topics` either.
    """
    is_there, is_found = (pl.col(name).is_in(topics["topic_id"].implode()) for name in ("topic_id", "found_topic_id"))
    return gone.with_columns(
        topic_id=pl.when(is_there).then("topic_id").when(is_found).then("found_topic_id"),
        found_topic_id=pl.when(is_there).then("found_topic_id"),
    )
