"""BERTopic with our parts in it: our clusters in place of UMAP and HDBSCAN, its c-TF-IDF for the keywords.

Importing this module imports BERTopic, which takes seconds; so `topics` does it inside the fit.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from turret_pipeline.analysis.topics_neighbours import READ_CHARACTERS, WORD

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


class _KeywordsOnly(BERTopic):
    def _save_representative_docs(self, documents: object) -> None:
        """Leave out BERTopic's search for typical texts, half of its time: ours are those nearest the centroid."""


def find_topics(
    texts: list[str], vectors: np.ndarray, find: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, list[list[str]]]:
    """Return (clusters, keywords of each): what `find` makes of the vectors, numbered from the largest, and its words.

    texts: distinct and not blank. vectors: float32 of shape (n_texts, n_dims). clusters: int64 (n_texts,), -1 for none.
    """
    model = _KeywordsOnly(
        embedding_model=BaseEmbedder(),
        umap_model=BaseDimensionalityReduction(),
        hdbscan_model=GivenClusters(find),
        vectorizer_model=CountVectorizer(token_pattern=WORD),
        ctfidf_model=ClassTfidfTransformer(bm25_weighting=True, reduce_frequent_words=True),
        top_n_words=N_WORDS,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, _ = model.fit_transform([text[:READ_CHARACTERS] + " _" for text in texts], embeddings=vectors)
    clusters = np.asarray(found, dtype=np.int64)
    words = model.get_topics()
    keywords = [
        [word for word, _ in words[topic] if word.strip("_")] for topic in range(int(clusters.max(initial=-1)) + 1)
    ]
    return clusters, keywords
