"""Each distinct text is told once for each model, and what cannot be told does not stop the rest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from turret_pipeline.embedder.embed import model_key
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EMBEDDINGS, FIELD_FAILURES, MESSAGES, TEXT_KINDS
from turret_pipeline.stages import CHECKS, STAGE_OF, text_kinds
from turret_pipeline.stages.embeddings import embedding_rows
from turret_pipeline.stages.work import Work

PROJECT = "shop"
MODEL = "stand-in:kinds"
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
    embedded = embedding_rows(PROJECT, model_key(MODEL), messages.select("text_id", "text"), vectors)
    ProjectTable(work.lake, EMBEDDINGS, PROJECT).append(embedded)


def bring(work: Work) -> int:
    return STAGE_OF["text_kinds"].bring(work)[0].n_rows


def moves(work: Work) -> dict[str, str | None]:
    return dict(store.read(work.lake, TEXT_KINDS, PROJECT).select("text_id", "move").iter_rows())


@pytest.mark.slow
def test_texts_are_told_once_and_new_ones_alone(work: Work) -> None:
    say(work, "Thank you", "Where is the parcel that I ordered for my mother last week?")
    assert (bring(work), bring(work)) == (2, 0)
    told = moves(work)
    assert told["id of Thank you"] == "thanks"
    assert told["id of Where is the parcel that I ordered for my mother last week?"] is None
    say(work, "Hello")
    assert bring(work) == 1
    assert moves(work) == told | {"id of Hello": "greeting"}
    assert CHECKS["text_kinds"]["every_text_has_its_kind"].find(work.lake, PROJECT, None).n_wrong == 0


def test_vectors_of_another_method_have_all_told_anew(work: Work) -> None:
    say(work, "Thank you")
    bring(work)
    embeddings = ProjectTable(work.lake, EMBEDDINGS, PROJECT, method=9)
    embeddings.replace(embeddings.read(), inputs=1)
    assert bring(work) == 1


def test_a_text_that_cannot_be_told_counts_as_a_request_and_is_tried_again(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = text_kinds.told_kinds

    def choke(texts: pl.DataFrame, examples: object) -> pl.DataFrame:
        if "Thank you" in texts["text"].to_list():
            raise ValueError("no words")
        return sound(texts, examples)  # type: ignore[arg-type]

    say(work, "Thank you", "Hello", "Good morning")
    with monkeypatch.context() as patch:
        patch.setattr(text_kinds, "told_kinds", choke)
        assert bring(work) == 3
        assert moves(work)["id of Thank you"] is None
        assert moves(work)["id of Hello"] == "greeting"
        failed = store.read(work.lake, FIELD_FAILURES, PROJECT)
        assert failed["reason"].to_list() == ["of 1 of its texts the kind could not be told: ValueError: no words"]
        assert bring(work) == 0
    say(work, "Thanks")
    assert bring(work) == 4
    assert moves(work)["id of Thank you"] == "thanks"
    assert store.read(work.lake, FIELD_FAILURES, PROJECT).is_empty()
