"""A theme that comes up after a fit becomes a topic, though old ones took its texts in; more of the same does not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import polars as pl
import pytest

from tests.small_lake import FRAMES, PROJECT, THEMES, bring, event, put
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import MESSAGES, TOPIC_ASSIGNMENTS, TOPIC_FITS, TOPIC_LINEAGE, TOPICS
from turret_pipeline.stages.work import Work

LATER = dt.date(2026, 10, 5)
INVOICES = [
    "an invoice copy",
    "the invoice for taxes",
    "a printed invoice",
    "the company invoice",
    "a corrected invoice",
]


def messages_about(words: list[str], count: int, start: int) -> list[dict[str, object]]:
    return [
        event(start + n, LATER, FRAMES[n % 4].format(words[n % 5], start + n) + (" today" if n % 3 else ""))
        for n in range(count)
    ]


def assignments(lake: Lake) -> pl.DataFrame:
    texts = store.read(lake, MESSAGES, PROJECT).select("text_id", "text").unique("text_id")
    return store.read(lake, TOPIC_ASSIGNMENTS, PROJECT).join(texts, on="text_id")


@pytest.mark.slow
def test_a_theme_whose_texts_old_topics_take_in_is_drift_and_is_born(
    lake_before: Callable[[str], Lake],
) -> None:
    lake = lake_before("end")
    about_invoices = pl.any_horizontal(pl.col("text").str.contains(words, literal=True) for words in INVOICES)
    first = assignments(lake)
    topics = Work(lake, PROJECT).open(TOPICS)
    topics.replace(topics.scan().collect().with_columns(radius=pl.lit(-1.0)))  # so wide that they take in anything
    put(lake, LATER, "invoices", messages_about(INVOICES, 36, 1000))
    bring(lake)
    fits = store.read(lake, TOPIC_FITS, PROJECT).sort("model_version")
    assert "less like their topics" in fits["reason"][-1]
    last = assignments(lake)
    born = last.filter(about_invoices)["topic_id"].drop_nulls().unique().to_list()
    assert len(born) >= 1
    assert not set(born) & set(first["topic_id"])
    both = first.join(last, on="text_id")
    assert (both["topic_id"].fill_null("") != both["topic_id_right"].fill_null("")).mean() <= 0.02
    lineage = store.read(lake, TOPIC_LINEAGE, PROJECT).filter(pl.col("model_version") == 2)
    assert set(lineage.filter(pl.col("kind") == "birth")["to_topic"]) == set(born)
    assert set(lineage.filter(pl.col("kind") == "carry")["to_topic"]) == set(first["topic_id"].drop_nulls())


@pytest.mark.slow
def test_more_texts_of_the_same_kinds_are_no_drift(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    topics = Work(lake, PROJECT).open(TOPICS)
    topics.replace(topics.scan().collect().with_columns(radius=pl.lit(-1.0)))
    for number, words in enumerate(THEMES.values()):
        put(lake, LATER, f"more{number}", messages_about(words, 12, 2000 + 100 * number))
    outcomes = bring(lake)
    assert outcomes["topics"].facts.get("why prompt was fitted") is None
    assert outcomes["topic_assignments"].n_rows == 48
