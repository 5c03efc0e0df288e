"""What is learnt from examples that ship with Turret, for each model once: the lake keeps it, as it keeps the model.

To learn takes seconds, nearly all of them to embed the examples. So the stage that has the model open for texts sees to
it, and later processes read the file. It bears a digest of all that it follows from, so it is never that of others.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Protocol

import numpy as np

from turret_pipeline.lake import files, sums
from turret_pipeline.lake.damage import DamageError
from turret_pipeline.lake.paths import Lake


class Embeds(Protocol):
    """What embeds texts."""

    def embed(self, texts: Sequence[str], /) -> np.ndarray:
        """Return their vectors: float32 of shape (n_texts, n_dims), rows of unit length."""


class EachOnce:
    """Embeds texts of which some are asked for again: what several things are learnt from is embedded once."""

    def __init__(self, model: Embeds) -> None:
        self._model = model
        self._known: dict[str, np.ndarray] = {}

    def embed(self, texts: Sequence[str], /) -> np.ndarray:
        """Return their vectors, as the model gives them."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known |= dict(zip(new, self._model.embed(new), strict=True))
        return np.stack([self._known[text] for text in texts])


def read_learnt(lake: Lake, model: str, packages: tuple[str, ...]) -> dict[str, np.ndarray] | None:
    """Return the arrays by name that were learnt by the model of this key; None: not yet, or they are damaged.

    packages: with the examples and all that learns from them; the last part of the first one's name names the file.
    """
    address = _address(lake, model, packages)
    try:
        with sums.reading(lake, address), files.open_input(lake, address) as stream:
            kept = np.load(io.BytesIO(stream.read()), allow_pickle=False)
            return {name: kept[name] for name in kept.files}
    except (FileNotFoundError, DamageError):
        return None


def write_learnt(lake: Lake, model: str, packages: tuple[str, ...], arrays: Mapping[str, np.ndarray]) -> None:
    """After this call `read_learnt` returns `arrays`."""
    sink = io.BytesIO()
    np.savez(sink, allow_pickle=False, **arrays)
    address = _address(lake, model, packages)
    sums.unseal(lake, address)
    files.write(lake, address, sink.getbuffer())
    sums.seal(lake, address)


def _address(lake: Lake, model: str, packages: tuple[str, ...]) -> str:
    digest = hashlib.blake2b(f"{model} {' '.join(map(_source, packages))}".encode(), digest_size=12).hexdigest()
    return f"{lake.root}/models/{packages[0].rpartition('.')[2]}-{digest}.npz"


@cache
def _source(package: str) -> str:
    """Return a digest of the examples in a package and of all that learns from them."""
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(resources.files(package).iterdir(), key=lambda each: each.name):
        if file.name.endswith((".py", ".tsv")):
            digest.update(file.read_bytes())
    return digest.hexdigest()
