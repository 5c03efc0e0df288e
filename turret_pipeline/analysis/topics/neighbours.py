"""The graph of nearest neighbours: which texts mean nearly the same, and use the same words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfTransformer

from turret_pipeline.analysis.topics.words import words_of

if TYPE_CHECKING:
    import torch

N_CANDIDATES = 50
N_NEIGHBOURS = 15
WORD_WEIGHT = 0.3
"""Of the tf-idf cosine beside the embeddings' cosine; 0.1 to 1 do nearly as well, 0 costs 0.02 to 0.04 accuracy."""

EXACT_UP_TO = 5_000
"""Texts up to which every pair is compared; past it a text is compared with those of some cells only."""

CELLS_A_ROOT = 3
"""Cells for each one of the root of the number of texts: 340 of 13,000, 1,340 of 200,000."""

N_CELLS_PROBED = 16
"""Cells with which the texts of a cell are compared: they have 95 to 98 in 100 of the 15 nearest."""

N_VOTES = 4
"""Cells nearest to a text, which it asks to be compared with: what most texts of a cell ask for is probed."""

N_DIRECTIONS, FROM_TEXTS = 128, 20_000
"""Principal directions in which cells are told, and texts from which these follow."""

MOST_ASKING = 512
"""Texts that are compared with others at once: what they give still lies in the processor's cache."""

MOST_WORDS = 10_000
"""Single words that are counted by cluster, the most frequent ones."""

READ_CHARACTERS = 1_000
"""Of a text, from its beginning: what is read for words and phrases, as long prompts mostly carry material."""


def neighbour_graph(counts: sp.csr_matrix, vectors: np.ndarray) -> sp.csr_matrix:
    """Return the symmetric graph of each text's nearest others, weighted by meaning and shared words.

    counts: of `Terms`. vectors: float32 of shape (n_texts, n_dims), unit rows.
    """
    n_texts = len(vectors)
    rows, weight = nearest_neighbours(vectors, min(N_CANDIDATES, n_texts - 1))
    weight = weight + WORD_WEIGHT * shared_words(counts, rows)
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

    All pairs up to `EXACT_UP_TO` rows; past it by an inverted file (Jegou, Douze, Schmid 2011). In float32, though
    bfloat16 takes half the time where the processor multiplies such: its cosines are off by 0.002, so the same messages
    would have other topics on another processor.
    """
    import torch

    n_texts = len(vectors)
    rows = np.zeros((n_texts, k), dtype=np.int32)
    cosines = np.full((n_texts, k), -1.0, dtype=np.float32)
    given = torch.from_numpy(np.ascontiguousarray(vectors))

    @torch.inference_mode()
    def compare(queries: torch.Tensor, pool: torch.Tensor | None, own: torch.Tensor) -> None:
        found = given[queries] @ (given if pool is None else given[pool]).T
        found[torch.arange(len(queries)), own] = -2.0
        values, best = torch.topk(found, min(k, found.shape[1] - 1), dim=1)
        names = best if pool is None else pool[best]
        rows[queries.numpy(), : best.shape[1]] = names.numpy()
        cosines[queries.numpy(), : best.shape[1]] = values.numpy()

    with torch.inference_mode(), side_by_side() as threads:
        threads.starmap(compare, _blocks(given, threads), chunksize=4)
    return rows, cosines


@contextmanager
def side_by_side() -> Iterator[ThreadPool]:
    """Yield threads, as many as torch would use for one product, each of which computes by itself.

    Small products last no longer than threads that share one wait for each other: two threads take five times the
    processor of one where other processes want it too.
    """
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPool(n_threads, torch.set_num_threads, (1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(n_threads)


@dataclass(frozen=True)
class Terms:
    """The words of texts, and the pairs of words in a row.

    counts: how often each text has each term, float32 (n_texts, n_terms); terms stand in two texts at least, and there
    may be none. words: the terms that are single words, which are the first ones.
    """

    counts: sp.csr_matrix
    words: list[str]

    @property
    def of_words(self) -> sp.csr_matrix:
        """How often each text has each word."""
        return self.counts[:, : len(self.words)]

    def frequent_words(self) -> sp.csr_matrix:
        """Return 1 where a text has a word, of the `MOST_WORDS` words that most texts have: float32."""
        words = self.of_words
        if words.shape[1] > MOST_WORDS:
            in_texts = np.bincount(words.indices, minlength=words.shape[1])
            words = words[:, np.sort(np.argsort(-in_texts, kind="stable")[:MOST_WORDS])]
        return sp.csr_matrix((np.ones(words.nnz, dtype=np.float32), words.indices, words.indptr), words.shape)


def count_terms(texts: Sequence[str]) -> Terms:
    """Return the terms of the first `READ_CHARACTERS` of the texts."""
    found = [words_of(text[:READ_CHARACTERS]) for text in texts]
    numbers: dict[str, int] = {}
    words = np.array([numbers.setdefault(word, len(numbers)) for said in found for word in said], dtype=np.int64)
    rows = np.repeat(np.arange(len(texts)), [len(said) for said in found])
    follows = np.flatnonzero(rows[1:] == rows[:-1])
    pairs = np.unique(words[follows] * len(numbers) + words[follows + 1], return_inverse=True)[1] + len(numbers)
    places = np.concatenate([rows, rows[follows]]), np.concatenate([words, pairs])
    n_terms = int(places[1].max(initial=-1)) + 1
    counts = sp.csr_matrix((np.ones(len(places[0]), dtype=np.float32), places), shape=(len(texts), n_terms))
    counts.sum_duplicates()
    kept = np.flatnonzero(np.bincount(counts.indices, minlength=n_terms) > 1)
    names = list(numbers)
    return Terms(counts[:, kept], [names[term] for term in kept if term < len(names)])


def shared_words(counts: sp.csr_matrix, rows: np.ndarray) -> np.ndarray:
    """Return the tf-idf cosine of each text and its candidates: float32, shape of `rows`."""
    if counts.shape[1] == 0:
        return np.zeros(rows.shape, dtype=np.float32)
    weighed = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    found = np.empty(rows.shape, dtype=np.float32)
    for column in range(rows.shape[1]):
        found[:, column] = np.asarray(weighed.multiply(weighed[rows[:, column]]).sum(axis=1)).ravel()
    return found


def _blocks(
    vectors: torch.Tensor, threads: ThreadPool
) -> Iterator[tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]]:
    """Yield (rows that ask, rows they are compared with or None for all, own place among these); each row asks once."""
    import torch

    n_texts = len(vectors)
    if n_texts <= EXACT_UP_TO:
        for asking in torch.split(torch.arange(n_texts), MOST_ASKING):
            yield asking, None, asking
        return
    members, probed = _cells(vectors, threads)
    for cell, inside in enumerate(members):
        pool = torch.cat([inside, *(members[other] for other in probed[cell].tolist() if other != cell)])
        for places in torch.split(torch.arange(len(inside)), MOST_ASKING):
            yield inside[places], pool, places


def _cells(vectors: torch.Tensor, threads: ThreadPool) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
    """Return the rows of each cell, and the cells that each is compared with: (n_cells, `N_CELLS_PROBED` or fewer)."""
    import torch

    n_cells = int(CELLS_A_ROOT * np.sqrt(len(vectors)))
    some = vectors[:FROM_TEXTS]
    reduced = vectors @ torch.linalg.eigh(some.T @ some).eigenvectors[:, -N_DIRECTIONS:]

    def nearest(rows: torch.Tensor, k: int) -> torch.Tensor:
        def of_part(part: torch.Tensor) -> torch.Tensor:
            return torch.topk(part @ centres.T, k, dim=1).indices

        return torch.cat(threads.map(of_part, torch.split(rows, 2_048), chunksize=1))

    training = reduced[: 40 * n_cells]
    centres = training[:n_cells].clone()
    for _ in range(4):
        sums = torch.zeros_like(centres).index_add_(0, nearest(training, 1)[:, 0], training)
        centres = torch.where(sums.norm(dim=1, keepdim=True) > 0, torch.nn.functional.normalize(sums, dim=1), centres)
    near = nearest(reduced, N_VOTES)
    own = near[:, 0]
    votes = torch.bincount((own[:, None] * n_cells + near).ravel(), minlength=n_cells**2).reshape(n_cells, n_cells)
    probed = torch.topk(votes + 0.5 * (centres @ centres.T), min(N_CELLS_PROBED, n_cells), dim=1).indices
    return torch.split(torch.argsort(own, stable=True), torch.bincount(own, minlength=n_cells).tolist()), probed
