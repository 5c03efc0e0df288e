"""A refit that moves as little as it can: topics stay unless the texts clearly ask for others.

Known texts keep their topic and new ones join the nearest. Fresh clusters are found as well, and used in two ways:
where texts without a topic make up most of a fresh cluster, a topic is born from them; and where the fresh clusters are
better by a margin, or the field has grown to twice what it was, they replace the old ones (ids carry on all the same).
A topic too small to be a cluster of the whole field is born where texts without one lie close together: HDBSCAN finds
that in these texts alone.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

import numpy as np

from turret_pipeline.analysis.topics.centroids import (
    CentroidModel,
    centroids_of,
    join_nearest,
    members_of,
    own_cosine,
    radius_of,
)
from turret_pipeline.analysis.topics.clusters import MIN_SIZE
from turret_pipeline.analysis.topics.density import dense_groups
from turret_pipeline.analysis.topics.judge import Judge
from turret_pipeline.analysis.topics.neighbours import N_NEIGHBOURS

BETTER = 1.15
"""Ratio of the qualities of fresh and kept clusters past which the fresh ones win."""

MIN_BIRTH = 10
"""Texts without a topic that a birth takes: with 60 % of a cluster, chance does not make it so from 10 % new texts."""

MIN_BIRTH_SHARE = 0.6
LEAST_CLOSENESS = 0.9
"""How close a dense group of texts has to be, beside the least close topics but one in ten. Less than 1, as the few
texts of a group are further from the others' middle than the many of a topic."""

MOST_POOLED = 2_000
"""Texts without a topic that are searched for dense groups, a random sample of more: all pairs are compared."""


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
    return join_nearest(_born_dense(births, vectors), vectors)


def _born_dense(clusters: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return the clusters with more of them: dense groups of texts without one, where there are few texts of others.

    Such a group is about as close as the topics are, or noise would do. Most of the texts nearest to its members have
    no topic, or more of the same would do. And so have most of those that it would take, which come with it.
    """
    pool = np.flatnonzero(clusters < 0)[:MOST_POOLED]
    groups = dense_groups(vectors[pool], MIN_BIRTH)
    n_clusters, n_groups = int(clusters.max()) + 1, int(groups.max(initial=-1)) + 1
    if not n_groups:
        return clusters
    centroids = centroids_of(vectors, clusters, n_clusters)
    cosine = own_cosine(vectors, centroids, clusters)
    closeness = LEAST_CLOSENESS * np.quantile([cosine[clusters == topic].mean() for topic in range(n_clusters)], 0.1)
    nearest = (vectors @ np.vstack([centroids, centroids_of(vectors[pool], groups, n_groups)]).T).argmax(axis=1)
    born = clusters.copy()
    for group in range(n_groups):
        members, taken = pool[groups == group], nearest == n_clusters + group
        free = taken & (clusters < 0)
        if (
            free.sum() >= max(MIN_BIRTH, MIN_BIRTH_SHARE * taken.sum())
            and (clusters[_neighbours(members, vectors)] < 0).mean() >= MIN_BIRTH_SHARE
            and _closeness(vectors[members]) >= closeness
        ):
            born[free] = born.max() + 1
    return born


def _neighbours(members: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return the texts nearest to each member, `N_NEIGHBOURS` or as many as there are other members: (n_members, k)."""
    k = min(N_NEIGHBOURS, len(members) - 1)
    cosine = vectors[members] @ vectors.T
    cosine[np.arange(len(members)), members] = -2
    nearest: np.ndarray = np.argpartition(-cosine, k, axis=1)[:, :k]
    return nearest


def _closeness(vectors: np.ndarray) -> float:
    """Return the mean cosine of each text with the mean direction of the others."""
    others = vectors.sum(axis=0) - vectors
    others /= np.maximum(np.linalg.norm(others, axis=1, keepdims=True), 1e-12)
    return float(np.einsum("ij,ij->i", vectors, others).mean())


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


def _without_outliers(clusters: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return the clusters less the texts outside their radius, which are -1."""
    n_topics = int(clusters.max(initial=-1)) + 1
    if n_topics == 0:
        return clusters
    cosine = own_cosine(vectors, centroids_of(vectors, clusters, n_topics), clusters)
    found = clusters.copy()
    for members in members_of(clusters, n_topics):
        if len(members):
            found[members[cosine[members] < radius_of(cosine[members])]] = -1
    return found
