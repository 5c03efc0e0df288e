"""How good a partition of texts into topics is, without knowing how many topics there are.

Two things are asked of it and multiplied. Its clusters are apart: the simplified leave-one-out silhouette (Hruschka,
de Castro, Campello 2004) of the vectors. And they can be recognised: the share of texts that a ridge classifier fitted
on the other half of the texts puts where the partition has them (the idea of prediction strength, Tibshirani, Walther
2005). By it a refit tells whether fresh clusters are better than those that there are; which level of the merges a fit
keeps is told by `topics.apart`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

SCORED_TEXTS = 12_000
"""Texts that a partition is judged by, when there are more: the figures of other draws of so many differ by 1 %."""


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
        """Return what the quality of `clusters` follows from."""
        clusters = clusters[: len(self._vectors)]
        kept = np.flatnonzero(clusters >= 0)
        names, numbers = np.unique(clusters[kept], return_inverse=True)
        shape = (len(names), len(clusters))
        membership = sp.csr_matrix((np.ones(len(kept), dtype=np.float32), (numbers, kept)), shape)
        sums = np.asarray(membership @ self._vectors)
        votes = np.empty(shape, dtype=np.float32)
        for half, asked in enumerate(self._asked):
            votes[:, half::2] = np.asarray(membership[:, 1 - half :: 2] @ self._inputs[1 - half :: 2]) @ asked.T
        votes = votes if len(kept) == len(clusters) else votes[:, kept]
        vectors = self._vectors if len(kept) == len(clusters) else self._vectors[kept]
        return Measure(names, numbers, sums, sums @ vectors.T, votes, len(clusters))


@dataclass(frozen=True)
class Measure:
    """A partition as its judge sees it.

    names: of the clusters, int64 (n_clusters,). numbers: place in `names` of each kept text's cluster, (n_kept,).
    sums: of the clusters' vectors, float32 (n_clusters, n_dims). near: products of the texts with them.
    votes: of the classifier for each cluster; both float32 (n_clusters, n_kept). n_texts: kept or not.
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
        product = self.near[self.numbers, rows]
        # Of a unit vector v and the sum s that it is part of: cosine of v and s - v.
        rest = np.sqrt(np.maximum(square[self.numbers] - 2 * product + 1, 0))
        own = np.divide(product - 1, rest, out=np.zeros_like(rest), where=rest > 1e-3)
        cosine = self.near * (1 / np.sqrt(np.maximum(square, 1e-12)))[:, None]
        cosine[self.numbers, rows] = -1.0
        other = cosine.max(axis=0)
        apart = ((own - other) / np.maximum(np.maximum(1 - own, 1 - other), 1e-6)).sum() / self.n_texts
        recognised = self.votes[self.numbers, rows] >= self.votes.max(axis=0)
        return float(apart * recognised.sum() / self.n_texts)
