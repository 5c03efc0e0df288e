"""The kind of each distinct text: which move of a conversation it is, if any, and how much it says by itself.

A text is a move if what is learnt from the examples that ship with Turret (`examples`) says so; see
`benchmarks/kinds.md` for how well that is. Where it has several sentences and one of them asks for something ("Thanks a
lot. Now I need a cab"), it is none: thanks at the front often outweigh what follows in the vector of the whole.
"""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from turret_pipeline.analysis.kinds.classifier import Classifier
from turret_pipeline.analysis.kinds.examples import Examples
from turret_pipeline.analysis.kinds.words import features, words_of
from turret_pipeline.semantics.kinds import FOLLOW_UP, MOVES, REQUEST, SLIGHT

TEXT_KINDS = pl.Schema({"text_id": pl.String(), "move": pl.String(), "sureness": pl.Float32(), "weight": pl.Float32()})
"""Columns of `text_kinds`: `move` is null where the text is none; `sureness` (0.5 to 1) is of that; `weight` (0 to 1)
is how much the text says by itself."""

MOST_CHARACTERS = 200
"""Characters past which a text is no move."""

IN_DOUBT = ("complaint", "correction", "other")
LEAD = 0.15
"""How far the score of a move in `IN_DOUBT` must lead: what is said so is often about something ("slow delivery")."""

ASKS = 0.2
"""Lead in the score by words alone of what is no move, from which a sentence asks for something."""

LEAST_WORDS, LEAST_LETTERS = 3, 6
"""Words of a sentence that can ask for something; or letters of scripts that leave no space between words."""

_SENTENCE_END = re.compile("[.!?;\u3002\uff01\uff1f\u061b\u061f\u0964\n]+")
_FIRST_UNSPACED = "\u0e00"

DIGITS = 3
"""Of `sureness` and `weight`: their last bits depend on the texts that were told with them."""

CHUNK_TEXTS = 8192


def text_kinds(texts: pl.DataFrame, examples: Examples) -> pl.DataFrame:
    """Return the kind of each text (`TEXT_KINDS`), a row a text, in the order of `texts`.

    texts: `text_id`, `text` and `vector` (of unit length, by the model of `examples`).
    """
    frames = [TEXT_KINDS.to_frame(eager=True)]
    frames += [_of_chunk(texts.slice(start, CHUNK_TEXTS), examples) for start in range(0, texts.height, CHUNK_TEXTS)]
    return pl.concat(frames)


def for_fit(text_kinds: pl.DataFrame) -> pl.Series:
    """Return whether each text may be part of a fit of topics: it is no move, and says enough by itself."""
    may = pl.col("move").is_null() & (pl.col("weight") >= SLIGHT)
    return text_kinds.select(may.alias("for_fit")).to_series()


def _of_chunk(texts: pl.DataFrame, examples: Examples) -> pl.DataFrame:
    said = texts["text"].to_list()
    words = [words_of(text[:MOST_CHARACTERS]) for text in said]
    move, sureness = np.full(len(said), None, dtype=object), np.ones(len(said))
    weight = np.ones(len(said))
    short = np.flatnonzero(texts["text"].str.len_chars().to_numpy() <= MOST_CHARACTERS)
    if short.size:
        vectors = texts["vector"].gather(short).list.to_array(texts["vector"].list.len()[0]).to_numpy()
        of_words = features([said[row] for row in short], [examples.words] * short.size)
        scores = examples.classifier.scores(vectors.astype(np.float32), of_words)
        classes = examples.classifier.classes
        request, follow_up = (scores[:, classes.index(kind)] for kind in (REQUEST, FOLLOW_UP))
        best, margin = _best_move(examples.classifier, scores)
        may = np.array([not _counts(words[row]) for row in short]) & (margin > 0)
        may[may] = ~_asks([said[row] for row in short[may]], examples)
        move[short[may]] = best[may]
        sureness[short] = np.clip(0.5 + np.abs(margin) / 2, 0.5, 1)
        lengths = texts["text"].gather(short).str.len_chars().to_numpy()
        weight[short] = np.clip(0.5 + (request - follow_up) / 2, lengths / MOST_CHARACTERS, 1)
    for row in short:
        if kind := examples.kinds.get(" ".join(words[row])):
            move[row], sureness[row] = kind if kind in MOVES else None, 1
            weight[row] = float(kind == REQUEST)
    return pl.DataFrame(
        {
            "text_id": texts["text_id"],
            "move": move.tolist(),
            "sureness": sureness.round(DIGITS),
            "weight": weight.round(DIGITS),
        },
        schema=TEXT_KINDS,
    )


def _best_move(classifier: Classifier, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the likeliest move of each row of `scores`, and its lead over what is no move (below 0: it lags)."""
    classes = np.array(classifier.classes, dtype=object)
    is_move = np.isin(classifier.classes, MOVES)
    of_moves = scores[:, is_move] - LEAD * np.isin(classifier.classes, IN_DOUBT)[is_move]
    margin = of_moves.max(axis=1) - scores[:, ~is_move].sum(axis=1)
    return classes[is_move][of_moves.argmax(axis=1)], margin


def _asks(texts: list[str], examples: Examples) -> np.ndarray:
    """Return whether each text has several sentences of which one asks for something, by its words alone."""
    found = np.zeros(len(texts), dtype=bool)
    rows, sentences = [], []
    for row, text in enumerate(texts):
        parts = [part for part in _SENTENCE_END.split(text) if part.strip()]
        if len(parts) > 1:
            those = [part for part in parts if _may_ask(part, examples)]
            rows += [row] * len(those)
            sentences += those
    if sentences:
        looks = features(sentences, [examples.words] * len(sentences))
        scores = examples.by_words.scores(np.zeros((len(sentences), 0), np.float32), looks)
        _, margin = _best_move(examples.by_words, scores)
        found[np.array(rows)[margin < -ASKS]] = True
    return found


def _may_ask(sentence: str, examples: Examples) -> bool:
    words = words_of(sentence)
    unspaced = sum(letter >= _FIRST_UNSPACED for letter in sentence)
    is_long = len(words) >= LEAST_WORDS or unspaced >= LEAST_LETTERS
    return is_long and examples.kinds.get(" ".join(words)) not in MOVES


def _counts(words: list[str]) -> bool:
    """Return whether a text with these words has a number in it, so that it is about something."""
    return any(letter.isdigit() for word in words for letter in word)
