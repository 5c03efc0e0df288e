"""Short, unique names of topics in the words of their messages."""

from __future__ import annotations

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer


def choose_labels(texts: list[str], vectors: np.ndarray, clusters: np.ndarray) -> list[str]:
    """Return one label a cluster, unique: the phrase that sets its texts apart and that many of them hold."""
    n_topics = int(clusters.max()) + 1
    counter = CountVectorizer(ngram_range=(1, 3), token_pattern=r"(?u)\b\w[\w'\u2019]*\b", binary=True, min_df=2)
    try:
        counts = counter.fit_transform(texts)
    except ValueError:  # no word twice
        return [f"topic {topic + 1}" for topic in range(n_topics)]
    phrases = counter.get_feature_names_out()
    membership = np.zeros((n_topics, len(texts)), dtype=np.float32)
    placed = np.flatnonzero(clusters >= 0)
    membership[clusters[placed], placed] = 1.0
    inside = np.asarray(counts.T.dot(membership.T).T)
    share = inside / membership.sum(axis=1, keepdims=True)
    precision = inside / np.maximum(np.asarray(counts.sum(axis=0)), 1)
    score = share**0.5 * precision
    labels: list[str] = []
    for topic in range(n_topics):
        best = next(
            (phrases[i] for i in np.argsort(-score[topic], kind="stable")[:200] if phrases[i] not in labels), None
        )
        labels.append(best or f"topic {topic + 1}")
    return labels
