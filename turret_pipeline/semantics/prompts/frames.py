"""Frames: long passages that many texts share word for word, such as a system prompt before each message.

They are found as substrings, so in any language and whether or not they stand in lines of their own: each window of
`WINDOW` characters is counted over the texts by its hash (a rolling one, so time is linear and memory bounded); where a
text's windows are shared by many texts, and by about as many from one to the next, a passage stands. It ends where a
sentence or line does, so that "… of the land. I want to" does not take the beginning of what people say with it.

A passage is a frame only if most texts that have it say enough beside it. A template with a slot ("Write an article
about X, with …") is no frame: there the passage is what people ask, and the rest a name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from turret_pipeline.semantics.prompts.asking import asks, units

WINDOW = 24
"""Characters whose hash is counted."""

LEAST_TEXTS = 20
"""Distinct texts that share a frame, at least."""

LEAST_UNITS = 120
"""Length of a frame (`asking.units`), at least."""

MOST_FRAMES = 100
"""Frames that are kept, those that take most out of the texts."""

READ_CHARACTERS = 3_000
"""Of a long text, from each end, that are looked through."""

JUMP = 2
"""Ratio of the texts of two neighbouring windows past which they belong to different passages."""

SAYS_ENOUGH = 30
"""Length of what a text says beside a frame, if it does not ask; less is a name or number in a template."""

GAP = 40
"""Characters between two frames that go with them, such as a date, where the text says something before or behind."""

_BASE = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))
_LABEL_AT_END = re.compile("\n[^\n:\uff1a]{1,30}[:\uff1a]$")
_BORDER = re.compile("[\\n.!?:\u3002\uff01\uff1f\uff1a\u061f\u0964>][\"'\u201d\u2019\u00bb)]*")


@dataclass(frozen=True)
class Frame:
    """A passage, and how many of the texts that were looked through have it."""

    text: str
    n_texts: int


class Frames:
    """The frames of a project, for cutting them out of its texts.

    least: length of the shortest; no longer texts are as they were.
    """

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._texts = sorted(texts, key=lambda text: (-len(text), text))
        self.least = min(map(len, self._texts), default=1 << 30)

    def __bool__(self) -> bool:
        return bool(self._texts)

    def split(self, text: str) -> tuple[str, list[str]]:
        """Return the text without frames, and the frames that it has, in order; a text that is only frames keeps them.

        Where it has none the text is as it was.
        """
        if len(text) <= self.least:
            return text, []
        spans = self._found(text)
        if not spans:
            return text, []
        places = [0, *(place for start, end, _ in spans for place in (start, end)), len(text)]
        left = [text[start:end] for start, end in zip(places[::2], places[1::2], strict=True)]
        outer = any(map(str.isalnum, left[0] + left[-1]))
        inner = [part for part in left[1:-1] if len(part) > GAP or not outer]
        rest = "\n".join([left[0], *inner, left[-1]]).strip()
        rest = _LABEL_AT_END.sub("", rest)
        if not any(map(str.isalnum, rest)):
            return text, []
        return rest, [frame for _, _, frame in spans]

    def _found(self, text: str) -> list[tuple[int, int, str]]:
        spans: list[tuple[int, int, str]] = []
        for frame in self._texts:
            start = text.find(frame)
            while start >= 0:
                end = start + len(frame)
                if all(end <= one or start >= other for one, other, _ in spans):
                    spans.append((start, end, frame))
                start = text.find(frame, end)
        return sorted(spans)


def find_frames(texts: Sequence[str]) -> list[Frame]:
    """Return the frames that `texts`, which are distinct, share; those in most texts first."""
    read = [_ends(text) for text in texts if len(text) >= WINDOW]
    hashes = [_hashes(text) for text in read]
    n_windows = sum(map(len, hashes))
    if len(read) < LEAST_TEXTS or not n_windows:
        return []
    counts, shift = _counted(hashes, n_windows)
    passages = Counter[str]()
    for text, own in zip(read, hashes, strict=True):
        passages.update(set(_passages(text, counts[own >> shift])))
    often = {passage: n for passage, n in passages.items() if n >= LEAST_TEXTS}
    told = _with_enough_beside(read, often)
    frames = sorted(told, key=lambda frame: (-frame.n_texts * len(frame.text), frame.text))[:MOST_FRAMES]
    return sorted(frames, key=lambda frame: (-frame.n_texts, frame.text))


def _ends(text: str) -> str:
    return text if len(text) <= 2 * READ_CHARACTERS else f"{text[:READ_CHARACTERS]}\n{text[-READ_CHARACTERS:]}"


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


def _passages(text: str, counts: np.ndarray) -> list[str]:
    """Return the long passages of `text` that many texts share. counts: of texts that share each window."""
    often = counts >= LEAST_TEXTS
    if not often.any():
        return []
    # What a character belongs to: of the windows that hold it, the one that most texts have.
    level = np.zeros(len(text), dtype=np.int64)
    for offset in range(WINDOW):
        part = level[offset : offset + len(counts)]
        np.maximum(part, counts, out=part)
    jumps = (level[1:] > JUMP * level[:-1]) | (level[:-1] > JUMP * level[1:])
    edges = [0, *(np.flatnonzero(jumps) + 1).tolist(), len(text)]
    found = []
    for start, end in pairwise(edges):
        if level[start] >= LEAST_TEXTS and end - start >= LEAST_UNITS // 4:
            passage = _trimmed(text, start, end)
            if units(passage) >= LEAST_UNITS:
                found.append(passage)
    return found


def _trimmed(text: str, start: int, end: int) -> str:
    """Return the passage from the first to the last border of a sentence or line within it."""
    if start > 0 and text[start - 1] != "\n" and (first := _BORDER.search(text, max(0, start - 2), end)):
        start = first.end()
    if end < len(text):
        borders = [match.end() for match in _BORDER.finditer(text, start, end)]
        end = borders[-1] if borders else start
    return text[start:end].strip()


def _with_enough_beside(texts: list[str], often: dict[str, int]) -> list[Frame]:
    """Return the passages beside which most texts that have them say enough, with the number of these texts."""
    cutting, found = Frames(list(often)), []
    having, telling = Counter[str](), Counter[str]()
    for text in texts:
        rest, frames = cutting.split(text)
        enough = units(rest) >= SAYS_ENOUGH or asks(rest) > 0
        for frame in set(frames):
            having[frame] += 1
            telling[frame] += enough
    for passage, n in having.items():
        if n >= LEAST_TEXTS and 2 * telling[passage] >= n:
            found.append(Frame(passage, n))
    return found
