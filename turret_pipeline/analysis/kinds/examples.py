"""The examples of moves and of requests that ship with Turret, and what is learnt from them by the model at hand.

`examples.tsv` was written for Turret, in 45 languages: by line a kind, a language (ISO 639-1), a phrase. Of those that
are no moves, a `request` says by itself what is wanted, and a `follow_up` only beside what was said before it.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np
import polars as pl

from turret_pipeline.analysis.kinds.classifier import Classifier, fit
from turret_pipeline.analysis.kinds.words import features, words_of
from turret_pipeline.semantics.kinds import MOVES

Embed = Callable[[Sequence[str]], np.ndarray]
"""Returns the vectors of texts: float32 of shape (n_texts, n_dims), rows of unit length."""


@functools.cache
def phrases() -> pl.DataFrame:
    """Return the examples: `kind` (a move, `request` or `follow_up`), `language` (ISO 639-1), `phrase`."""
    file = resources.files(__package__).joinpath("examples.tsv")
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    return pl.DataFrame(rows, schema={"kind": pl.String, "language": pl.String, "phrase": pl.String}, orient="row")


@dataclass(frozen=True)
class Examples:
    """What the examples teach.

    classifier: of texts. by_words: of texts without their vectors. words: that the examples of moves are made of.
    kinds: of what was said in just these words, where all languages in which it is an example agree.
    """

    classifier: Classifier
    by_words: Classifier
    words: frozenset[str]
    kinds: dict[str, str]

    @staticmethod
    def of(embed: Embed) -> Examples:
        """Return what is learnt from the vectors by `embed`, which takes some seconds."""
        texts, kinds = phrases()["phrase"].to_list(), phrases()["kind"].to_list()
        said = [words_of(text) for text in texts]
        times = Counter(word for words, kind in zip(said, kinds, strict=True) if kind in MOVES for word in set(words))
        known, once = frozenset(times), {word for word, count in times.items() if count == 1}
        # To an example of a move its own words are no news: one that no other example has counts as unknown.
        known_to = [
            known - once.intersection(words) if kind in MOVES else known
            for words, kind in zip(said, kinds, strict=True)
        ]
        as_said: dict[str, set[str]] = {}
        for words, kind in zip(said, kinds, strict=True):
            as_said.setdefault(" ".join(words), set()).add(kind)
        agreed = {words: kind for words, (kind, *others) in as_said.items() if words and not others}
        looks = features(texts, known_to)
        by_words = fit(np.zeros((len(texts), 0), np.float32), looks, kinds)
        return Examples(fit(embed(texts), looks, kinds), by_words, known, agreed)
