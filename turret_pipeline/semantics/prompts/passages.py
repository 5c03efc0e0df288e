"""Passages that many texts share word for word, found as substrings.

So in any language and whether or not they stand in lines of their own: each window of `WINDOW` characters is counted
over the texts by its hash (a rolling one, so time is linear and memory bounded); where a text's windows are shared by
many texts, and by about as many from one to the next, a passage stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

WINDOW = 24
"""Characters whose hash is counted."""

LEAST_TEXTS = 20
"""Distinct texts that share a passage, at least."""

JUMP = 2
"""Ratio of the texts of two neighbouring windows past which they belong to different passages."""

_BASE = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))


def passages(texts: Sequence[str], least: int) -> Iterator[list[tuple[int, int]]]:
    """Yield of each of `texts` (of `WINDOW` characters at least) the places of passages of `least` characters or more.

    A passage ends in the midst of a word where texts differ there.
    """
    hashes = [_hashes(text) for text in texts]
    n_windows = sum(map(len, hashes))
    if len(texts) < LEAST_TEXTS or not n_windows:
        return
    counts, shift = _counted(hashes, n_windows)
    for text, own in zip(texts, hashes, strict=True):
        yield _places(len(text), counts[own >> shift], least)


def _hashes(text: str) -> np.ndarray:
    """Return the hash of each window of `text`: uint64 of shape (n_characters - WINDOW + 1,)."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64) + np.uint64(1)
    powers = np.full(len(codes), _BASE)
    powers[0] = 1
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(codes * np.cumprod(powers))])
    back = np.full(len(codes) - WINDOW + 1, _INVERSE)
    back[0] = 1
    found = (sums[WINDOW:] - sums[:-WINDOW]) * np.cumprod(back)
    # The sums' low bits say little of the first characters: mix them in.
    mixed: np.ndarray = (found ^ (found >> np.uint64(29))) * _BASE
    return mixed


def _counted(hashes: list[np.ndarray], n_windows: int) -> tuple[np.ndarray, np.uint64]:
    """Return how many texts have each hash, by its first bits, and by how much to shift a hash for these."""
    n_bits = min(24, max(12, n_windows.bit_length() + 1))
    shift, counts = np.uint64(64 - n_bits), np.zeros(1 << n_bits, dtype=np.uint16)
    for own in hashes:
        places = np.unique(own >> shift)
        counts[places] += counts[places] < np.iinfo(np.uint16).max
    return counts, shift


def _places(length: int, counts: np.ndarray, least: int) -> list[tuple[int, int]]:
    """Return the passages of a text. counts: of texts that share each window."""
    if not (counts >= LEAST_TEXTS).any():
        return []
    # What a character belongs to: of the windows that hold it, the one that most texts have.
    level = np.zeros(length, dtype=np.int64)
    for offset in range(WINDOW):
        part = level[offset : offset + len(counts)]
        np.maximum(part, counts, out=part)
    jumps = (level[1:] > JUMP * level[:-1]) | (level[:-1] > JUMP * level[1:])
    edges = [0, *(np.flatnonzero(jumps) + 1).tolist(), length]
    return [(start, end) for start, end in pairwise(edges) if end - start >= least and level[start] >= LEAST_TEXTS]
