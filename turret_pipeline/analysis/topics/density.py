"""What lies close together, by HDBSCAN (Campello, Moulavi, Sander 2013): clusters of a field, or few new topics.

`DensityClusters` are what BERTopic finds of itself: UMAP to five dimensions, then HDBSCAN. Another way than the graph's
(`topics.clusters`): chosen by a setting, slower, and compared in `benchmarks/topics.md`. HDBSCAN leaves a tenth to a
fifth of the texts in no cluster; these join the nearest, and `refit.SteadyClusters` takes out those that are far from
any, as it does for every cluster model.

`dense_groups` is HDBSCAN where it is best: among the texts that fit no topic, most of which are like no others, it
finds the few that are.
"""

from __future__ import annotations

import warnings

import numpy as np

from turret_pipeline.analysis.topics.centroids import CentroidModel, join_nearest
from turret_pipeline.analysis.topics.clusters import MIN_SIZE

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the libraries' own making, at import
    from hdbscan import HDBSCAN

TEXTS_A_CLUSTER = 260
"""Texts of the field for each text that a cluster has to have: 50 of 13,000. With BERTopic's own 10, thousands of texts
fall apart into hundreds of clusters."""


class DensityClusters(CentroidModel):
    """A cluster model as BERTopic and scikit-learn take it: HDBSCAN after UMAP.

    `probabilities_`: how strongly each text belongs to the cluster that HDBSCAN put it in, float64 (n_texts,); 0 for
    texts that have joined the nearest.
    """

    def __init__(self, *, seed: int = 0) -> None:
        """Take the seed: the same texts in the same order and seed give the same clusters."""
        self._seed = seed
        self.probabilities_ = np.zeros(0)

    def fit(self, vectors: np.ndarray, y: np.ndarray | None = None) -> DensityClusters:
        """Find the clusters of `vectors`: float32 of shape (n_texts, n_dims), unit rows."""
        least = max(MIN_SIZE, len(vectors) // TEXTS_A_CLUSTER)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from umap import UMAP  # compiles for seconds, which fits by the graph need not wait for

            # What `BERTopic()` takes, but seeded.
            reduction = UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=self._seed)
            found = HDBSCAN(min_cluster_size=least, core_dist_n_jobs=1).fit(reduction.fit_transform(vectors))
        labels = found.labels_.astype(np.int64)
        self.probabilities_ = found.probabilities_
        self._keep(join_nearest(labels, vectors) if labels.max() >= 0 else labels, vectors)
        return self


def dense_groups(vectors: np.ndarray, least: int) -> np.ndarray:
    """Return the group of each text: int64 (n_texts,), from 0, -1 for the most, which lie close to too few others.

    vectors: float32 of shape (n_texts, n_dims), unit rows. least: texts in a group. In all dimensions: a reduction of
    few texts follows what they have in common, and loses what sets a few of them apart. Groups are the leaves of
    HDBSCAN's tree: its other choice, by excess of mass, takes most texts as one group where most are of known kinds.
    As it finds what parts from what, a group that is the only one is not found.
    """
    if len(vectors) < 2 * least:
        return np.full(len(vectors), -1, dtype=np.int64)
    distances = np.sqrt(np.maximum(2 - 2 * (vectors @ vectors.T).astype(np.float64), 0))
    np.fill_diagonal(distances, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = HDBSCAN(least, min_samples=MIN_SIZE, metric="precomputed", cluster_selection_method="leaf")
        labels: np.ndarray = model.fit(distances).labels_.astype(np.int64)
    return labels
