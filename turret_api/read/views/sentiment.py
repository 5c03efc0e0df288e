"""How messages sound: that of their texts, as a column beside messages and beside the steps of journeys.

A text that was not looked at yet counts as neutral, so that the sentiments add up to all messages at any time.
"""

from __future__ import annotations

from typing import Literal

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.views.values import read_steps
from turret_pipeline.lake.tables import JOURNEY_STEPS, TEXT_SENTIMENT
from turret_pipeline.semantics.sentiment import NEGATIVE, NEUTRAL, POSITIVE, SENTIMENTS

SENTIMENT_SOURCES = (TEXT_SENTIMENT, JOURNEY_STEPS)

Sentiment = Literal["negative", "neutral", "positive"]

COUNTS = ("n_negative", "n_neutral", "n_positive")


def sentiments_of(snapshot: Snapshot, field: str) -> pl.Series:
    """Return for each step of the field how it sounds: int8, -1 negative, 0 neutral, 1 positive."""

    def compute() -> pl.DataFrame:
        worth = dict(zip(SENTIMENTS, (-1, 0, 1), strict=True))
        sounds = pl.col("sentiment").replace_strict(worth, return_dtype=pl.Int8)
        told = snapshot.scan(TEXT_SENTIMENT).select("text_id", sounds=sounds).filter(pl.col("sounds") != 0).collect()
        steps = read_steps(snapshot, field, "text_id").select("text_id")
        beside = steps.join(told, on="text_id", how="left", maintain_order="left")
        return beside.select(pl.col("sounds").fill_null(0))

    return snapshot.remember(("sentiments", field), SENTIMENT_SOURCES, compute)["sounds"]


def with_sentiment(snapshot: Snapshot, messages: pl.DataFrame) -> pl.DataFrame:
    """Return `messages` (with `text_id`) in their order with `sentiment`."""
    ids = pl.col("text_id").is_in(messages["text_id"].unique().implode())
    told = snapshot.scan(TEXT_SENTIMENT).filter(ids).select("text_id", "sentiment").collect()
    return messages.join(told, on="text_id", how="left", maintain_order="left").with_columns(
        pl.col("sentiment").fill_null(NEUTRAL)
    )


def that_sound(snapshot: Snapshot, messages: pl.LazyFrame, sentiment: str | None) -> pl.LazyFrame:
    """Return those of `messages` (with `text_id`) that sound so; None: all."""
    if sentiment is None:
        return messages
    told = snapshot.scan(TEXT_SENTIMENT)
    if sentiment == NEUTRAL:
        return messages.join(told.filter(pl.col("sentiment").is_in([NEGATIVE, POSITIVE])), on="text_id", how="anti")
    return messages.join(told.filter(pl.col("sentiment") == sentiment), on="text_id", how="semi")
