"""How each distinct text sounds is told once, by the model in use; what cannot be told does not stop the rest."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from turret_pipeline.analysis.kinds.classifier import Classifier
from turret_pipeline.embedder.embed import model_key
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EMBEDDINGS, FIELD_FAILURES, MESSAGES, TEXT_SENTIMENT
from turret_pipeline.stages import CHECKS, STAGE_OF, text_sentiment
from turret_pipeline.stages.embeddings import embedding_rows
from turret_pipeline.stages.work import Work

PROJECT = "shop"
MODEL = "stand-in:sentiment"
AT = dt.datetime(2026, 10, 1, 12, tzinfo=dt.UTC)


class Axes:
    """An embedding model that gives each text a direction by its length."""

    converted = None
    n_dims = 8
    key = MODEL

    def embed(self, texts: Sequence[str], on_progress: object = None) -> np.ndarray:
        return np.eye(self.n_dims, dtype=np.float32)[[len(text) % self.n_dims for text in texts]]


@pytest.fixture
def work(tmp_path: object) -> Work:
    lake = Lake(str(tmp_path))
    lake.make()
    return Work(lake, PROJECT, MODEL, embedder=Axes)  # type: ignore[arg-type]


def say(work: Work, *texts: str) -> None:
    rows = [
        {
            "project_id": PROJECT,
            "received_date": AT.date(),
            "field": "prompt",
            "event_id": f"of {text}",
            "session_id": "s",
            "user_id": "u",
            "name": "chat",
            "timestamp": AT,
            "received_at": AT,
            "seq": 1,
            "text_id": f"id of {text}",
            "text": text,
        }
        for text in texts
    ]
    messages = pl.DataFrame(rows, schema=MESSAGES.schema)
    ProjectTable(work.lake, MESSAGES, PROJECT).append(messages)
    vectors = Axes().embed(list(texts))
    embedded = embedding_rows(PROJECT, model_key(work.model), messages.select("text_id", "text"), vectors)
    ProjectTable(work.lake, EMBEDDINGS, PROJECT).append(embedded)


def bring(work: Work) -> int:
    return STAGE_OF["text_sentiment"].bring(work)[0].n_rows


def sounds(work: Work) -> dict[str, str]:
    rows = store.read(work.lake, TEXT_SENTIMENT, PROJECT)
    return dict(rows.select(pl.col("text_id").str.replace("id of ", ""), "sentiment").iter_rows())


@pytest.mark.slow
def test_texts_are_told_once_and_new_ones_alone(work: Work) -> None:
    say(work, "This is the worst app I have ever used", "How do I report a stolen card?")
    assert (bring(work), bring(work)) == (2, 0)
    told = sounds(work)
    assert told == {"This is the worst app I have ever used": "negative", "How do I report a stolen card?": "neutral"}
    say(work, "I love it, thank you so much")
    assert bring(work) == 1
    assert sounds(work) == told | {"I love it, thank you so much": "positive"}
    for check in ("every_text_has_its_sentiment", "scores_fit"):
        assert CHECKS["text_sentiment"][check].find(work.lake, PROJECT, None).n_wrong == 0


@pytest.mark.slow
def test_another_model_tells_all_texts_anew_and_its_rows_stand_alone(work: Work) -> None:
    say(work, "I love it", "Terrible")
    bring(work)
    other = dataclasses.replace(work, model="stand-in:another")
    say(other, "I love it")
    assert bring(other) == 1
    rows = store.read(work.lake, TEXT_SENTIMENT, PROJECT)
    assert rows["model"].to_list() == [model_key("stand-in:another")]
    assert bring(work) == 2


def test_vectors_of_another_method_have_all_told_anew(work: Work) -> None:
    say(work, "Thank you")
    bring(work)
    embeddings = ProjectTable(work.lake, EMBEDDINGS, PROJECT, method=9)
    embeddings.replace(embeddings.read(), inputs=1)
    assert bring(work) == 1


def test_a_text_that_cannot_be_told_is_neutral_and_is_tried_again(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = text_sentiment.told_sentiment

    def choke(texts: pl.DataFrame, classifier: Classifier) -> pl.DataFrame:
        if "I love it" in texts["text"].to_list():
            raise ValueError("no words")
        return sound(texts, classifier)

    say(work, "I love it", "Terrible service", "Good morning")
    with monkeypatch.context() as patch:
        patch.setattr(text_sentiment, "told_sentiment", choke)
        assert bring(work) == 3
        assert (sounds(work)["I love it"], sounds(work)["Terrible service"]) == ("neutral", "negative")
        failed = store.read(work.lake, FIELD_FAILURES, PROJECT)
        assert failed["reason"].to_list() == ["of 1 of its texts the sentiment could not be told: ValueError: no words"]
        assert bring(work) == 0
    say(work, "Wonderful")
    assert bring(work) == 4
    assert sounds(work)["I love it"] == "positive"
    assert store.read(work.lake, FIELD_FAILURES, PROJECT).is_empty()
