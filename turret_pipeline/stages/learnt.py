"""What is learnt from examples that ship with Turret, for each model once.

To learn takes a quarter of a minute, nearly all of it to embed the examples. So what the default model learns ships
beside the examples (`tools/learn.py` makes it). With another model the stage that has it open for texts learns, and the
lake keeps what came of it, as it keeps the model. Both bear a digest of all that they follow from, so what is read is
never that of other examples, code or models.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Protocol

import numpy as np

from turret_pipeline.lake import files, sums
from turret_pipeline.lake.damage import DamageError
from turret_pipeline.lake.paths import Lake

SHIPPED = "learnt.npz"
FOLLOWS_FROM = "follows_from"


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
    shipped = read_shipped(model, packages)
    if shipped is not None:
        return shipped
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


def read_shipped(model: str, packages: tuple[str, ...]) -> dict[str, np.ndarray] | None:
    """Return what ships with the first of `packages`; None: nothing does, or it follows from something else."""
    file = resources.files(packages[0]).joinpath(SHIPPED)
    if not file.is_file():
        return None
    with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as kept:
        if str(kept[FOLLOWS_FROM]) != _digest(model, packages):
            return None
        return {name: _whole(kept[name]) for name in kept.files if name != FOLLOWS_FROM}


def write_shipped(model: str, packages: tuple[str, ...], arrays: Mapping[str, np.ndarray]) -> None:
    """After this call `read_shipped` returns `arrays`, with floats rounded to half their digits."""
    file = Path(str(resources.files(packages[0]).joinpath(SHIPPED)))
    halves = {name: array.astype(np.float16) if array.dtype == np.float32 else array for name, array in arrays.items()}
    np.savez_compressed(file, allow_pickle=False, **{FOLLOWS_FROM: np.array(_digest(model, packages))}, **halves)


def _whole(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _address(lake: Lake, model: str, packages: tuple[str, ...]) -> str:
    return f"{lake.root}/models/{packages[0].rpartition('.')[2]}-{_digest(model, packages)}.npz"


def _digest(model: str, packages: tuple[str, ...]) -> str:
    return hashlib.blake2b(f"{model} {' '.join(map(_source, packages))}".encode(), digest_size=12).hexdigest()


@cache
def _source(package: str) -> str:
    """Return a digest of the examples in a package and of all that learns from them."""
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(resources.files(package).iterdir(), key=lambda each: each.name):
        if file.name.endswith((".py", ".tsv")):
            digest.update(file.read_bytes())
    return digest.hexdigest()
