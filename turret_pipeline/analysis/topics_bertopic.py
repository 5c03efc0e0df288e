"""BERTopic with our parts in it: our clusters in place of UMAP and HDBSCAN, its c-TF-IDF for words, our labels.

Importing this module imports BERTopic, which takes seconds; so `topics` does it inside the fit.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from turret_pipeline.analysis.labels import choose_labels
from turret_pipeline.analysis.topics_clusters import cluster_vectors

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # BERTopic changes the process's warning filters when imported
    from bertopic import BERTopic
    from bertopic.backend import BaseEmbedder
    from bertopic.dimensionality import BaseDimensionalityReduction
    from bertopic.vectorizers import ClassTfidfTransformer

N_KEYWORDS = 10


@dataclass(frozen=True)
class FoundTopics:
    """clusters: int64 of shape (n_texts,), -1 for none, numbered from the largest; the rest one entry a cluster."""

    clusters: np.ndarray
    sizes: np.ndarray
    keywords: list[list[str]]
    labels: list[str]


class GraphClusters:
    """BERTopic's `hdbscan_model`: fit leaves `labels_`, one cluster a vector, -1 for none."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.labels_ = np.zeros(0, dtype=np.int64)

    def fit(self, vectors: np.ndarray, y: np.ndarray | None = None) -> GraphClusters:
        self.labels_ = cluster_vectors(vectors, seed=self.seed)
        return self


def find_topics(texts: list[str], vectors: np.ndarray, *, seed: int) -> FoundTopics:
    """Return the clusters of `vectors` with keywords and labels.

    texts: distinct and not blank. vectors: float32 of shape (n_texts, n_dims), unit rows.
    """
    model = BERTopic(
        embedding_model=BaseEmbedder(),
        umap_model=BaseDimensionalityReduction(),
        hdbscan_model=GraphClusters(seed),
        vectorizer_model=CountVectorizer(token_pattern=r"(?u)\b\w[\w'\u2019]*\b"),
        ctfidf_model=ClassTfidfTransformer(bm25_weighting=True, reduce_frequent_words=True),
        top_n_words=N_KEYWORDS,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, _ = model.fit_transform(texts, embeddings=vectors)
    clusters = np.asarray(found, dtype=np.int64)
    n_topics = int(clusters.max()) + 1
    words = model.get_topics()
    keywords = [[word for word, _ in words[topic] if word] for topic in range(n_topics)]
    return FoundTopics(
        clusters,
        np.bincount(clusters[clusters >= 0], minlength=n_topics),
        keywords,
        choose_labels(texts, vectors, clusters),
    )
