"""Which phrases tell a topic from the others by how many of their texts say them."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from turret_pipeline.analysis.labels.phrases import may_be_label

N_FINALISTS = 24
"""Phrases of a topic, the most telling ones, that are ranked by their meaning as the texts that hold them tell it."""

SINGLE_WORD = 0.4
"""Factor on the rank of a single word; two or more telling words say what about it."""


def by_words(shares: list[dict[str, float]], single_word: float = SINGLE_WORD) -> list[list[tuple[float, str]]]:
    """Return each group's (rank, phrase) for the phrases that tell it from the other groups, best first."""
    total: dict[str, float] = defaultdict(float)
    for group in shares:
        for key, share in group.items():
            total[key] += share
    ranked = []
    for group in shares:
        scored = []
        for key, share in group.items():
            words = key.split()
            if may_be_label(words):
                elsewhere = (total[key] - share) / max(len(shares) - 1, 1)
                score = share**0.7 * float(np.log1p(share / (elsewhere + 0.01)))
                scored.append((score * (single_word if len(words) == 1 else 1.0), key))
        ranked.append(sorted(scored, key=lambda item: (-item[0], item[1]))[:N_FINALISTS])
    return ranked
