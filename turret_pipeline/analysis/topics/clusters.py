"""Texts become clusters by their graph: fine communities of nearest neighbours, merged as far as the texts bear out.

1. Graph: each text and its 15 nearest, by embedding cosine plus 0.3 of tf-idf cosine (`topics.neighbours`).
2. Fine clusters: Leiden communities (Traag, Waltman, van Eck 2019) by modularity at a high resolution. Each text is in
   one; nothing is left over as HDBSCAN leaves it.
3. Levels: fine clusters merged one after another, those first that have most links and telling words in common; single
   texts settle where their words and neighbours are, before and after (`topics.levels`).
4. The level to keep, without knowing how many topics there are: of those whose clusters are about as far apart as the
   best level's (`topics.apart`), one towards the finer. A reader merges two topics in a moment and cannot split one at
   all; but the very finest are often fragments.

What was tried stands in `benchmarks/topics.md`.
"""

from __future__ import annotations

from collections.abc import Sequence

import graspologic_native
import numpy as np
import scipy.sparse as sp

from turret_pipeline.analysis.topics.apart import Apartness
from turret_pipeline.analysis.topics.centroids import CentroidModel
from turret_pipeline.analysis.topics.levels import merge_order, settle
from turret_pipeline.analysis.topics.neighbours import Terms, neighbour_graph

RESOLUTION = 9.5
"""Of the fine clusters: some 100 to 200 of 10,000 texts, two to four times as many as people make topics of them."""

TEXTS_A_STEP = 60
"""Texts that allow for one more of resolution, up to `RESOLUTION`."""

NEAR_TIE = 0.08
"""Share of the best level's silhouette within which levels are about as good."""

FROM_FINEST = 0.4
"""Way, in logarithms of counts, from the finest to the coarsest of these at which the level is taken."""

STEP = 0.96
"""Ratio of the counts of clusters of one level and the next that are judged."""

LEAST_EVENNESS = 0.3
"""Of a level's sizes, from 0 for one giant to 1 for equal ones: a giant and splinters are well apart, and of no use."""

MOST_PARTS = 4
"""Fine clusters in a topic, on average, past which a level is one of themes: its quality counts the less the coarser it
is. Two apps' messages in one field, or code and prose, are further apart than any topics of one of them."""

MIN_SIZE = 5
"""Distinct texts that make a topic."""


class GraphClusters(CentroidModel):
    """A cluster model as BERTopic and scikit-learn take it, whose clusters are the best level of the merges.

    The same texts in the same order and seed give the same clusters, which are numbered from the largest.
    """

    def __init__(self, terms: Terms, said_in: Sequence[str] | None = None, *, seed: int = 0) -> None:
        """Take the words and languages of the texts, which the vectors given to `fit` are of, in the same order.

        said_in: as `labels.languages.languages_of`; None: all are in one language.
        """
        self._terms, self._seed = terms, seed
        self._languages = None if said_in is None else _numbered(said_in)

    def fit(self, vectors: np.ndarray, y: np.ndarray | None = None) -> GraphClusters:
        """Find the clusters of `vectors`: float32 of shape (n_texts, n_dims), unit rows."""
        graph = neighbour_graph(self._terms.counts, vectors)
        words = self._terms.frequent_words()
        # A cluster of two or three texts has no words to speak of: few texts start from fewer clusters.
        resolution = float(np.clip(len(vectors) / TEXTS_A_STEP, 1.0, RESOLUTION))
        fine = settle(graph, words, communities(graph, resolution, self._seed))
        best = _best_level(fine, merge_order(graph, words, fine), Apartness(vectors, graph, fine, self._languages))
        self._keep(_drop_small(settle(graph, words, best)), vectors)
        return self


def _numbered(said_in: Sequence[str]) -> np.ndarray:
    """Return a number for each language, -1 for an unknown one (""): int64 (n_texts,)."""
    names, numbers = np.unique(np.array(said_in, dtype=str), return_inverse=True)
    found: np.ndarray = np.where(names[numbers] == "", -1, numbers)
    return found


def _best_level(fine: np.ndarray, merges: np.ndarray, apart: Apartness) -> np.ndarray:
    """Return the clusters of a level that is about as good as the best; merges: of `merge_order`."""
    into, count = np.arange(len(merges) + 1), len(merges) + 1
    sizes = np.bincount(fine)
    levels, qualities, judged = [into.copy()], [apart.of_level(into)], count
    for stays, goes in merges[:-1]:
        into[into == goes] = stays
        count -= 1
        if count <= STEP * judged or count == 2:
            judged = count
            level = np.unique(into, return_inverse=True)[1]
            if _evenness(np.bincount(level, weights=sizes)) >= LEAST_EVENNESS:
                levels.append(level)
                quality, fineness = apart.of_level(level), min(1.0, count * MOST_PARTS / len(into))
                qualities.append(quality * fineness if quality > 0 else quality / fineness)
    best = max(qualities)
    good = [level for level, found in zip(levels, qualities, strict=True) if found >= best - NEAR_TIE * abs(best)]
    counts = np.log([level.max() + 1 for level in good])
    wanted = counts[0] + FROM_FINEST * (counts[-1] - counts[0])
    clusters: np.ndarray = good[int(np.abs(counts - wanted).argmin())][fine]
    return clusters


def _evenness(sizes: np.ndarray) -> float:
    """Return how many clusters of equal size would be as diverse (Hill 1973), less one, by the clusters less one."""
    share = sizes[sizes > 0] / sizes.sum()
    return float((np.exp(-(share * np.log(share)).sum()) - 1) / max(len(share) - 1, 1))


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


def _drop_small(clusters: np.ndarray) -> np.ndarray:
    """Return the clusters with those under `MIN_SIZE` texts as -1, the rest numbered from the largest."""
    sizes = np.bincount(clusters)
    order = [cluster for cluster in np.argsort(-sizes, kind="stable") if sizes[cluster] >= MIN_SIZE]
    number = np.full(len(sizes), -1, dtype=np.int64)
    number[order] = np.arange(len(order))
    numbered: np.ndarray = number[clusters]
    return numbered
