"""What may name the topics of a field: phrases of their typical texts, else one of these texts."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from turret_pipeline.analysis.labels.phrases import MAX_CHARACTERS, phrases, proper_names, singular
from turret_pipeline.analysis.labels.printable import printable
from turret_pipeline.analysis.labels.shares import Shares
from turret_pipeline.analysis.labels.unspaced import is_unspaced, shared_pieces
from turret_pipeline.analysis.topics.neighbours import READ_CHARACTERS

N_TYPICAL = 60
"""Texts of a topic that lend phrases, the most typical ones."""

N_NAMES = 40
"""Of these texts, those that tell which words are names of places and brands."""

N_PIECES = 40
"""Pieces of a topic's texts without spaces, those that hold most of them, that may be ranked."""

N_MESSAGES = 10
"""Of a topic's texts, those of which one may name it where no phrase can."""

NAMELESS = "no words"
"""Name of a topic whose typical texts have no character that this Python knows to print."""


@dataclass(frozen=True)
class Lent:
    """The phrases of a topic's typical texts that its label may be.

    share: by phrase in the singular, the share of these texts that hold it. rows: numbers of the texts that hold it.
    """

    share: dict[str, float]
    rows: dict[str, list[int]]


class Candidates:
    """The phrases that two or more typical texts of a topic hold, without rare words (`labels.shares`), by topic.

    lent: of each topic. names: words, in lower case, that are names of places and brands.
    """

    def __init__(
        self, texts: list[str], vectors: np.ndarray, clusters: np.ndarray, centroids: np.ndarray, shares: Shares
    ) -> None:
        """Read the texts, which are as `labels.names.Namer` takes them."""
        self._texts, self._shares = texts, shares
        self._typical = [_typical(vectors, clusters, centroids, topic) for topic in range(len(centroids))]
        self._surfaces: dict[str, Counter[str]] = defaultdict(Counter)
        self.names = proper_names(texts[row] for rows in self._typical for row in rows[:N_NAMES])
        self.lent = [self._read(topic) for topic in range(len(centroids))]

    def surface(self, key: str) -> str:
        """Return the phrase as it is mostly written."""
        return min(self._surfaces[key].items(), key=lambda item: (-item[1], item[0]))[0]

    def message(self, topic: int) -> str:
        """Return the shortest of the topic's most typical texts: what names it where nothing else does."""
        seen = (printable(self._texts[row][:READ_CHARACTERS]) for row in self._typical[topic][:N_MESSAGES])
        return _clip(min(filter(None, seen), key=len, default=NAMELESS))

    def outlines(self, topic: int) -> list[str]:
        """Return the typical text that names the topic where no phrase does, with "…" for what is rare; or nothing.

        It is the one with the fewest gaps, and of these the shortest.
        """
        outlines = [self._shares.outline(topic, self._texts[row]) for row in self._typical[topic][:N_MESSAGES]]
        found = sorted(filter(None, outlines), key=lambda text: (text.count("…"), len(text)))
        return [clipped for text in found[:1] if (clipped := _clip(text))]

    def _read(self, topic: int) -> Lent:
        held: dict[str, list[int]] = defaultdict(list)
        rows = self._typical[topic]
        for row in rows:
            for key, phrase in _phrases_of(self._texts[row]).items():
                held[key].append(int(row))
                self._surfaces[key][phrase] += 1
        often = {key: found for key, found in held.items() if len(found) > 1}
        often = {key: often[key] for key in often if self._shares.may_hold(topic, key.split())} | self._pieces(topic)
        return Lent({key: len(found) / len(rows) for key, found in often.items()}, often)

    def _pieces(self, topic: int) -> dict[str, list[int]]:
        """Return the pieces of the topic's typical texts that may name it, with the rows that hold them."""
        rows = [int(row) for row in self._typical[topic] if is_unspaced(self._texts[row][:READ_CHARACTERS])]
        pieces = shared_pieces([self._texts[row] for row in rows])
        most = sorted(pieces, key=lambda piece: (-len(pieces[piece]) * len(piece), piece))[:N_PIECES]
        found = {piece: [rows[place] for place in pieces[piece]] for piece in most if self._shares.enough(topic, piece)}
        for piece, held in found.items():
            self._surfaces[piece][piece] += len(held)
        return found


def _phrases_of(text: str) -> dict[str, str]:
    found = {}
    for phrase in phrases(text[:READ_CHARACTERS]):
        if not is_unspaced(phrase):
            found[" ".join(map(singular, phrase.split()))] = phrase
    return found


def _typical(vectors: np.ndarray, clusters: np.ndarray, centroids: np.ndarray, topic: int) -> np.ndarray:
    members = np.flatnonzero(clusters == topic)
    return members[np.argsort(-(vectors[members] @ centroids[topic]), kind="stable")][:N_TYPICAL]


def _clip(text: str) -> str:
    line = printable(text)
    return line if len(line) <= MAX_CHARACTERS else line[: MAX_CHARACTERS - 1].rstrip() + "…"
