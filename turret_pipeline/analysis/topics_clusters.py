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
        self._vectors = vectors[:SCORED_TEXTS]
        centred = self._vectors - self._vectors.mean(axis=0)
        self._inputs = np.hstack([centred, np.ones((len(centred), 1), dtype=np.float32)])
        identity = np.eye(self._inputs.shape[1], dtype=np.float32)
        # The ridge classifier of one half, asked about the other, is this matrix times the sums of the first half.
        self._asked = []
        for half in (0, 1):
            fitted = self._inputs[1 - half :: 2]
            inverse = np.linalg.inv(fitted.T @ fitted + identity)
            self._asked.append(self._inputs[half::2] @ inverse)

    def quality(self, clusters: np.ndarray) -> float:
        """Return silhouette times share recognised, -1 to 1; 0 for a single cluster. clusters: -1 counts as wrong."""
        return self.measure(clusters).quality()

    def measure(self, clusters: np.ndarray) -> Measure:
        """Return what the quality of `clusters`, and of any merge of them, follows from."""
        clusters = clusters[: len(self._vectors)]
        kept = np.flatnonzero(clusters >= 0)
        names, numbers = np.unique(clusters[kept], return_inverse=True)
        shape = (len(names), len(clusters))
        membership = sp.csr_matrix((np.ones(len(kept), dtype=np.float32), (numbers, kept)), shape)
        sums = np.asarray(membership @ self._vectors)
        votes = np.empty((len(clusters), len(names)), dtype=np.float32)
        for half, asked in enumerate(self._asked):
            votes[half::2] = asked @ np.asarray(membership[:, 1 - half :: 2] @ self._inputs[1 - half :: 2]).T
        votes = votes if len(kept) == len(clusters) else votes[kept]
        vectors = self._vectors if len(kept) == len(clusters) else self._vectors[kept]
        return Measure(names, numbers, sums, vectors @ sums.T, votes, len(clusters))


@dataclass(frozen=True)
class Measure:
    """A partition as its judge sees it. All but the sizes add up when clusters are merged, so merges cost little.

    names: of the clusters, int64 (n_clusters,). numbers: place in `names` of each kept text's cluster, (n_kept,).
    sums: of the clusters' vectors, float32 (n_clusters, n_dims). near: products of the texts with them.
    votes: of the classifier for each cluster; both float32 (n_kept, n_clusters). n_texts: kept or not.
    """

    names: np.ndarray
    numbers: np.ndarray
    sums: np.ndarray
    near: np.ndarray
    votes: np.ndarray
    n_texts: int

    def quality(self) -> float:
        """Return silhouette times share recognised."""
        if len(self.names) < 2:
            return 0.0
        rows = np.arange(len(self.numbers))
        square = np.einsum("ij,ij->i", self.sums, self.sums)
        product = self.near[rows, self.numbers]
        # Of a unit vector v and the sum s that it is part of: cosine of v and s - v.
        rest = np.sqrt(np.maximum(square[self.numbers] - 2 * product + 1, 0))
        own = np.divide(product - 1, rest, out=np.zeros_like(rest), where=rest > 1e-3)
        cosine = self.near * (1 / np.sqrt(np.maximum(square, 1e-12)))
        cosine[rows, self.numbers] = -1.0
        other = cosine.max(axis=1)
        apart = ((own - other) / np.maximum(np.maximum(1 - own, 1 - other), 1e-6)).sum() / self.n_texts
        return float(apart * (self.votes.argmax(axis=1) == self.numbers).sum() / self.n_texts)

    def merged(self, into: np.ndarray) -> Measure:
        """Return the measure after merging; into: the new cluster of each, int64 (n_clusters,)."""
        names, places = np.unique(into, return_inverse=True)
        table = np.zeros((len(self.names), len(names)), dtype=np.float32)
        table[np.arange(len(places)), places] = 1.0
        near, votes = self.near @ table, self.votes @ table
        return Measure(names, places[self.numbers], table.T @ self.sums, near, votes, self.n_texts)


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
    measure = judge.measure(clusters)
    sizes = np.bincount(clusters, minlength=n_clusters)
    # Weighed by evenness: one giant and a splinter are far apart and easily told, and no use to anybody.
    best, best_quality = clusters, quality * _evenness(sizes) * MERGE_MARGIN
    for count in counts:
        into = fcluster(tree, int(count), criterion="maxclust").astype(np.int64) - 1
        even = _evenness(np.bincount(into, weights=sizes))
        found = measure.merged(into[measure.names]).quality() * even
        if found > best_quality:
            best, best_quality = into[clusters], found
        elif found < 0.7 * best_quality:
            break
    return best, (quality if best is clusters else judge.quality(best))


def _evenness(sizes: np.ndarray) -> float:
    """Return exp(entropy) of the sizes by their number (Hill 1973): 1 for equal sizes, towards 0 for one giant."""
    share = sizes[sizes > 0] / sizes.sum()
    return float(np.exp(-(share * np.log(share)).sum()) / len(sizes))


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
