"""The sentiment of each distinct text, by its vector, its words and its letters.

A text sounds negative or positive only where the classifier puts that well before neutral; see
`benchmarks/sentiment.md` for how well this goes.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from turret_pipeline.analysis.kinds.classifier import Classifier
from turret_pipeline.analysis.sentiment.features import features
from turret_pipeline.semantics.sentiment import NEGATIVE, NEUTRAL, POSITIVE, SENTIMENTS

TEXT_SENTIMENT = pl.Schema({"text_id": pl.String(), "sentiment": pl.String(), "score": pl.Float32()})
"""Columns of `text_sentiment`: `score` (-1 to 1) is how far positive leads negative."""

LEAD = 0.05
"""How far negative or positive must lead neutral: such that few of people's plain requests sound otherwise."""

DIGITS = 3
"""Of `score`: its last bits depend on the texts that were told with it."""

CHUNK_TEXTS = 8192


def text_sentiment(texts: pl.DataFrame, classifier: Classifier) -> pl.DataFrame:
    """Return the sentiment of each text (`TEXT_SENTIMENT`), a row a text, in the order of `texts`.

    texts: `text_id`, `text` and `vector` (of unit length, by the model that the classifier was learnt by).
    """
    frames = [TEXT_SENTIMENT.to_frame(eager=True)]
    frames += [_of_chunk(texts.slice(start, CHUNK_TEXTS), classifier) for start in range(0, texts.height, CHUNK_TEXTS)]
    return pl.concat(frames)


def _of_chunk(texts: pl.DataFrame, classifier: Classifier) -> pl.DataFrame:
    vectors = texts["vector"].list.to_array(texts["vector"].list.len()[0]).to_numpy().astype(np.float32)
    scores = classifier.scores(vectors, features(texts["text"].to_list())).round(DIGITS)
    negative, neutral, positive = (scores[:, classifier.classes.index(each)] for each in SENTIMENTS)
    said = np.where(positive > negative, POSITIVE, NEGATIVE)
    is_sure = np.maximum(negative, positive) > neutral + LEAD
    score = np.clip(positive - negative, -1, 1).round(DIGITS)
    found = {"text_id": texts["text_id"], "sentiment": np.where(is_sure, said, NEUTRAL).tolist(), "score": score}
    return pl.DataFrame(found, schema=TEXT_SENTIMENT)
