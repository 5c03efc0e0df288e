"""BERTopic with our parts in it: our clusters in place of UMAP and HDBSCAN, its c-TF-IDF for the keywords.

Importing this module imports BERTopic, which takes seconds; so `topics` does it inside the fit.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from turret_pipeline.analysis.topics.neighbours import Terms

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # BERTopic changes the process's warning filters when imported
    from bertopic import BERTopic
    from bertopic.backend import BaseEmbedder
    from bertopic.dimensionality import BaseDimensionalityReduction
    from bertopic.vectorizers import ClassTfidfTransformer

N_WORDS = 30


class GivenClusters:
    """BERTopic's `hdbscan_model`: fit leaves `labels_`, one cluster a vector, -1 for none."""

    def __init__(self, find: Callable[[np.ndarray], np.ndarray]) -> None:
        self._find = find
        self.labels_ = np.zeros(0, dtype=np.int64)

    def fit(self, vectors: np.ndarray, y: np.ndarray | None = None) -> GivenClusters:
        self.labels_ = self._find(vectors)
        return self


class GivenCounts:
    """BERTopic's `vectorizer_model` where its texts are row numbers: the words of these rows, counted already."""

    def __init__(self, terms: Terms) -> None:
        self._counts, self._words = terms.of_words, terms.words

    def fit_transform(self, groups: list[str]) -> sp.csr_matrix:
        """Return how often each group of rows ("0 7 12") has each word: (n_groups, n_words)."""
        rows = [np.array(group.split(), dtype=np.int64) for group in groups]
        places = np.concatenate(rows), np.repeat(np.arange(len(rows)), [len(found) for found in rows])
        shape = len(rows), self._counts.shape[0]
        return sp.csr_matrix((np.ones(len(places[0])), (places[1], places[0])), shape) @ self._counts

    def get_feature_names_out(self) -> list[str]:
        return self._words


class _KeywordsOnly(BERTopic):
    def _save_representative_docs(self, documents: object) -> None:
        """Leave out BERTopic's search for typical texts, half of its time: ours are those nearest the centroid."""

    @staticmethod
    def _top_n_values_sparse(matrix: sp.csr_matrix, indices: np.ndarray) -> np.ndarray:
        """Return the values at `indices` (n_topics, n_words; None for none), a row at a time: BERTopic's own takes
        each by itself, a third of a second for a hundred topics."""
        places, there = np.where(indices == None, 0, indices).astype(np.int64), indices != None  # noqa: E711
        return np.array([matrix[[row]].toarray()[0][found] for row, found in enumerate(places)]) * there


def find_topics(
    terms: Terms, vectors: np.ndarray, find: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, list[list[str]]]:
    """Return (clusters, keywords of each): what `find` makes of the vectors, numbered from the largest, and its words.

    terms: of distinct texts that are not blank. vectors: float32 of shape (n_texts, n_dims). clusters: int64
    (n_texts,), -1 for none.
    """
    if not terms.words:  # BERTopic cannot do without
        clusters = find(vectors)
        return clusters, [[] for _ in range(int(clusters.max(initial=-1)) + 1)]
    model = _KeywordsOnly(
        embedding_model=BaseEmbedder(),
        umap_model=BaseDimensionalityReduction(),
        hdbscan_model=GivenClusters(find),
        vectorizer_model=GivenCounts(terms),
        ctfidf_model=ClassTfidfTransformer(bm25_weighting=True, reduce_frequent_words=True),
        top_n_words=N_WORDS,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, _ = model.fit_transform([str(row) for row in range(len(vectors))], embeddings=vectors)
    clusters = np.asarray(found, dtype=np.int64)
    words = model.get_topics()
    keywords = [[word for word, _ in words[topic] if word] for topic in range(int(clusters.max(initial=-1)) + 1)]
    return clusters, keywords
