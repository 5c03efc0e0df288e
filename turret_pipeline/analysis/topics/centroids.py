"""Clusters by their mean directions: what a cluster model knows of its clusters once it is fitted."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

OUTLIER_FENCE = 3.0
"""Interquartile ranges below the lower quartile of similarity past which a text has no topic (Tukey 1977)."""

LEAST_RADIUS = 0.15
"""Cosine below which two texts have nothing in common, with sentence embeddings."""

BLOCK = 4_096
"""Texts whose cosines are computed at once: the centroids of all at once are as large as their vectors."""


class CentroidModel:
    """A cluster model whose `predict` gives the nearest cluster, as scikit-learn's `KMeans` does.

    labels_: cluster of each text that it was fitted on, int64 (n_texts,), from 0; -1 for none. centroids_: float32
    (n_clusters, n_dims), unit rows.
    """

    labels_: np.ndarray
    centroids_: np.ndarray

    def predict(self, vectors: np.ndarray) -> np.ndarray:
        """Return the cluster with the nearest centroid: int64 (n_texts,), -1 where there is no cluster.

        vectors: float32 of shape (n_texts, n_dims), unit rows.
        """
        if len(self.centroids_) == 0:
            return np.full(len(vectors), -1, dtype=np.int64)
        nearest: np.ndarray = (vectors @ self.centroids_.T).argmax(axis=1)
        return nearest

    def _keep(self, labels: np.ndarray, vectors: np.ndarray) -> None:
        """Remember the clusters of `vectors`."""
        self.labels_ = labels
        self.centroids_ = centroids_of(vectors, labels, int(labels.max(initial=-1)) + 1)


def centroids_of(vectors: np.ndarray, clusters: np.ndarray, n_clusters: int) -> np.ndarray:
    """Return the mean direction of each cluster's vectors: float32 of shape (n_clusters, n_dims), unit rows."""
    sums = np.zeros((n_clusters, vectors.shape[1]), dtype=np.float64)
    for cluster, members in enumerate(members_of(clusters, n_clusters)):
        sums[cluster] = vectors[members].sum(axis=0, dtype=np.float64)
    centroids: np.ndarray = (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)).astype(np.float32)
    return centroids


def members_of(clusters: np.ndarray, n_clusters: int) -> list[np.ndarray]:
    """Return the rows of each cluster, in order; clusters: from 0, -1 for none."""
    order = np.argsort(clusters, kind="stable")
    bounds = np.searchsorted(clusters[order], np.arange(n_clusters + 1))
    return [order[start:end] for start, end in pairwise(bounds)]


def cosines_to(vectors: np.ndarray, centroids: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Return each text's cosine to the centroid of its cluster, which it has: float32 of shape (n_texts,)."""
    found = np.empty(len(vectors), dtype=np.float32)
    for start in range(0, len(vectors), BLOCK):
        part = slice(start, start + BLOCK)
        found[part] = np.einsum("ij,ij->i", vectors[part], centroids[clusters[part]])
    return found


def own_cosine(vectors: np.ndarray, centroids: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Return each text's cosine to its centroid, to the nearest where it has none: float64 of shape (n_texts,)."""
    cosine = cosines_to(vectors, centroids, np.maximum(clusters, 0)).astype(np.float64)
    free = clusters < 0
    cosine[free] = (vectors[free] @ centroids.T).max(axis=1)
    return cosine


def radius_of(similarity: np.ndarray) -> float:
    """Return the least similarity to its centroid at which a text belongs to the topic whose texts have these."""
    low, high = np.quantile(similarity, [0.25, 0.75])
    return float(max(LEAST_RADIUS, low - OUTLIER_FENCE * (high - low)))


def join_nearest(clusters: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return the clusters with every text without one in that of the nearest centroid."""
    joined = clusters.copy()
    free = clusters < 0
    centroids = centroids_of(vectors, clusters, int(clusters.max()) + 1)
    joined[free] = (vectors[free] @ centroids.T).argmax(axis=1)
    return joined
