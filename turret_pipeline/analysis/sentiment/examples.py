"""The examples of sentiment that ship with Turret, and what is learnt from them by the model at hand.

`examples.tsv` was written for Turret: by line a sentiment, a language (ISO 639-1), a phrase. The examples of moves of
conversation (`analysis.kinds`) teach beside them, with little weight, for they are many and mostly neutral.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from importlib import resources

import numpy as np
import polars as pl

from turret_pipeline.analysis.kinds import examples as kinds
from turret_pipeline.analysis.kinds.classifier import Classifier, fit
from turret_pipeline.analysis.sentiment.features import features
from turret_pipeline.semantics.sentiment import NEGATIVE, NEUTRAL, POSITIVE

Embed = Callable[[Sequence[str]], np.ndarray]
"""Returns the vectors of texts: float32 of shape (n_texts, n_dims), rows of unit length."""

OF_KIND = {
    "request": NEUTRAL,
    "follow_up": NEUTRAL,
    "greeting": NEUTRAL,
    "goodbye": NEUTRAL,
    "continue": NEUTRAL,
    "no": NEUTRAL,
    "correction": NEUTRAL,
    "complaint": NEGATIVE,
    "thanks": POSITIVE,
}
"""How the examples of moves and requests sound; those of other kinds sound one way or another, and are left out."""

WEIGHT_OF_KINDS = 0.03
"""Of an example of `analysis.kinds` beside one of sentiment."""

WELL_TAUGHT, WEIGHT_OF_FEW = 100, 0.1
"""Examples from which a language counts as well taught, and the weight of one of the others. Those teach words and
letters alone: most are languages that models know little of, and what their vectors taught made all languages worse."""

RIDGE = 5.0


@functools.cache
def phrases() -> pl.DataFrame:
    """Return the examples of sentiment: `sentiment`, `language` (ISO 639-1), `phrase`."""
    file = resources.files(__package__).joinpath("examples.tsv")
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    return pl.DataFrame(rows, schema={"sentiment": pl.String, "language": pl.String, "phrase": pl.String}, orient="row")


def learnt(embed: Embed) -> Classifier:
    """Return the classifier of sentiment by the vectors that `embed` makes of the examples, which takes seconds."""
    well_taught = pl.len().over("language") >= WELL_TAUGHT
    mine = phrases().select(
        "sentiment",
        "phrase",
        weight=pl.when(well_taught).then(1.0).otherwise(WEIGHT_OF_FEW),
        has_vector=well_taught,
    )
    others = (
        kinds.phrases()
        .filter(pl.col("kind").is_in(list(OF_KIND)))
        .select(
            pl.col("kind").replace_strict(OF_KIND).alias("sentiment"),
            "phrase",
            weight=pl.lit(WEIGHT_OF_KINDS),
            has_vector=pl.lit(True),
        )
    )
    both = pl.concat([mine, others])
    texts, has_vector = both["phrase"].to_list(), both["has_vector"].to_numpy()
    embedded = embed(both.filter("has_vector")["phrase"].to_list())
    vectors = np.zeros((len(texts), embedded.shape[1]), embedded.dtype)
    vectors[has_vector] = embedded
    return fit(vectors, features(texts), both["sentiment"].to_list(), both["weight"].to_numpy(), ridge=RIDGE)
