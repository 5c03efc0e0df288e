"""Where topics stand to one another: themes over them, and a place for each on a map in the plane."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage


def find_themes(centroids: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the theme of each topic, 0 to n_themes-1; no themes (empty) where there are fewer than six topics.

    centroids: float32 of shape (n_topics, n_dims), unit rows. sizes: distinct texts of each, shape (n_topics,).
    """
    n_topics = len(centroids)
    if n_topics < 6:
        return np.zeros(0, dtype=np.int64)
    tree = linkage(centroids, method="ward")
    n_themes = int(np.clip(round(np.sqrt(n_topics) * 1.2), 2, n_topics // 2))
    return fcluster(tree, n_themes, criterion="maxclust").astype(np.int64) - 1


def place_on_map(centroids: np.ndarray) -> np.ndarray:
    """Return places in the plane, float64 of shape (n_rows, 2), within -1 to 1: the two main directions."""
    middle = centroids - centroids.mean(axis=0)
    if len(centroids) < 3:
        return np.column_stack([np.linspace(-1, 1, len(centroids) + 2)[1:-1], np.zeros(len(centroids))])
    # By the products of the rows with one another: a small matrix, where that of the dimensions is a large one.
    values, directions = np.linalg.eigh(middle.astype(np.float64) @ middle.T.astype(np.float64))
    places = directions[:, [-1, -2]] * np.sqrt(np.maximum(values[[-1, -2]], 0))
    largest = np.abs(places).argmax(axis=0)
    places *= np.where(places[largest, [0, 1]] < 0, -1.0, 1.0)
    return places / max(float(np.abs(places).max()), 1e-12)
