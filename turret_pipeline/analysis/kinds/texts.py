"""The kind of each distinct text: which move of a conversation it is, if any, and how much it says by itself."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import polars as pl

from turret_pipeline.analysis.kinds.examples import Examples
from turret_pipeline.semantics.kinds import REQUEST, SLIGHT

TEXT_KINDS = pl.Schema({"text_id": pl.String(), "move": pl.String(), "sureness": pl.Float32(), "weight": pl.Float32()})
"""Columns of `text_kinds`: `move` is null where the text is none; `sureness` (0 to 1) is of that; `weight` (0 to 1) is
how much the text says by itself."""

MOST_WORDS = 10
"""Words past which a text is no move."""


def text_kinds(texts: pl.DataFrame, examples: Examples) -> pl.DataFrame:
    """Return the kind of each text (`TEXT_KINDS`), a row a text, in the order of `texts`.

    texts: `text_id`, `text` and `vector` (of unit length, by the model of `examples`).
    """
    if texts.is_empty():
        return TEXT_KINDS.to_frame(eager=True)
    words = [_words(text) for text in texts["text"]]
    vectors = np.stack(texts["vector"].to_list()).astype(np.float32)
    similarity = vectors @ examples.vectors.T
    nearest = similarity.argmax(axis=1)
    known = {" ".join(_words(phrase)): kind for phrase, kind in zip(examples.phrases, examples.kinds, strict=True)}
    moves, sureness = [], []
    for row, said in enumerate(words):
        exact = known.get(" ".join(said))
        near = (
            examples.kinds[nearest[row]] if similarity[row, nearest[row]] > 0.8 and len(said) <= MOST_WORDS else REQUEST
        )
        kind = exact or near
        moves.append(None if kind == REQUEST else kind)
        sureness.append(1.0 if exact else float(similarity[row].max().clip(0, 1)))
    weight = [min(1.0, len(said) / 8) for said in words]
    return pl.DataFrame(
        {"text_id": texts["text_id"], "move": moves, "sureness": sureness, "weight": weight}, schema=TEXT_KINDS
    )


def for_fit(text_kinds: pl.DataFrame) -> pl.Series:
    """Return whether each text may be part of a fit of topics: it is no move, and says enough by itself."""
    may = pl.col("move").is_null() & (pl.col("weight") >= SLIGHT)
    return text_kinds.select(may.alias("for_fit")).to_series()


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).casefold())
