"""`text_sentiment`: how each distinct text sounds, negative, neutral or positive.

Told by the model in use alone: once that is another, all rows are made anew, so that no two models judge side by side.
Topics and their counts by day follow from it; what topics are does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EMBEDDINGS, MESSAGES, TEXT_SENTIMENT
from turret_pipeline.semantics.sentiment import NEGATIVE, NEUTRAL, POSITIVE
from turret_pipeline.stages.check import Check, Finding, ReceiptDays, all_told, finding
from turret_pipeline.stages.containment import no_field_failed
from turret_pipeline.stages.messages import STAGE as MESSAGES_STAGE
from turret_pipeline.stages.sentiment_examples import sentiment_by
from turret_pipeline.stages.stage import Product, ProjectNow, Source, Stage, Task
from turret_pipeline.stages.told_texts import Tell, Telling, bring_told, columns_of
from turret_pipeline.stages.work import Outcome, Work

if TYPE_CHECKING:
    from turret_pipeline.analysis.kinds.classifier import Classifier

CHUNK_TEXTS = 50_000
"""Texts whose vectors are in memory at once."""


def bring(task: Task) -> Outcome:
    """After this call every text that has a vector has its row; only those without are looked at.

    Once the model is another one, or its vectors are made by another method or without other shared frames, all rows
    are made anew. A text that the analysis fails on counts as neutral.
    """
    unknown = {"sentiment": NEUTRAL, "score": 0.0}
    return bring_told(task, Telling(TEXT_SENTIMENT, "the sentiment", unknown, _learn, CHUNK_TEXTS, keeps_models=False))


def _learn(task: Task) -> Tell:
    work = task.work
    learnt = sentiment_by(work.lake, task.model, work.embedder or (lambda: open_lake_embedder(work.lake, work.model)))
    return lambda texts: told_sentiment(texts, learnt)


def told_sentiment(texts: pl.DataFrame, classifier: Classifier) -> pl.DataFrame:
    """Return what is told of `texts`, a row each, in their order."""
    # Here, not at the top: it loads scikit-learn, and a look for new work reads this module too.
    from turret_pipeline.analysis.sentiment.texts import text_sentiment

    return text_sentiment(texts, classifier).select(columns_of(TEXT_SENTIMENT).names())


def every_text_has_its_sentiment(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """Every text that has a vector of some model has its row."""
    return all_told(lake, project_id, EMBEDDINGS, TEXT_SENTIMENT)


def scores_fit(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """Scores lie between -1 and 1, those of negative texts not above 0, those of positive ones above it."""
    rows = store.scan(lake, TEXT_SENTIMENT, project_id).select("text_id", "sentiment", "score").sort("text_id")
    score = pl.col("score")
    sounds_right = (
        pl.when(pl.col("sentiment") == NEGATIVE)
        .then(score <= 0)
        .when(pl.col("sentiment") == POSITIVE)
        .then(score > 0)
        .otherwise(pl.col("sentiment") == NEUTRAL)
    )
    right = sounds_right & score.is_between(-1, 1)
    found = rows.collect()
    return finding(found, found.filter(~right.fill_null(False)))


def _how_many(work: Work, rows: pl.LazyFrame) -> dict[str, object]:
    return {"texts": rows.group_by("sentiment").agg(texts=pl.len()).sort("sentiment")}


def _model(now: ProjectNow, day: object) -> tuple[object, ...]:
    return (now.model,)


STAGE = Stage(
    makes=(
        Product(
            TEXT_SENTIMENT,
            "How each distinct text sounds by its words: negative, neutral or positive.",
            {"sentiment score": "embeddings.text embeddings.vector"},
            {
                "every_text_has_its_sentiment": Check(
                    "every text with a vector was looked at", every_text_has_its_sentiment
                ),
                "scores_fit": Check("scores say what the sentiments say", scores_fit),
                "no_field_failed": no_field_failed(TEXT_SENTIMENT),
            },
            _how_many,
        ),
    ),
    reads=(Source(EMBEDDINGS), Source(MESSAGES)),
    besides=_model,
    method=bring,
    group="topics",
    remembers=True,
    follows=(MESSAGES_STAGE,),
)
