"""Topics of texts as people write them, with vectors of the default model: odd texts make sensible topics."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from turret_pipeline.analysis.topics.fit import TopicFit, fit_topics
from turret_pipeline.embedder.embed import Embedder
from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.lake.paths import Lake

CITIES = ["Paris", "Rome", "Oslo", "Lima", "Cairo", "Delhi", "Tokyo", "Sydney", "Boston", "Vienna", "Madrid", "Dublin"]
DISHES = ["pizza", "soup", "pasta", "salad", "curry", "bread", "cake", "risotto", "stew", "pie", "noodles", "sushi"]
CODE = "\n".join(f"def step_{line}(rows):\n    return [row * {line} for row in rows if row]" for line in range(40))
SAID = {
    "same": [f"Where is my parcel number {7000 + n}?" for n in range(30)],
    "replies": [
        *("yes", "yes please", "yeah", "yes!", "ok", "okay", "ok then", "yep", "sure", "yes, go on", "continue"),
        *("please continue", "go on", "ok thanks"),
    ],
    "code": [f"Fix the bug in this Python function, run {n}:\n{CODE}" for n in range(16)],
    "german": [f"Wie wird das Wetter morgen in {city}?" for city in CITIES],
    "flights": [f"I want to fly to {city} next week" for city in CITIES],
    "recipes": [f"Give me a simple recipe for {dish}" for dish in DISHES],
    "emoji": [
        "\U0001f600",
        "\U0001f600\U0001f600",
        "\U0001f602",
        "\U0001f602\U0001f602",
        "\U0001f44d",
        "\U0001f44d\U0001f44d",
        "\U0001f600\U0001f44d",
        "\U0001f60d",
        "\U0001f60d\U0001f60d",
        "\U0001f44d\U0001f602",
    ],
}
FLOOD = 1_000_000


@pytest.fixture(scope="module")
def embedder(keep_model: Callable[[Lake], None], tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    lake = Lake(str(tmp_path_factory.mktemp("model")))
    keep_model(lake)
    return open_lake_embedder(lake, None)


def frame_of(said: dict[str, list[str]], embedder: Embedder) -> pl.DataFrame:
    """Return the texts as a fit takes them, with their `kind`."""
    rows = [
        (hashlib.blake2b(text.encode(), digest_size=16).hexdigest(), text, kind) for kind in said for text in said[kind]
    ]
    frame = pl.DataFrame(rows, schema=["text_id", "text", "kind"], orient="row")
    vectors = embedder.embed(frame["text"].to_list()).astype(np.float32)
    return frame.with_columns(
        pl.Series("vector", vectors.tolist(), dtype=pl.List(pl.Float32)), n_messages=pl.lit(1, dtype=pl.Int64)
    )


@pytest.fixture(scope="module")
def texts(embedder: Embedder) -> pl.DataFrame:
    frame = frame_of(SAID, embedder)
    flooded = pl.col("text") == SAID["flights"][0]
    return frame.with_columns(n_messages=pl.when(flooded).then(FLOOD).otherwise(1).cast(pl.Int64))


@pytest.fixture(scope="module")
def fit(texts: pl.DataFrame, embedder: Embedder) -> TopicFit:
    return fit_topics(texts, embed=embedder.embed)


def kinds(fit: TopicFit, texts: pl.DataFrame) -> pl.DataFrame:
    """Return topic_id, label, kind and n: the texts of each kind in each topic."""
    both = texts.join(fit.assignments.select("text_id", "topic_id"), on="text_id")
    both = both.join(fit.topics.select("topic_id", "label"), on="topic_id", how="left")
    return both.group_by("topic_id", "label", "kind").agg(n=pl.len()).sort("n", descending=True)


def test_each_kind_of_odd_text_has_a_topic_that_is_its_own(fit: TopicFit, texts: pl.DataFrame) -> None:
    found = kinds(fit, texts).drop_nulls("topic_id")
    for kind, said in SAID.items():
        most = found.filter(pl.col("kind") == kind).row(0, named=True)
        others = found.filter(pl.col("topic_id") == most["topic_id"], pl.col("kind") != kind)["n"].sum()
        assert most["n"] >= 0.7 * len(said), (kind, found)
        assert others <= 0.2 * most["n"], (kind, found)


def test_texts_that_differ_in_a_number_are_one_topic(fit: TopicFit, texts: pl.DataFrame) -> None:
    assert kinds(fit, texts).filter(pl.col("kind") == "same").height == 1


def test_labels_of_odd_texts_are_short_lines_in_their_own_words(fit: TopicFit, texts: pl.DataFrame) -> None:
    named = kinds(fit, texts).drop_nulls("topic_id").unique("kind", keep="first", maintain_order=True)
    labels = dict(named.select("kind", "label").iter_rows())
    assert "parcel" in labels["same"]
    assert "wetter" in labels["german"].lower()
    assert "recipe" in labels["recipes"]
    assert labels["emoji"] in SAID["emoji"]
    assert labels["replies"] in SAID["replies"]
    assert all(len(label) <= 60 and "\n" not in label for label in fit.topics["label"])


def test_a_text_that_floods_counts_as_one_text_and_as_all_its_messages(fit: TopicFit, texts: pl.DataFrame) -> None:
    flooded = texts.filter(pl.col("n_messages") == FLOOD)["text_id"][0]
    topic = fit.assignments.filter(pl.col("text_id") == flooded)["topic_id"][0]
    row = fit.topics.filter(pl.col("topic_id") == topic).row(0, named=True)
    assert FLOOD <= row["n_messages"] < FLOOD + texts.height
    assert row["n_texts"] <= len(CITIES) + 2


def test_twenty_messages_of_two_kinds_make_two_topics_or_fewer_and_nineteen_none(embedder: Embedder) -> None:
    twenty = frame_of({"flights": SAID["flights"][:10], "recipes": SAID["recipes"][:10]}, embedder)
    found = fit_topics(twenty, embed=embedder.embed)
    leaves = found.topics.filter(pl.col("level") == 0)
    assert 1 <= leaves.height <= 2
    assert found.assignments["topic_id"].null_count() <= 1
    assert fit_topics(twenty.head(19), embed=embedder.embed).topics.height == 0
