"""How texts sound, in many languages; what people ask plainly is neutral, whatever it is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from sklearn.metrics import f1_score

from turret_pipeline.analysis.kinds.classifier import Classifier
from turret_pipeline.analysis.sentiment.examples import learnt, phrases
from turret_pipeline.analysis.sentiment.texts import text_sentiment
from turret_pipeline.embedder.embed import Embedder
from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.lake.paths import Lake
from turret_pipeline.semantics.sentiment import SENTIMENTS

HELD = Path(__file__).parents[2] / "cases" / "sentiment.tsv"

CASES = {
    "This is the worst support that I have ever had": "negative",
    "I love how simple it is": "positive",
    "It is not good at all": "negative",
    "Not bad, I like it": "positive",
    "With all due respect, this is unacceptable": "negative",
    "How do I report a stolen card?": "neutral",
    "Please cancel my order": "neutral",
    "Book a table for two at seven": "neutral",
    "Where can I file a complaint about a driver?": "neutral",
    "Write a sad poem about autumn": "neutral",
}


@pytest.fixture(scope="module")
def embedder(keep_model: Callable[[Lake], None], tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    lake = Lake(str(tmp_path_factory.mktemp("model")))
    keep_model(lake)
    return open_lake_embedder(lake, None)


@pytest.fixture(scope="module")
def classifier(embedder: Embedder) -> Classifier:
    return learnt(embedder.embed)


def told(texts: list[str], embedder: Embedder, classifier: Classifier) -> pl.DataFrame:
    vectors = embedder.embed(texts)
    flat = pl.Series("vector", vectors.ravel()).reshape(vectors.shape).cast(pl.List(pl.Float32))
    frame = pl.DataFrame({"text_id": [str(row) for row in range(len(texts))], "text": texts, "vector": flat})
    return text_sentiment(frame, classifier)


@pytest.mark.slow
def test_what_is_said_of_something_is_told_from_what_is_asked_about_it(
    embedder: Embedder, classifier: Classifier
) -> None:
    assert dict(zip(CASES, told(list(CASES), embedder, classifier)["sentiment"], strict=True)) == CASES


@pytest.mark.slow
def test_phrases_that_are_no_examples_are_told_in_thirty_languages(embedder: Embedder, classifier: Classifier) -> None:
    rows = [line.split("\t") for line in HELD.read_text(encoding="utf-8").splitlines()]
    assert not {phrase for *_, phrase in rows} & set(phrases()["phrase"])
    found = told([phrase for *_, phrase in rows], embedder, classifier)
    gold = [sentiment for sentiment, *_ in rows]
    assert f1_score(gold, found["sentiment"].to_list(), average="macro") >= 0.7
    assert found.filter(found["sentiment"] == "negative")["score"].max() <= 0  # type: ignore[operator]
    assert found.filter(found["sentiment"] == "positive")["score"].min() > 0  # type: ignore[operator]


@pytest.mark.slow
def test_one_text_at_a_time_says_what_all_at_once_do(embedder: Embedder, classifier: Classifier) -> None:
    texts = list(CASES)
    alone = pl.concat([told([text], embedder, classifier) for text in texts])
    together = told(texts, embedder, classifier)
    assert alone["sentiment"].equals(together["sentiment"])
    assert (alone["score"] - together["score"]).abs().max() <= 0.01  # type: ignore[operator]


def test_the_examples_are_whole() -> None:
    rows = phrases()
    assert set(rows["sentiment"]) == set(SENTIMENTS)
    assert rows.null_count().row(0) == (0, 0, 0)
    assert rows.is_unique().all()
    by_language = Counter(rows["language"])
    assert len(by_language) >= 40 and by_language["en"] > 800
    # No phrase of a language sounds in two ways.
    assert rows.select("language", "phrase").is_unique().all()
