"""How far apart the clusters of a level are, when texts that say nearly the same are left out of account.

The silhouette (Rousseeuw 1987) of cosines: how much nearer a text is, on average, to the texts of its own cluster than
to those of the nearest other one. A text always has its like: the same sentence in another language, with another
product in it or in other words; and a level whose clusters hold no more than that would be the best of all. So texts
that are linked in the graph of neighbours do not count for each other where one is in another language or uses the
same words, nor do a few of the others. What is asked is whether the *other* texts of a cluster belong together.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from turret_pipeline.analysis.topics.neighbours import WORD_WEIGHT

SCORED_TEXTS = 8_000
"""Texts that levels are judged by, when there are more."""

TEXTS_A_LINK, TEXTS_A_LIKE = 800, 50
"""Texts of the field for each link of a text that is left out, and for each to one in another language or in the same
words, the closest first: in a field of few texts those linked to a text are most of its topic."""

LEAST_OTHERS = 3
"""Texts of a cluster, beside a text and those linked to it, that its closeness can be told from; with fewer it is 0."""

SAME_WORDS = 0.45
"""Cosine of two texts' words (tf-idf) from which they use the same; .3 to .6 do nearly as well."""

BLOCK = 256
"""Texts whose cosines to the linked ones are computed at once: more would not stay near the processor's caches."""


class Apartness:
    """What the silhouettes of a level, and of any merge of its clusters, follow from: sums that add up."""

    def __init__(
        self, vectors: np.ndarray, graph: sp.csr_matrix, clusters: np.ndarray, languages: np.ndarray | None = None
    ) -> None:
        """Sum up how near each text is to each cluster.

        vectors: float32 of shape (n_texts, n_dims), unit rows. graph: as `neighbour_graph`. clusters: int64 (n_texts,),
        from 0. languages: of each text, int64 (n_texts,), negative where it is unknown; None: all are in one. The first
        `SCORED_TEXTS` are scored, which have to be a random sample.
        """
        languages = np.zeros(len(vectors), dtype=np.int64) if languages is None else languages
        n_clusters, n_scored = int(clusters.max()) + 1, min(len(vectors), SCORED_TEXTS)
        self._own = clusters[:n_scored]
        member = sp.csr_matrix((np.ones(len(clusters), dtype=np.float32), (clusters, np.arange(len(clusters)))))
        self._near = np.asarray(member @ vectors) @ vectors[:n_scored].T  # by cluster and text
        self._counts = np.repeat(np.bincount(clusters).astype(np.float32)[:, None], n_scored, axis=1)
        rows = np.arange(n_scored)
        self._near[self._own, rows] -= 1
        self._counts[self._own, rows] -= 1
        for start in range(0, n_scored, BLOCK):
            links = graph[start : min(start + BLOCK, n_scored)]
            asking, linked = np.repeat(np.arange(links.shape[0]), np.diff(links.indptr)), links.indices
            cosines = np.einsum("ij,ij->i", vectors[start + asking], vectors[linked])
            own, other = languages[start + asking], languages[linked]
            in_words = (links.data - cosines) / WORD_WEIGHT
            is_like = (own != other) | (own < 0) | (in_words >= SAME_WORDS)
            left_out = np.concatenate(
                [
                    _closest(np.flatnonzero(is_like), asking, cosines, len(vectors) // TEXTS_A_LIKE),
                    _closest(np.flatnonzero(~is_like), asking, cosines, len(vectors) // TEXTS_A_LINK),
                ]
            )
            asking, linked, cosines = asking[left_out], linked[left_out], cosines[left_out]
            for sums, values in ((self._near, cosines), (self._counts, np.ones_like(cosines))):
                found = sp.csr_matrix((values, (clusters[linked], asking)), (n_clusters, links.shape[0]))
                sums[:, start : start + links.shape[0]] -= found.toarray()

    def of_level(self, into: np.ndarray) -> float:
        """Return the mean silhouette, -1 to 1, after the clusters were merged; into: new number of each, from 0."""
        n_clusters, rows = int(into.max()) + 1, np.arange(len(self._own))
        if n_clusters < 2:
            return 0.0
        merged = sp.csr_matrix((np.ones(len(into), dtype=np.float32), (into, np.arange(len(into)))))
        mean, counts, own = merged @ self._near, merged @ self._counts, into[self._own]
        mean /= np.maximum(counts, 1)
        mean[counts < 1] = -1.0
        inside = np.where(counts[own, rows] >= LEAST_OTHERS, mean[own, rows], 0.0)
        mean[own, rows] = -1.0
        outside = mean.max(axis=0)
        return float(((inside - outside) / np.maximum(np.maximum(1 - inside, 1 - outside), 1e-6)).mean())


def _closest(links: np.ndarray, asking: np.ndarray, cosines: np.ndarray, k: int) -> np.ndarray:
    """Return those of `links` that are among the k closest of the text that each is of.

    links: rows of `asking` (the text, int64 (n_links,)) and `cosines`.
    """
    order = links[np.lexsort((-cosines[links], asking[links]))]
    texts = asking[order]
    rank = np.arange(len(order)) - np.searchsorted(texts, texts)
    found: np.ndarray = order[rank < k]
    return found
