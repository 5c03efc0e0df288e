"""The examples of moves and of requests that ship with Turret, with their vectors by the model at hand."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np
import polars as pl

Embed = Callable[[Sequence[str]], np.ndarray]
"""Returns the vectors of texts: float32 of shape (n_texts, n_dims), rows of unit length."""


@functools.cache
def phrases() -> pl.DataFrame:
    """Return the examples: `kind` (a move or `request`), `language` (ISO 639-1), `phrase`."""
    file = resources.files(__package__).joinpath("examples.tsv")
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    return pl.DataFrame(rows, schema={"kind": pl.String, "language": pl.String, "phrase": pl.String}, orient="row")


@dataclass(frozen=True)
class Examples:
    """The examples by one model.

    kinds: the kind of each. vectors: float32 of shape (n_examples, n_dims), rows of unit length.
    """

    phrases: tuple[str, ...]
    kinds: tuple[str, ...]
    vectors: np.ndarray

    @staticmethod
    def of(embed: Embed) -> Examples:
        """Return the examples embedded by `embed`; the same `embed` is asked once in a process."""
        return _of(embed)


@functools.lru_cache(maxsize=2)
def _of(embed: Embed) -> Examples:
    known = phrases()
    texts = known["phrase"].to_list()
    return Examples(tuple(texts), tuple(known["kind"].to_list()), embed(texts))
