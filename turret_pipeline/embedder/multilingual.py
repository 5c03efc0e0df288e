"""The default model: two encoders side by side, weighed by how English a text is.

all-MiniLM-L6-v2 tells English texts apart best and knows no other language. The universal sentence encoder
(multilingual, version 3: Yang and others 2019) gives a sentence nearly the same vector in each of 16 languages, and is
close to that in many more, but is coarser in English. So a vector is both, one after the other, whose squared lengths
are 1 - w and w, with w = `ENGLISH_WEIGHT` times the probability that the text is English (fastText's lid.176). An
English text then meets other English texts mostly by MiniLM.

Of a text in another language MiniLM's part would be empty, so that it could be near no English text (a cosine of .55 at
most), and in a field that is mostly English would make topics with its own language alone. So where a text is rather no
English, a linear map tells from the other model's vector what MiniLM would say of the same in English
(`tools/english_map.py`). What was measured stands in `benchmarks/topics.md`.

Both models and the language identifier come inside packages; nothing is downloaded.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from turret_pipeline.embedder.runtime import ConvertedModel, Encoder, Runner
from turret_pipeline.embedder.universal import DIRECTIONS_SHA256, N_DIMS, WEIGHTS_SHA256, UniversalEncoder
from turret_pipeline.semantics.language import READ_CHARACTERS as READ_FOR_LANGUAGE
from turret_pipeline.semantics.language import languages

ENGLISH_WEIGHT = 0.7
"""Of the English model in the vector of a text that is English for certain; 0.5 to 0.8 do nearly as well."""

TOLD_WEIGHT = 0.4
"""Of what the map tells, in the vector of a text that is no English for certain; 0.3 does as well, 0.5 nearly."""

LEAST_ENGLISH = 0.1
"""Probability of English below which the English model is not asked: its part would be of next to no length."""

MINILM_DIMS = 384
"""Length of MiniLM's part."""

MAP_SHA256 = "99ed9f757a1f06304f86acaed019d69433052322be934ff0060c198716bfc8dc"
"""Of `english.npy` beside this file, float16 of shape (`N_DIMS` + 1, `MINILM_DIMS`), the offset in its last row."""

BATCH_TEXTS = 1_024
"""Texts that the multilingual model is given at once."""

READ_CHARACTERS = 1_000
"""Of a text, from its beginning: about what MiniLM's window of 256 tokens holds."""

BESIDE = "use-multilingual-v3"
"""Name of the multilingual model, in the facts of a converted model that stands beside it."""


class SideBySide:
    """A runner of the default model, for any number of threads.

    n_dims: length of its vectors, those of both models.
    """

    def __init__(self, english: Runner, n_english: int, other: UniversalEncoder) -> None:
        """Take the runner of the English model, the length of its vectors, and the multilingual model."""
        self._english, self._other, self.n_dims = english, other, n_english + N_DIMS

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (rows, their vectors: float32 of unit length) until every text has had its turn: first the English."""
        said = [text[:READ_CHARACTERS] for text in texts]
        share, words = english_share(said), np.array([any(map(str.isalpha, text)) for text in said], dtype=bool)
        in_english, in_none = np.flatnonzero(share >= LEAST_ENGLISH), np.flatnonzero(share < LEAST_ENGLISH)
        for places, english in _together(self._english.batches([said[row] for row in in_english])):
            rows = in_english[places]
            other = self._other.embed([said[row] for row in rows])
            yield rows, side_by_side(share[rows], english, other, words[rows])
        for start in range(0, len(in_none), BATCH_TEXTS):
            rows = in_none[start : start + BATCH_TEXTS]
            other = self._other.embed([said[row] for row in rows])
            yield rows, side_by_side(np.zeros(len(rows), np.float32), None, other, words[rows])

    def encode(self, text: str) -> np.ndarray:
        """Return the vector of one text: float32 of shape (n_dims,), of unit length."""
        _, vectors = next(self.batches([text]))
        vector: np.ndarray = vectors[0]
        return vector


def _together(batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the batches (rows, vectors), as many as one as have `BATCH_TEXTS` rows."""
    waiting = iter(batches)
    while held := list(_enough(waiting)):
        yield np.concatenate([rows for rows, _ in held]), np.concatenate([vectors for _, vectors in held])


def _enough(batches: Iterator[tuple[np.ndarray, np.ndarray]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the next batches, until they have `BATCH_TEXTS` rows."""
    n_rows = 0
    for rows, vectors in batches:
        yield rows, vectors
        n_rows += len(rows)
        if n_rows >= BATCH_TEXTS:
            return


def side_by_side(
    share: np.ndarray, english: np.ndarray | None, other: np.ndarray, words: np.ndarray | None = None
) -> np.ndarray:
    """Return the vectors: float32 of shape (n_texts, `N_DIMS` + `MINILM_DIMS`), of unit length.

    share: probability that a text is English. english, other: unit vectors of both models; english is None where no
    text is any English. words: whether a text has a letter; None: all have. Of those without, as of emoji, and from a
    probability of one half on, nothing is told by the map.
    """
    told_share = (np.maximum(0, 1 - 2 * share) * (1 if words is None else words)).astype(np.float32)[:, None]
    part = np.zeros((len(share), MINILM_DIMS), np.float32) if english is None else share[:, None] * english
    told = np.flatnonzero(told_share)
    part[told] += told_share[told] * as_in_english(other[told])
    weight = ENGLISH_WEIGHT * share[:, None] + TOLD_WEIGHT * told_share
    return np.hstack([np.sqrt(1 - weight) * other, np.sqrt(weight) * _unit(part)])


def as_in_english(other: np.ndarray) -> np.ndarray:
    """Return what MiniLM would say of the texts in English: float32 of shape (n_texts, `MINILM_DIMS`), of unit length.

    other: the multilingual model's vectors of them, of shape (n_texts, `N_DIMS`).
    """
    by = _english_map()
    return _unit(other @ by[:-1] + by[-1])


def open_encoder(model: ConvertedModel, *, bfloat16: bool | None = None, n_threads: int = 0) -> Encoder | SideBySide:
    """Return a converted model ready to run, and the multilingual one beside it where its facts name that."""
    encoder = Encoder(model, bfloat16=bfloat16, n_threads=n_threads)
    if model.facts.beside != BESIDE:
        return encoder
    return SideBySide(encoder, model.facts.n_dims, UniversalEncoder(bfloat16=bfloat16, n_threads=n_threads))


def beside(model: ConvertedModel) -> ConvertedModel:
    """Return the English model with facts that name the multilingual one beside it."""
    return replace(model, facts=replace(model.facts, beside=BESIDE))


def revision(english: str) -> str:
    """Return a digest of all that vectors of the default model depend on; english: digest of the English weights."""
    texts = (ENGLISH_WEIGHT, TOLD_WEIGHT, "of letters", LEAST_ENGLISH, READ_CHARACTERS, READ_FOR_LANGUAGE)
    parts = (english, WEIGHTS_SHA256, DIRECTIONS_SHA256, MAP_SHA256, BESIDE, *texts)
    return hashlib.blake2b(repr(parts).encode(), digest_size=6).hexdigest()


def english_share(texts: Sequence[str]) -> np.ndarray:
    """Return for each text the probability that it is English: float32 of shape (n_texts,), 0 to 1."""
    return np.array([found.get("en", 0.0) for found in languages(texts)], dtype=np.float32)


@functools.cache
def _english_map() -> np.ndarray:
    by: np.ndarray = np.load(Path(__file__).with_name("english.npy")).astype(np.float32)
    return by


def _unit(rows: np.ndarray) -> np.ndarray:
    unit: np.ndarray = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit
