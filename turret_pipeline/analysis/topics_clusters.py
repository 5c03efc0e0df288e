"""Texts become clusters: communities in the graph of nearest neighbours, as fine as the texts bear out.

1. Graph: each text and its 15 nearest, by embedding cosine plus 0.3 of tf-idf cosine (`topics_neighbours`).
2. A ladder of partitions: Leiden communities (Traag, Waltman, van Eck 2019) by modularity at resolutions from coarse
   to fine. Each text is in one; nothing is left over as HDBSCAN leaves it.
3. The rung to keep, without knowing how many topics there are: the one whose clusters are both apart, by the
   simplified leave-one-out silhouette (Hruschka, de Castro, Campello 2004) of the vectors, and recognisable:
   by how many texts a ridge classifier that was fitted on the other half puts where the clustering has them (the
   idea of prediction strength, Tibshirani and Walther 2005). The product of both has its maximum inside the ladder;
   of rungs within 2 % of it the middle one is taken.

4. Where merging clusters makes this clearly better still, they are merged (`_merge`).

What was tried stands in `benchmarks/topics.md`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import graspologic_native
import numpy as np
import scipy.sparse as sp
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.linalg import cho_factor, cho_solve

from turret_pipeline.analysis.topics_neighbours import neighbour_graph

RESOLUTIONS = tuple(0.35 * 1.5625**step for step in range(9))
"""First pass, 0.35 to 12.4; the second looks halfway to both neighbours of the best."""

NEAR_TIE = 0.02
"""Share of the best quality within which rungs are as good as each other: what other seeds and samples move it by."""

MERGE_MARGIN = 1.1
"""Ratio of qualities that a merge has to reach; without a margin close topics of labelled sets are lost."""

MIN_SIZE = 5
"""Distinct texts that make a topic."""

SCORED_TEXTS = 30_000
"""Texts that a partition is judged by, when there are more."""


@dataclass(frozen=True)
class Clustering:
    """clusters: int64 of shape (n_texts,), from 0, -1 for none. finer: a finer rung. quality: of `clusters`."""

    clusters: np.ndarray
    finer: np.ndarray
    quality: float


def cluster_texts(texts: list[str], vectors: np.ndarray, *, seed: int) -> Clustering:
    """Return the best rung of the ladder; the same texts in the same order and seed give the same clusters.

    texts: distinct. vectors: float32 of shape (n_texts, n_dims), unit rows.
    """
    graph = neighbour_graph(texts, vectors)
    judge = Judge(vectors)
    rungs: dict[float, np.ndarray] = {}
    scores: dict[float, float] = {}

    def climb(resolutions: list[float]) -> None:
        # Leiden runs outside the interpreter lock, and each run is seeded: threads change the time, not the result.
        with ThreadPoolExecutor() as pool:
            found = list(pool.map(lambda resolution: communities(graph, resolution, seed), resolutions))
        for resolution, clusters in zip(resolutions, found, strict=True):
            rungs[resolution] = clusters
            scores[resolution] = judge.quality(clusters)

    climb(list(RESOLUTIONS))
    best = max(RESOLUTIONS, key=lambda resolution: scores[resolution])
    climb([best / 1.25, best * 1.25])
    best = _middle_of_best(scores)
    finer = min((r for r in RESOLUTIONS if r >= 2.0 * best), default=RESOLUTIONS[-1])
    clusters, quality = _merge(rungs[best], scores[best], vectors, judge)
    return Clustering(_drop_small(clusters), rungs[finer], quality)


def _middle_of_best(scores: dict[float, float]) -> float:
    """Return the middle one of the resolutions whose score is within `NEAR_TIE` of the best."""
    ties = [resolution for resolution in sorted(scores) if scores[resolution] >= max(scores.values()) * (1 - NEAR_TIE)]
    return ties[len(ties) // 2]


class Judge:
    """Says how good a partition of `vectors` is; holds what all partitions share."""

    def __init__(self, vectors: np.ndarray) -> None:
        centred = vectors[:SCORED_TEXTS] - vectors[:SCORED_TEXTS].mean(axis=0)
        self._vectors = vectors[:SCORED_TEXTS]
        self._inputs = np.hstack([centred, np.ones((len(centred), 1), dtype=np.float32)])
        self._halves = np.arange(len(centred)) % 2
        identity = np.eye(self._inputs.shape[1], dtype=np.float32)
        self._factors = [
            cho_factor(self._inputs[self._halves != half].T @ self._inputs[self._halves != half] + identity)
            for half in (0, 1)
        ]

    def quality(self, clusters: np.ndarray) -> float:
        """Return silhouette times share recognised, -1 to 1; 0 for a single cluster. clusters: -1 counts as wrong."""
        clusters = clusters[: len(self._vectors)]
        kept = clusters >= 0
        names, numbers = np.unique(clusters[kept], return_inverse=True)
        if len(names) < 2:
            return 0.0
        membership = sp.csr_matrix(
            (np.ones(len(numbers), dtype=np.float32), (np.flatnonzero(kept), numbers)), (len(clusters), len(names))
        )
        return self._silhouette(membership, kept, numbers) * self._recognised(membership, kept, numbers)

    def _silhouette(self, membership: sp.csr_matrix, kept: np.ndarray, numbers: np.ndarray) -> float:
        """Return the mean over all texts of (own - next) / max distance, in cosines to centroids without the text."""
        sums = np.asarray(membership.T @ self._vectors)
        vectors = self._vectors[kept]
        cosine = vectors @ _unit(sums).T
        own = np.einsum("ij,ij->i", _unit(sums[numbers] - vectors), vectors)
        cosine[np.arange(len(vectors)), numbers] = -1.0
        other = cosine.max(axis=1)
        return float(((own - other) / np.maximum(np.maximum(1 - own, 1 - other), 1e-6)).sum() / len(kept))

    def _recognised(self, membership: sp.csr_matrix, kept: np.ndarray, numbers: np.ndarray) -> float:
        """Return the share of all texts that a classifier fitted on the other half puts into their own cluster."""
        right = 0
        clusters = np.full(len(kept), -1)
        clusters[kept] = numbers
        for half, factor in zip((0, 1), self._factors, strict=True):
            fitted, asked = self._halves != half, self._halves == half
            weights = cho_solve(factor, np.asarray(membership[fitted].T @ self._inputs[fitted]).T)
            right += int(((self._inputs[asked] @ weights).argmax(axis=1) == clusters[asked]).sum())
        return right / len(kept)


def communities(graph: sp.csr_matrix, resolution: float, seed: int) -> np.ndarray:
    """Return each node's community by Leiden with modularity: int64, from 0."""
    _, found = graspologic_native.leiden_csr(
        graph.indptr.astype(np.int64),
        graph.indices.astype(np.int32),
        graph.data,
        graph.shape[0],
        resolution=resolution,
        seed=seed,
    )
    return np.fromiter((found[node] for node in range(graph.shape[0])), dtype=np.int64, count=graph.shape[0])


def _merge(clusters: np.ndarray, quality: float, vectors: np.ndarray, judge: Judge) -> tuple[np.ndarray, float]:
    """Return (clusters, quality) after merging by average linkage of centroids where that is clearly better.

    Communities cannot join what no edge joins: variants of a phrase with more repeats than a text has neighbours.
    """
    n_clusters = int(clusters.max()) + 1
    if n_clusters < 3:
        return clusters, quality
    membership = sp.csr_matrix((np.ones(len(clusters), dtype=np.float32), (clusters, np.arange(len(clusters)))))
    tree = linkage(_unit(np.asarray(membership @ vectors)), method="average", metric="cosine")
    counts = np.arange(n_clusters - 1, 1, -1)
    if len(counts) > 30:
        counts = np.unique(np.round(n_clusters * 0.8 ** np.arange(1, 20)).astype(int))[::-1]
        counts = counts[counts >= 2]
    best, best_quality = clusters, quality * MERGE_MARGIN
    for count in counts:
        merged = fcluster(tree, int(count), criterion="maxclust").astype(np.int64)[clusters] - 1
        found = judge.quality(merged)
        if found > best_quality:
            best, best_quality = merged, found
        elif found < 0.7 * best_quality:
            break
    return best, (quality if best is clusters else best_quality)


def _drop_small(clusters: np.ndarray) -> np.ndarray:
    """Return the clusters with those under `MIN_SIZE` texts as -1, the rest numbered from the largest."""
    sizes = np.bincount(clusters)
    order = [cluster for cluster in np.argsort(-sizes, kind="stable") if sizes[cluster] >= MIN_SIZE]
    number = np.full(len(sizes), -1, dtype=np.int64)
    number[order] = np.arange(len(order))
    return number[clusters]


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
