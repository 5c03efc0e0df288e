"""Names of themes: a noun that covers their topics, as "card payments" or "flights" do.

Of the nouns that people say in a theme's topics, that one names it which many of the topics hold, many of their
messages say, and few other themes, and whose meaning is near the theme's and not near another's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from turret_pipeline.analysis.labels.candidates import Candidates
from turret_pipeline.analysis.labels.phrases import may_be_label

N_NOUNS = 12
"""Nouns of a theme, the most frequent ones, whose meaning is asked of the model."""

HOLDS = 0.05
"""Least share of a topic's typical texts that hold a noun for the topic to be covered by it."""

LEAST_COVERED, ENOUGH = 0.4, 4
"""Least share of a theme's topics that a noun covers, or number of them."""

MAX_WORDS = 3

NEXT_THEME = 0.5
COVERED = 1.0
"""Weights of the cosine to the next theme, and of the share of the topics that a noun covers, beside the cosine."""

SHARE = 0.5
"""Weight of the mean share of the texts that hold it."""


def theme_names(
    candidates: Candidates, themes: np.ndarray, aims: np.ndarray, embed: Callable[[Sequence[str]], np.ndarray] | None
) -> list[list[str]]:
    """Return the nouns that may name each theme, best first.

    themes: theme of each topic, 0 to n_themes-1. aims: where the topics lie, seen from the middle of all texts, float32
    (n_topics, n_dims), unit rows. embed: the model behind these, if it is lent.
    """
    n_themes = int(themes.max(initial=-1)) + 1
    parts = [np.flatnonzero(themes == theme) for theme in range(n_themes)]
    held = [_nouns(candidates, topics) for topics in parts]
    most: dict[str, list[float]] = defaultdict(list)
    for nouns in held:
        for key, (_, share) in nouns.items():
            most[key].append(share)
    scores = []
    for topics, nouns in zip(parts, held, strict=True):
        scores.append(
            {
                key: COVERED * covered + SHARE * share - _spread(most[key], share)
                for key, (covered, share) in nouns.items()
                if covered >= LEAST_COVERED or covered * len(topics) >= ENOUGH
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
    return [[names[key] for key in found] for found in best]


def _nouns(candidates: Candidates, topics: np.ndarray) -> dict[str, tuple[float, float]]:
    """Return the nouns of these topics: share of the topics that hold one, and mean share of their texts."""
    shares: dict[str, list[float]] = defaultdict(list)
    for topic in topics:
        lent = candidates.lent[topic]
        for key in lent.nouns:
            words = key.split()
            if len(words) <= MAX_WORDS and may_be_label(words) and lent.share[key] >= HOLDS:
                shares[key].append(lent.share[key])
    return {key: (len(found) / len(topics), sum(found) / len(topics)) for key, found in shares.items()}


def _spread(shares: Sequence[float], share: float) -> float:
    """Return what a noun loses for the theme, of all that have these shares of it, that says it most beside its own."""
    others = sorted(shares, reverse=True)
    other = others[1] if others[0] == share and len(others) > 1 else others[0] if others[0] != share else 0.0
    return other / (other + share + 1e-9)


def _unit(rows: np.ndarray) -> np.ndarray:
    unit: np.ndarray = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return unit
