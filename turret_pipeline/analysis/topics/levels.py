"""Levels over fine clusters: which of them belong together, in order, and which texts sit on the wrong side.

Vectors of sentences say well which texts mean nearly the same, but not which groups of texts a reader would call one
topic: all groups of a bank's customers are close. The words that a whole group uses say that better, and a group has
enough words to compare where a single short text has not. Hence `merge_order` weighs both, and `settle` moves single
texts by the words of the groups and by what their neighbours are.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

WORD_AFFINITY = 4.0
"""Of the words' cosine beside the logarithm of the links' ratio to chance; 2 to 8 do nearly as well."""

SMOOTHING = 20.0
"""Words of the whole field mixed into those of each cluster; 5 to 100 do nearly as well."""

NEIGHBOUR_WEIGHT = 8.0
"""Natural logarithm of how much likelier a cluster is that has all of a text's neighbours; 16 does nearly as well."""

FEWEST_LINKS = 1e-3
"""Ratio to chance that counts where no link is: clusters without one can still merge, by their words."""

N_SWEEPS = 6
BLOCK = 4096
"""Texts that are compared with all clusters at once."""

LEAST_MEMBERSHIP = 1e-3
"""Below which a text is in a cluster not at all: texts by clusters would not fit into memory otherwise."""


def merge_order(graph: sp.csr_matrix, words: sp.csr_matrix, clusters: np.ndarray) -> np.ndarray:
    """Return the merges of two clusters, most alike first, down to one: int64 (n_clusters - 1, 2), (stays, goes).

    graph: as `neighbour_graph`. words: 1 where a text has a word, (n_texts, n_words). clusters: of each text, from 0.

    Alike are clusters with more links between them than chance would make (the ratio is that of Paris: Bonald,
    Charpentier, Galland, Hollocou 2018) and with the same telling words (cosine of the square roots of the words'
    shares, weighted by rarity).
    """
    n_clusters = int(clusters.max()) + 1
    member = sp.csr_matrix((np.ones(len(clusters)), (clusters, np.arange(len(clusters)))))
    links = np.asarray((member @ graph @ member.T).todense())
    weight = links.sum(axis=1)
    counts = np.asarray((member @ words).todense(), dtype=np.float64)
    in_texts = np.asarray(words.sum(axis=0), dtype=np.float64).ravel()
    rarity, common = np.log(len(clusters) / np.maximum(in_texts, 1)), in_texts / max(in_texts.sum(), 1.0)

    def telling(counted: np.ndarray) -> np.ndarray:
        """Return the words' weights, unit rows: float32, as many clusters by all words are much to go through."""
        shares = (counted + SMOOTHING * common) / (counted.sum(axis=-1, keepdims=True) + SMOOTHING)
        found = np.sqrt(shares) * rarity
        length = np.maximum(np.linalg.norm(found, axis=-1, keepdims=True), 1e-12)
        unit: np.ndarray = (found / length).astype(np.float32)
        return unit

    said = telling(counts)
    alike = np.log(links * weight.sum() / np.outer(weight, weight) + FEWEST_LINKS) + WORD_AFFINITY * (said @ said.T)
    np.fill_diagonal(alike, -np.inf)
    here = np.ones(n_clusters, dtype=bool)
    merges = np.zeros((max(n_clusters - 1, 0), 2), dtype=np.int64)
    for step in range(n_clusters - 1):
        stays, goes = sorted(int(place) for place in np.unravel_index(int(alike.argmax()), alike.shape))
        merges[step] = stays, goes
        here[goes] = False
        links[stays] += links[goes]
        links[:, stays] += links[:, goes]
        weight[stays] += weight[goes]
        counts[stays] += counts[goes]
        said[stays] = telling(counts[stays])
        row = np.log(links[stays] * weight.sum() / (weight[stays] * weight) + FEWEST_LINKS)
        row += WORD_AFFINITY * (said @ said[stays])
        row[~here] = -np.inf
        row[stays] = -np.inf
        alike[stays], alike[:, stays] = row, row
        alike[goes], alike[:, goes] = -np.inf, -np.inf
    return merges


def settle(graph: sp.csr_matrix, words: sp.csr_matrix, clusters: np.ndarray) -> np.ndarray:
    """Return the clusters after texts moved to where their words and their neighbours are: int64 (n_texts,), from 0.

    graph, words, clusters: as `merge_order`. Expectation maximisation of a mixture of multinomials over words (Nigam,
    McCallum, Thrun, Mitchell 2000), whose memberships are also drawn to those of the neighbours in the graph. Words
    alone or neighbours alone make things worse; each keeps the other from drifting.
    """
    clusters = clusters.copy()
    n_texts, n_clusters = len(clusters), int(clusters.max()) + 1
    ones = np.ones(n_texts, dtype=np.float32)
    member = sp.csr_matrix((ones, clusters, np.arange(n_texts + 1)), shape=(n_texts, n_clusters))
    total = np.asarray(words.sum(axis=0), dtype=np.float32).ravel() + 0.5
    common = total / total.sum()
    near = sp.diags_array(1 / np.asarray(graph.sum(axis=1)).ravel()).astype(np.float32) @ graph.astype(np.float32)
    by_word = words.T.tocsr()
    for sweep in range(N_SWEEPS):
        counted = (by_word @ member).toarray()
        shares = (counted + SMOOTHING * common[:, None]) / (counted.sum(axis=0) + SMOOTHING)
        telling = np.log(shares / common[:, None])
        size = np.log(np.asarray(member.sum(axis=0)).ravel() + 1.0)
        nearby = NEIGHBOUR_WEIGHT * (near @ member)
        blocks = []
        for rows in (slice(start, start + BLOCK) for start in range(0, n_texts, BLOCK)):
            found = words[rows] @ telling + nearby[rows].toarray() + size
            if sweep == N_SWEEPS - 1:
                clusters[rows] = found.argmax(axis=1)
                continue
            found = np.exp(found - found.max(axis=1, keepdims=True))
            found /= found.sum(axis=1, keepdims=True)
            blocks.append(_above(found, LEAST_MEMBERSHIP))
        member = sp.vstack(blocks, format="csr") if blocks else member
    return np.unique(clusters, return_inverse=True)[1].astype(np.int64)


def _above(matrix: np.ndarray, least: float) -> sp.csr_matrix:
    """Return the entries of at least `least`, the others as 0; `csr_matrix(matrix)` takes ten times as long."""
    is_kept = matrix >= least
    kept = np.flatnonzero(is_kept)
    starts = np.concatenate([[0], np.cumsum(np.count_nonzero(is_kept, axis=1))])
    return sp.csr_matrix((matrix.ravel()[kept], kept % matrix.shape[1], starts), matrix.shape)
