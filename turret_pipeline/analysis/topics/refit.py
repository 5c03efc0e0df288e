"""A refit that moves as little as it can: topics stay unless the texts clearly ask for others.

Known texts keep their topic and new ones join the nearest. Fresh clusters are found as well, and used in two ways:
where texts without a topic make up most of a fresh cluster, a topic is born from them; and where the fresh clusters are
better by a margin, or the field has grown to twice what it was, they replace the old ones (ids carry on all the same).
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from turret_pipeline.analysis.topics.clusters import MIN_SIZE, Clustering
from turret_pipeline.analysis.topics.judge import Judge

BETTER = 1.15
"""Ratio of the qualities of fresh and kept clusters past which the fresh ones win."""

MIN_BIRTH = 10
"""Texts without a topic that a birth takes: with 60 % of a cluster, chance does not make it so from 10 % new texts."""

MIN_BIRTH_SHARE = 0.6
OUTLIER_FENCE = 3.0
"""Interquartile ranges below the lower quartile of similarity past which a text has no topic (Tukey 1977)."""

LEAST_RADIUS = 0.15
"""Cosine below which two texts have nothing in common, with sentence embeddings."""


def keep_topics(fresh: Clustering, vectors: np.ndarray, old: np.ndarray, held: Collection[int] = ()) -> np.ndarray:
    """Return the clusters after a refit: int64 of shape (n_texts,), those of `old` where they may stay.

    vectors: float32 of shape (n_texts, n_dims), unit rows. old: the topic of each text so far, from 0, -1 for none.
    held: of these topics, those that a person decided about: they keep their texts whatever replaces the others.
    """
    known = old >= 0
    if known.sum() < 0.5 * len(old):
        return hold_topics(fresh.clusters, vectors, old, held)
    kept = _join_nearest(old, vectors)
    if fresh.quality > BETTER * max(Judge(vectors).quality(kept), 0.0):
        return hold_topics(fresh.clusters, vectors, old, held)
    births = old.copy()
    for clusters in (fresh.clusters, fresh.finer):
        for cluster in range(int(clusters.max(initial=-1)) + 1):
            members = clusters == cluster
            free = members & (births < 0)
            if free.sum() >= max(MIN_BIRTH, MIN_BIRTH_SHARE * members.sum()):
                births[free] = births.max() + 1
    return _join_nearest(births, vectors)


def hold_topics(clusters: np.ndarray, vectors: np.ndarray, old: np.ndarray, held: Collection[int]) -> np.ndarray:
    """Return the clusters with each of the `held` old topics as one of them, the others numbered on from 0.

    A held topic keeps its texts, and takes in the new texts of clusters of which it had most of the old ones. What is
    left of a cluster that it took most of, and is too small for a topic, joins the nearest.
    """
    found = clusters.copy()
    known, of_held = old >= 0, np.isin(old, list(held))
    for place, topic in enumerate(sorted(held)):
        members, number = old == topic, int(clusters.max(initial=-1)) + 1 + place
        for cluster in np.unique(clusters[members & (clusters >= 0)]):
            inside = clusters == cluster
            if (inside & members).sum() > 0.5 * (inside & known).sum():
                found[inside & ~of_held] = number
        found[members] = number
    sizes = np.bincount(found[found >= 0])
    small = (found >= 0) & ~of_held & (sizes[found] < MIN_SIZE)
    if small.any() and not small.all():
        found[small] = _join_nearest(np.where(small, -1, found), vectors)[small]
    names = np.unique(found[found >= 0])
    return np.where(found >= 0, np.searchsorted(names, found), -1)


def radius_of(similarity: np.ndarray) -> float:
    """Return the least similarity to its centroid at which a text belongs to the topic whose texts have these."""
    low, high = np.quantile(similarity, [0.25, 0.75])
    return float(max(LEAST_RADIUS, low - OUTLIER_FENCE * (high - low)))


def centroids_of(vectors: np.ndarray, clusters: np.ndarray, n_topics: int) -> np.ndarray:
    """Return the mean direction of each cluster's vectors: float32 of shape (n_topics, n_dims), unit rows."""
    sums = np.zeros((n_topics, vectors.shape[1]), dtype=np.float64)
    for cluster in range(n_topics):
        sums[cluster] = vectors[clusters == cluster].sum(axis=0, dtype=np.float64)
    return (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def _join_nearest(clusters: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return the clusters with every text without one in that of the nearest centroid."""
    joined = clusters.copy()
    free = clusters < 0
    centroids = centroids_of(vectors, clusters, int(clusters.max()) + 1)
    joined[free] = (vectors[free] @ centroids.T).argmax(axis=1)
    return joined
