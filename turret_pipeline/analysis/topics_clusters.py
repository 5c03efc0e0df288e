"""Texts become clusters: communities in the graph of nearest neighbours."""

from __future__ import annotations

import graspologic_native
import numpy as np
import scipy.sparse as sp

N_NEIGHBOURS = 15
RESOLUTION = 2.0
MIN_SIZE = 5


def cluster_vectors(vectors: np.ndarray, *, seed: int) -> np.ndarray:
    """Return the cluster of each vector: int64 of shape (n_texts,), -1 for none.

    vectors: float32 of shape (n_texts, n_dims), unit rows.
    """
    n_neighbours = min(N_NEIGHBOURS, len(vectors) - 1)
    neighbours, similarity = nearest_neighbours(vectors, n_neighbours)
    graph = neighbour_graph(neighbours, similarity)
    clusters = communities(graph, RESOLUTION, seed)
    sizes = np.bincount(clusters)
    return np.where(sizes[clusters] >= MIN_SIZE, clusters, -1)


def nearest_neighbours(vectors: np.ndarray, k: int, block: int = 2048) -> tuple[np.ndarray, np.ndarray]:
    """Return (row numbers, cosine similarities) of each row's k nearest others, nearest first; both (n_texts, k)."""
    n_texts = len(vectors)
    rows = np.empty((n_texts, k), dtype=np.int32)
    similarity = np.empty((n_texts, k), dtype=np.float32)
    for start in range(0, n_texts, block):
        found = vectors[start : start + block] @ vectors.T
        found[np.arange(len(found)), np.arange(start, start + len(found))] = -2.0
        best = np.argpartition(found, -k, axis=1)[:, -k:]
        values = np.take_along_axis(found, best, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        rows[start : start + block] = np.take_along_axis(best, order, axis=1)
        similarity[start : start + block] = np.take_along_axis(values, order, axis=1)
    return rows, similarity


def neighbour_graph(neighbours: np.ndarray, weights: np.ndarray) -> sp.csr_matrix:
    """Return the symmetric graph with an edge wherever one of two texts is among the other's neighbours."""
    n_texts, k = neighbours.shape
    start = np.repeat(np.arange(n_texts), k)
    graph = sp.csr_matrix(
        (np.maximum(weights, 1e-6).ravel().astype(np.float64), (start, neighbours.ravel())), shape=(n_texts, n_texts)
    )
    graph = graph.maximum(graph.T).tocsr()
    graph.sort_indices()
    return graph


def communities(graph: sp.csr_matrix, resolution: float, seed: int) -> np.ndarray:
    """Return each node's community by Leiden with modularity (Traag, Waltman, van Eck 2019): int64, from 0."""
    _, found = graspologic_native.leiden_csr(
        graph.indptr.astype(np.int64),
        graph.indices.astype(np.int32),
        graph.data,
        graph.shape[0],
        resolution=resolution,
        seed=seed,
    )
    return np.fromiter((found[node] for node in range(graph.shape[0])), dtype=np.int64, count=graph.shape[0])
