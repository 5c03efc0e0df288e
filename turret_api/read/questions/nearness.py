"""How near texts are to words that are searched for: their cosine, of vectors with 8 bits a component.

Vectors in memory are compared one by one, by the SIMD kernels of NumKong: some 50 ms of a core for a million. Those on
disk are estimated first, by the sign of each component alone, and the best looked up on the disk: a component's sign
for a bit in memory, the query with `QUERY_BITS` a component (the estimator of RaBitQ, Gao and Long 2024,
arXiv:2405.12497, without its rotation). Of the 50 nearest texts among 300,000 near those of banking77, sgd_train and
xsid_valid, the best 500 estimates hold 99.9 %; with one bit of the query too (a Hamming distance) it takes 30,000.

There is no index beside that: nothing to train, to keep in step with the lake or to lose, and filters cost no recall.
An inverted file reads a few percent of 640 bytes a text for each question, and all of it under a narrow filter; the
indexes of faiss and usearch must be rebuilt or kept in step, and filter after the fact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from turret_api.read.questions.text_vectors import InMemory, ModelVectors, OnDisk
from turret_pipeline.semantics.vectors import quantize

SCORES = 10_000
"""A similarity of 1 in the whole numbers that texts are ranked by: 8 bits a component tell no more."""

UNRELATED, CLOSE = 0.1, 0.35
"""Share of the texts that certainly say something else than what is searched for; and how far from their similarity to
1 that of a message lies which says about the same. With the default model the nearest text to a prompt of arena_hard or
xsid_valid among those of banking77 lies below 0.35 nine times in ten, that to one of banking77 itself always above."""

FIRST_TEXTS = 1024
"""Nearest texts whose messages are looked at first; if too few of them pass the filters, 16 times as many are."""

FIRST_ESTIMATED = 8192
"""The same of texts whose vectors are on disk."""

QUERY_BITS, QUERY_RANGE = 3, 2.2
"""Bits of each component of a query, and the largest component that they tell apart, in root mean squares."""

SAMPLE_TEXTS, SAMPLE_OF_NEXT = 2048, 512
"""Texts, spread evenly, by which it is told how similar is what is not about the words; and how many of the next, and
of the next twice as many, are close."""

DEVIATIONS = 2.5
"""Standard deviations of the scores of the last texts looked up, by which hardly one that was not is nearer."""


@dataclass(frozen=True)
class Ranked:
    """How near each text is. texts: `text_id` and `score`, in `SCORES`."""

    texts: pl.DataFrame
    first_texts = FIRST_TEXTS

    def nearest(self, n: int, most: int | None, among: pl.Series | None = None) -> tuple[pl.DataFrame, int | None]:
        """Return the nearest `n` texts of at most the score `most`, and the score that no other has; None: no other is.

        among: the ids of the texts that are looked at; None: all. All texts of the last score that is taken are, so
        those left out are less similar than those taken.
        """
        texts = self.texts if most is None else self.texts.filter(pl.col("score") <= most)
        texts = texts if among is None else texts.filter(pl.col("text_id").is_in(among.implode()))
        least = texts["score"].top_k(n).min() if texts.height > n else None
        if not isinstance(least, int):
            return texts, None
        return texts.filter(pl.col("score") >= least), least

    def close(self) -> pl.Series:
        """Return the ids of the texts that say about what is searched for."""
        least = _least_close(float(self.texts["score"].quantile(UNRELATED) or 0))
        return self.texts.filter(pl.col("score") >= least)["text_id"]


@dataclass(frozen=True)
class Estimated:
    """How near each text about is, and those exactly that are looked up.

    files: the texts'. query: int8 of shape (1, n_dims). seems: uint16, a text each in order of the files: the higher,
    the nearer it seems.
    """

    files: Sequence[OnDisk]
    query: np.ndarray
    seems: np.ndarray
    first_texts = FIRST_ESTIMATED

    def nearest(self, n: int, most: int | None, among: pl.Series | None = None) -> tuple[pl.DataFrame, int | None]:
        """Return the `n` texts that seem nearest with their scores, and the score that hardly another has; None: all.

        most: those of a higher score are among the `n` too. among: the ids of the texts that are looked at; None: all.
        """
        there = None if among is None else np.flatnonzero(self._text_ids.is_in(among.implode()).to_numpy())
        seems = self.seems if there is None else self.seems[there]
        best = np.flatnonzero(seems >= _bound(self._reach if there is None else _reach(seems), n))
        places = best if there is None else there[best]
        scores = self._scores_of(places)
        found = pl.DataFrame({"text_id": self._text_ids.gather(places), "score": scores})
        if len(best) == len(seems):
            return found, None
        # The best that were not looked up seem a little farther than the last that were.
        last = scores[seems[best] <= _bound(_reach(seems[best]), len(best) - n // 8)]
        return found, int(last.mean() + DEVIATIONS * last.std())

    def close(self) -> pl.Series:
        """Return the ids of about the texts that say about what is searched for, and of about as many."""
        sample = np.linspace(0, len(self.seems) - 1, min(SAMPLE_TEXTS, len(self.seems))).astype(np.int64)
        least = _least_close(float(np.quantile(self._scores_of(sample), UNRELATED)))
        looked_up, bound = self.nearest(self.first_texts, None)
        exact = looked_up.filter(pl.col("score") >= least)["text_id"]
        if bound is None:
            return exact
        n_beyond = self._n_beyond(looked_up.height, least)
        near = self._text_ids.gather(np.flatnonzero(self.seems >= _bound(self._reach, looked_up.height + n_beyond)))
        return pl.concat([exact, near.filter(~near.is_in(looked_up["text_id"].implode()))]) if n_beyond else exact

    def _n_beyond(self, n: int, least: float) -> int:
        """Return about how many texts of `least` there are beyond the best `n`: by samples of the next so many."""
        total, above = 0.0, _bound(self._reach, n)
        while n < len(self.seems):
            n *= 2
            below = _bound(self._reach, n)
            places = np.flatnonzero((self.seems < above) & (self.seems >= below))
            if len(places):
                sample = places[np.linspace(0, len(places) - 1, min(SAMPLE_OF_NEXT, len(places))).astype(np.int64)]
                share = float((self._scores_of(sample) >= least).mean())
                total += share * len(places)
                if not share:
                    break
            above = below
        return round(total)

    @cached_property
    def _reach(self) -> np.ndarray:
        return _reach(self.seems)

    @cached_property
    def _text_ids(self) -> pl.Series:
        return pl.concat([each.text_ids for each in self.files])

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.cumsum([0, *(len(each.text_ids) for each in self.files)])

    def _scores_of(self, places: np.ndarray) -> np.ndarray:
        """Return the scores of the texts at `places`, which are in order: int32."""
        bounds = np.searchsorted(places, self._starts)
        found = [np.empty(0, dtype=np.int32)]
        for each, start, first, last in zip(self.files, self._starts, bounds, bounds[1:], strict=False):
            if first < last:
                found.append(_scores(self.query, each.rows(places[first:last] - start)))
        return np.concatenate(found)


def nearness(vectors: ModelVectors, vector: np.ndarray) -> Ranked | Estimated:
    """Return how near each text is to `vector`, float32 of shape (n_dims,)."""
    query, in_memory, on_disk = quantize(vector[np.newaxis]), [], []
    for each in vectors.files:
        if isinstance(each, InMemory):
            scores = _scores(query, each.quantized)
            in_memory.append(pl.DataFrame({"text_id": each.text_ids, "score": scores}))
        else:
            on_disk.append(each)
    if not on_disk:
        return Ranked(pl.concat(in_memory))
    return Estimated(on_disk, query, _seems(*_planes(vector), (each.signs for each in on_disk)))


def nothing() -> Ranked:
    """Return the nearness of no text."""
    return Ranked(pl.DataFrame(schema={"text_id": pl.String, "score": pl.Int32}))


def _least_close(unrelated: float) -> float:
    above = max(unrelated, 0.0)
    return above + CLOSE * (SCORES - above)


def _scores(query: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the cosine of each row with the query, in `SCORES`: int32. Both are int8 of n_dims columns."""
    import numkong

    distances = np.asarray(numkong.cdist(query, rows, "angular"))[0]
    found: np.ndarray = np.rint((1 - distances) * SCORES).astype(np.int32)
    return found


def _planes(vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the query as a sum of vectors of 1 and -1: uint8 of shape (QUERY_BITS, n_dims / 8), and their weights."""
    most = 2**QUERY_BITS - 1
    largest = QUERY_RANGE * np.sqrt(np.mean(np.square(vector)))
    levels = np.clip(np.rint((vector / largest + 1) / 2 * most), 0, most).astype(np.uint8)
    bits = (levels[np.newaxis] >> np.arange(QUERY_BITS, dtype=np.uint8)[:, np.newaxis]) & 1
    return np.packbits(bits, axis=1), 2 ** np.arange(QUERY_BITS, dtype=np.uint32)


def _seems(planes: np.ndarray, weights: np.ndarray, signs: Iterable[np.ndarray]) -> np.ndarray:
    """Return what rises with the product of the query and each row of each of `signs`: uint16."""
    import numkong

    packed, most = numkong.hammings_pack(planes), int(weights.sum()) * planes.shape[1] * 8
    # The more bits they differ in, the farther apart they are.
    return np.concatenate(
        [(most - np.asarray(numkong.hammings_packed(each, packed)) @ weights).astype(np.uint16) for each in signs]
    )


def _reach(seems: np.ndarray) -> np.ndarray:
    """Return by each number how many of `seems` are at least that."""
    found: np.ndarray = np.bincount(seems)[::-1].cumsum()[::-1]
    return found


def _bound(reach: np.ndarray, n: int) -> int:
    """Return the largest number that `n` or more reach; 0 where there are fewer. reach: as `_reach` returns it."""
    return max(int((reach >= n).sum()) - 1, 0)
