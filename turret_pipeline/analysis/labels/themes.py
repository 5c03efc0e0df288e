"""Names of themes: a noun that covers their topics, as "card payments" or "flights" do.

Of the nouns that people say in a theme's topics, that one names it which many of the topics hold, many of their
messages say, and few other themes, and whose meaning is near the theme's and not near another's. Where none covers
most of a theme, the best of them has "…" behind it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from turret_pipeline.analysis.labels.candidates import Candidates
from turret_pipeline.analysis.labels.phrases import may_be_label

N_NOUNS = 12
"""Nouns of a theme, the most frequent ones, whose meaning is asked of the model."""

HOLDS = 0.05
"""Least share of a topic's typical texts that hold a noun for the topic to be covered by it."""

LEAST_COVERED = 0.5
"""Least share of a theme's texts that are in topics which hold a noun, for it to name the theme alone."""

MORE = " …"
"""Stands behind a noun that covers less: there is more in the theme."""

MAX_WORDS = 3

NEXT_THEME = 0.5
COVERED = 1.0
"""Weights of the cosine to the next theme, and of the share of the topics that a noun covers, beside the cosine."""

SHARE = 0.5
"""Weight of the mean share of the texts that hold it."""


def theme_names(
    candidates: Candidates,
    themes: np.ndarray,
    sizes: np.ndarray,
    aims: np.ndarray,
    embed: Callable[[Sequence[str]], np.ndarray] | None,
) -> list[tuple[list[str], list[str]]]:
    """Return the nouns that may name each theme, best first: those that cover it, and others.

    themes: theme of each topic, 0 to n_themes-1. sizes: texts of each topic. aims: where the topics lie, seen from the
    middle of all texts, float32 (n_topics, n_dims), unit rows. embed: the model behind these, if it is lent.
    """
    n_themes = int(themes.max(initial=-1)) + 1
    parts = [np.flatnonzero(themes == theme) for theme in range(n_themes)]
    held = [_nouns(candidates, topics, sizes) for topics in parts]
    most: dict[str, list[float]] = defaultdict(list)
    for nouns in held:
        for key, noun in nouns.items():
            most[key].append(noun.share)
    scores = []
    for nouns in held:
        scores.append(
            {
                key: COVERED * noun.covered + SHARE * noun.share - _spread(most[key], noun.share)
                for key, noun in nouns.items()
            }
        )
    best = [sorted(found, key=lambda key: (-found[key], key))[:N_NOUNS] for found in scores]
    names = {key: candidates.plural(key) for found in best for key in found}
    if embed is not None and names:
        vectors = embed(list(names.values()))
        vectors = _unit(vectors - vectors.mean(axis=0))
        near = vectors @ _unit(np.asarray([aims[topics].mean(axis=0) for topics in parts])).T
        places = {key: place for place, key in enumerate(names)}
        for theme, found in enumerate(best):
            for key in found:
                row = near[places[key]]
                other = np.delete(row, theme).max(initial=0.0)
                scores[theme][key] += float(row[theme] - NEXT_THEME * other)
            found.sort(key=lambda key: (-scores[theme][key], key))
    return [
        ([names[key] for key in found if nouns[key].covers], [names[key] for key in found if not nouns[key].covers])
        for found, nouns in zip(best, held, strict=True)
    ]


@dataclass
class _Noun:
    """A noun in a theme: shares of the theme's texts that are in topics which hold it, and that hold it themselves."""

    covered: float = 0.0
    share: float = 0.0
    n_topics: int = 0

    @property
    def covers(self) -> bool:
        return self.share >= LEAST_COVERED or (self.covered >= LEAST_COVERED and self.n_topics > 1)


def _nouns(candidates: Candidates, topics: np.ndarray, sizes: np.ndarray) -> dict[str, _Noun]:
    """Return the nouns of these topics."""
    found: dict[str, _Noun] = defaultdict(_Noun)
    whole = sizes[topics].sum()
    for topic in topics:
        lent = candidates.lent[topic]
        for key in lent.nouns:
            words = key.split()
            if len(words) <= MAX_WORDS and may_be_label(words) and lent.share[key] >= HOLDS:
                noun, part = found[key], float(sizes[topic] / whole)
                noun.covered += part
                noun.share += part * lent.share[key]
                noun.n_topics += 1
    return found


def _spread(shares: Sequence[float], share: float) -> float:
    """Return what a noun loses for the theme, of all that have these shares of it, that says it most beside its own."""
    others = sorted(shares, reverse=True)
    other = others[1] if others[0] == share and len(others) > 1 else others[0] if others[0] != share else 0.0
    return other / (other + share + 1e-9)


def _unit(rows: np.ndarray) -> np.ndarray:
    unit: np.ndarray = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return unit
