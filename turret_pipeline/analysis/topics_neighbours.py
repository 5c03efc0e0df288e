"""The graph of nearest neighbours: which texts mean nearly the same, and use the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

if TYPE_CHECKING:
    import torch

N_CANDIDATES = 50
N_NEIGHBOURS = 15
WORD_WEIGHT = 0.3
"""Of the tf-idf cosine beside the embeddings' cosine; 0.1 to 1 do nearly as well, 0 costs 0.02 to 0.04 accuracy."""

EXACT_UP_TO = 30_000
"""Texts up to which every pair is compared; past it a text is compared with those of the nearest cells only."""

N_CELLS_PROBED = 16
WORD = r"(?u)\b\w[\w'\u2019-]*\b"
READ_CHARACTERS = 1_000
"""Of a text, from its beginning: what is read for words and phrases, as long prompts mostly carry material."""


def neighbour_graph(terms: sp.csr_matrix, vectors: np.ndarray) -> sp.csr_matrix:
    """Return the symmetric graph of each text's nearest others, weighted by meaning and shared words.

    terms: of `count_terms`. vectors: float32 of shape (n_texts, n_dims), unit rows.
    """
    n_texts = len(vectors)
    rows, weight = nearest_neighbours(vectors, min(N_CANDIDATES, n_texts - 1))
    weight = weight + WORD_WEIGHT * shared_words(terms, rows)
    # Few texts have few of their kind: 15 neighbours of 100 texts would tie everything to everything.
    k = int(np.clip(n_texts // 10, 5, min(N_NEIGHBOURS, rows.shape[1])))
    best = np.argsort(-weight, axis=1, kind="stable")[:, :k]
    rows, weight = np.take_along_axis(rows, best, axis=1), np.take_along_axis(weight, best, axis=1)
    values = np.maximum(weight, 1e-6).ravel().astype(np.float64)
    graph = sp.csr_matrix((values, (np.repeat(np.arange(n_texts), k), rows.ravel())), shape=(n_texts, n_texts))
    graph = graph.maximum(graph.T).tocsr()
    graph.sort_indices()
    return graph


def nearest_neighbours(vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (row numbers, cosines) of each row's k nearest others, nearest first; int32 and float32, (n_texts, k).

    Exact up to `EXACT_UP_TO` rows; past it by an inverted file (Jegou, Douze, Schmid 2011) over about sqrt(n) cells.
    """
    import torch

    n_texts = len(vectors)
    rows = np.zeros((n_texts, k), dtype=np.int32)
    cosines = np.full((n_texts, k), -1.0, dtype=np.float32)
    all_rows = torch.from_numpy(np.ascontiguousarray(vectors))
    with torch.inference_mode():
        for queries, pool in _blocks(all_rows):
            found = all_rows[queries] @ (all_rows if pool is None else all_rows[pool]).T
            found[queries[:, None] == (torch.arange(n_texts) if pool is None else pool)[None, :]] = -2.0
            values, best = torch.topk(found, min(k, found.shape[1] - 1), dim=1)
            names = best if pool is None else pool[best]
            rows[queries.numpy(), : best.shape[1]] = names.numpy()
            cosines[queries.numpy(), : best.shape[1]] = values.numpy()
    return rows, cosines


def count_terms(texts: list[str]) -> tuple[sp.csr_matrix, np.ndarray]:
    """Return (how often each text has each term, which terms are single words): float32 (n_texts, n_terms) and bool.

    Terms are words and pairs of words that stand in two texts at least; there may be none.
    """
    counter = CountVectorizer(min_df=2, ngram_range=(1, 2), token_pattern=WORD, dtype=np.float32)
    try:
        counts = counter.fit_transform([text[:READ_CHARACTERS] for text in texts])
    except ValueError:  # no word stands in two texts
        return sp.csr_matrix((len(texts), 0), dtype=np.float32), np.zeros(0, dtype=bool)
    return counts.tocsr(), np.array([" " not in term for term in counter.get_feature_names_out()])


def shared_words(terms: sp.csr_matrix, rows: np.ndarray) -> np.ndarray:
    """Return the tf-idf cosine of each text and its candidates: float32, shape of `rows`."""
    if terms.shape[1] == 0:
        return np.zeros(rows.shape, dtype=np.float32)
    weighed = TfidfTransformer(sublinear_tf=True).fit_transform(terms)
    found = np.empty(rows.shape, dtype=np.float32)
    for column in range(rows.shape[1]):
        found[:, column] = np.asarray(weighed.multiply(weighed[rows[:, column]]).sum(axis=1)).ravel()
    return found


def _blocks(vectors: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
    """Return (rows that ask, rows they are compared with; None for all), each row asking once."""
    import torch

    n_texts = len(vectors)
    if n_texts <= EXACT_UP_TO:
        return [(torch.arange(start, min(start + 2048, n_texts)), None) for start in range(0, n_texts, 2048)]
    n_cells = int(np.sqrt(n_texts))
    training = vectors[: 40 * n_cells]
    centres = training[:n_cells].clone()
    for _ in range(4):
        own = (training @ centres.T).argmax(dim=1)
        sums = torch.zeros_like(centres).index_add_(0, own, training)
        centres = torch.where(sums.norm(dim=1, keepdim=True) > 0, torch.nn.functional.normalize(sums, dim=1), centres)
    own = torch.cat([(vectors[start : start + 8192] @ centres.T).argmax(dim=1) for start in range(0, n_texts, 8192)])
    order = torch.argsort(own, stable=True)
    members = torch.split(order, torch.bincount(own, minlength=n_cells).tolist())
    near = torch.topk(centres @ centres.T, min(N_CELLS_PROBED, n_cells), dim=1).indices
    return [
        (members[cell], torch.cat([members[i] for i in near[cell]])) for cell in range(n_cells) if len(members[cell])
    ]
