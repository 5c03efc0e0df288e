"""Texts of any length become one vector each: the weighted mean direction of the parts that the model can read.

The one way in which messages and the words of a search are embedded, whatever the model. A text that one part holds has
the model's own vector of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Protocol

import numpy as np

from turret_pipeline.semantics.prompts.asked import asked
from turret_pipeline.semantics.prompts.windows import windows


class Model(Protocol):
    """What embeds texts: an `Embedder`."""

    def embed(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> np.ndarray:
        """Return the vectors of `texts`: float32 of shape (n_texts, n_dims), rows of unit length, in their order."""


def embed_pooled(model: Model, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> np.ndarray:
    """Return the vectors of `texts`, which are what messages ask: as `Model.embed` does, but each read whole.

    `on_progress` is told, now and then, how many of the texts have a vector by now.
    """
    parts = [windows(text) for text in texts]
    n_parts = sum(map(len, parts))
    if n_parts == len(texts):
        return model.embed(texts, on_progress)

    def tell(done: int) -> None:
        if on_progress is not None:
            on_progress(done * len(texts) // n_parts)

    vectors = model.embed([part for part, _ in chain(*parts)], tell)
    weights = np.array([weight for _, weight in chain(*parts)], dtype=np.float32)
    starts = np.cumsum([0, *map(len, parts[:-1])])
    return _unit(np.add.reduceat(vectors * weights[:, np.newaxis], starts, axis=0), vectors[starts])


def embed_query(encode: Callable[[str], np.ndarray], text: str) -> np.ndarray:
    """Return the vector of what is searched for: float32 of shape (n_dims,), as a message of these words would have.

    encode: returns the vector of a text that the model can read whole.
    """
    parts = windows(asked(text))
    vectors = np.stack([encode(part) for part, _ in parts])
    if len(parts) == 1:
        found: np.ndarray = vectors[0]
        return found
    weights = np.array([weight for _, weight in parts], dtype=np.float32)
    pooled: np.ndarray = _unit((weights @ vectors)[np.newaxis], vectors[:1])[0]
    return pooled


def _unit(sums: np.ndarray, instead: np.ndarray) -> np.ndarray:
    """Return the rows of `sums` at unit length, where a row has no direction the one of `instead`."""
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    found: np.ndarray = np.where(length > 1e-6, sums / np.maximum(length, 1e-6), instead).astype(np.float32)
    return found
