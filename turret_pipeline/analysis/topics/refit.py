"""A refit that moves as little as it can: topics stay unless the texts clearly ask for others.

Known texts keep their topic and new ones join the nearest. Fresh clusters are found as well, and used in two ways:
where texts without a topic make up most of a fresh cluster, a topic is born from them; and where the fresh clusters are
better by a margin, or the field has grown to twice what it was, they replace the old ones (ids carry on all the same).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

import numpy as np

from turret_pipeline.analysis.topics.centroids import CentroidModel, centroids_of, join_nearest, own_cosine
from turret_pipeline.analysis.topics.clusters import MIN_SIZE
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


class ClusterModel(Protocol):
    """What BERTopic takes as `hdbscan_model`: `GraphClusters`, `DensityClusters`, scikit-learn's `KMeans`."""

    labels_: np.ndarray

    def fit(self, vectors: np.ndarray) -> object:
        """Find the clusters of `vectors`; `labels_` says which each is in, from 0, -1 for none."""


class SteadyClusters(CentroidModel):
    """A cluster model around another one: topics of the last fit stay where they may, and texts far from any have none.

    Without a last fit the clusters are those of the other model.
    """

    def __init__(
        self, fresh: ClusterModel, old: np.ndarray | None = None, held: Collection[int] = (), replace: bool = False
    ) -> None:
        """Take the model that finds `fresh` clusters; old, held, replace: as `keep_topics`, None for a first fit."""
        self._fresh, self._old, self._held, self._replace = fresh, old, held, replace

    def fit(self, vectors: np.ndarray, y: np.ndarray | None = None) -> SteadyClusters:
        """Find the clusters of `vectors`: float32 of shape (n_texts, n_dims), unit rows."""
        self._fresh.fit(vectors)
        clusters = np.asarray(self._fresh.labels_, dtype=np.int64)
        if self._old is not None:
            clusters = keep_topics(clusters, vectors, self._old, self._held, self._replace)
        self._keep(_without_outliers(clusters, vectors), vectors)
        return self


def keep_topics(
    fresh: np.ndarray, vectors: np.ndarray, old: np.ndarray, held: Collection[int] = (), replace: bool = False
) -> np.ndarray:
    """Return the clusters after a refit: int64 of shape (n_texts,), those of `old` where they may stay.

    fresh: clusters found anew, from 0, -1 for none. vectors: float32 of shape (n_texts, n_dims), unit rows. old: the
    topic of each text so far, from 0, -1 for none. held: of these topics, those that a person decided about: they keep
    their texts whatever replaces the others. replace: whether the fresh clusters are taken however good the old are.
    """
    known = old >= 0
    if replace or known.sum() < 0.5 * len(old):
        return hold_topics(fresh, vectors, old, held)
    kept, judge = join_nearest(old, vectors), Judge(vectors)
    if judge.quality(fresh) > BETTER * max(judge.quality(kept), 0.0):
        return hold_topics(fresh, vectors, old, held)
    births = old.copy()
    for cluster in range(int(fresh.max(initial=-1)) + 1):
        members = fresh == cluster
        free = members & (births < 0)
        if free.sum() >= max(MIN_BIRTH, MIN_BIRTH_SHARE * members.sum()):
            births[free] = births.max() + 1
    return join_nearest(births, vectors)


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
        found[small] = join_nearest(np.where(small, -1, found), vectors)[small]
    names = np.unique(found[found >= 0])
    return np.where(found >= 0, np.searchsorted(names, found), -1)


def radius_of(similarity: np.ndarray) -> float:
    """Return the least similarity to its centroid at which a text belongs to the topic whose texts have these."""
    low, high = np.quantile(similarity, [0.25, 0.75])
    return float(max(LEAST_RADIUS, low - OUTLIER_FENCE * (high - low)))


def _without_outliers(clusters: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return the clusters less the texts outside their radius, which are -1."""
    n_topics = int(clusters.max(initial=-1)) + 1
    if n_topics == 0:
        return clusters
    cosine = own_cosine(vectors, centroids_of(vectors, clusters, n_topics), clusters)
    found = clusters.copy()
    for cluster in range(n_topics):
        members = clusters == cluster
        if members.any():
            found[members & (cosine < radius_of(cosine[members]))] = -1
    return found
