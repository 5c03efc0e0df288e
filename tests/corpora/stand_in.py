"""A stand-in for the embedding model: vectors that follow from the words of a text, in no time, the same everywhere.

Most projects of the corpora are embedded by it, as the real model takes longer for their texts than all the rest does.
It also has what no real model can be asked for: a field whose vectors are all the same, or lie in opposite corners.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence

import numpy as np

N_DIMS = 48


class StandIn:
    """An `Embedder` to the stages: `key`, `n_dims` and `embed`."""

    converted = None
    n_dims = N_DIMS

    def __init__(self, key: str, vectors: str) -> None:
        """vectors: one of `tests.corpora.corpora.VECTORS`."""
        self.key, self._vectors = key, vectors

    def embed(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> np.ndarray:
        """Return the vectors of `texts`: float32 of shape (n_texts, N_DIMS), rows of unit length."""
        found = np.array([self._vector(text) for text in texts], dtype=np.float64).reshape(len(texts), N_DIMS)
        if on_progress is not None:
            on_progress(len(texts))
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)

    def _vector(self, text: str) -> np.ndarray:
        if self._vectors == "same":
            return np.ones(N_DIMS)
        if self._vectors == "two":
            return np.eye(N_DIMS)[_number(text) % 2]
        if self._vectors == "opposite":
            return np.ones(N_DIMS) * (1 if _number(text) % 2 else -1)
        if self._vectors == "corners":
            return np.eye(N_DIMS)[_number(text) % N_DIMS]
        if self._vectors == "random":
            return _direction(text)
        if self._vectors == "nearly same":
            return np.ones(N_DIMS) + 1e-5 * _direction(text)
        parts = re.findall(r"\w+|[^\w\s]", text[:2_000].lower()) or [text[:50]]
        return np.sum([_direction(part) for part in parts[:100]], axis=0) + 0.1 * _direction(text)


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big")


def _direction(text: str) -> np.ndarray:
    drawn: np.ndarray = np.random.default_rng(_number(text)).normal(size=N_DIMS)
    return drawn
