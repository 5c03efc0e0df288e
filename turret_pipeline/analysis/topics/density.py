"""Texts become clusters by density, as BERTopic finds them of itself: UMAP to five dimensions, then HDBSCAN.

Another way than the graph's (`topics.clusters`): chosen by a setting, slower, and compared in `benchmarks/topics.md`.
HDBSCAN leaves a tenth to a fifth of the texts in no cluster; these join the nearest, and `refit.SteadyClusters` takes
out those that are far from any, as it does for every cluster model.

Importing this module compiles UMAP and HDBSCAN, which takes seconds; so `topics.fit` does it where they are chosen.
"""

from __future__ import annotations

import warnings

import numpy as np

from turret_pipeline.analysis.topics.centroids import CentroidModel, join_nearest
from turret_pipeline.analysis.topics.clusters import MIN_SIZE

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the libraries' own making, at import
    from hdbscan import HDBSCAN
    from umap import UMAP

TEXTS_A_CLUSTER = 260
"""Texts of the field for each text that a cluster has to have: 50 of 13,000. With BERTopic's own 10, thousands of texts
fall apart into hundreds of clusters."""


class DensityClusters(CentroidModel):
    """A cluster model as BERTopic and scikit-learn take it: HDBSCAN (Campello, Moulavi, Sander 2013) after UMAP.

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
            # What `BERTopic()` takes, but seeded.
            reduction = UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=self._seed)
            found = HDBSCAN(min_cluster_size=least, core_dist_n_jobs=1).fit(reduction.fit_transform(vectors))
        labels = found.labels_.astype(np.int64)
        self.probabilities_ = found.probabilities_
        self._keep(join_nearest(labels, vectors) if labels.max() >= 0 else labels, vectors)
        return self
