"""Texts with vectors around planted directions, as a `Namer` takes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Planted = tuple[list[str], np.ndarray, np.ndarray, np.ndarray]


def planted_texts(topics: Sequence[Sequence[str]]) -> Planted:
    """Return texts, vectors, clusters and centroids of one cluster a list, around random directions."""
    texts = [text for said in topics for text in said]
    clusters = np.repeat(np.arange(len(topics)), [len(said) for said in topics])
    draw = np.random.default_rng(0)
    centroids = draw.normal(size=(len(topics), 32)).astype(np.float32)
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    vectors = centroids[clusters] + 0.05 * draw.normal(size=(len(texts), 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return texts, vectors.astype(np.float32), clusters, centroids
