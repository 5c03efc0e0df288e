"""What may name the topics of a field: phrases of their typical texts, else one of these texts."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from turret_pipeline.analysis.labels.clauses import clauses
from turret_pipeline.analysis.labels.languages import ENGLISH, denials, stop_words
from turret_pipeline.analysis.labels.phrases import MAX_CHARACTERS, Phrase, is_denial, phrases
from turret_pipeline.analysis.labels.printable import printable
from turret_pipeline.analysis.labels.shares import Shares, is_readable
from turret_pipeline.analysis.labels.tagging import is_in_dictionary
from turret_pipeline.analysis.labels.unspaced import is_unspaced, shared_pieces
from turret_pipeline.analysis.topics.neighbours import READ_CHARACTERS

N_READ, FEWEST_TYPICAL, MOST_TYPICAL = 2_800, 24, 40
"""Texts that lend phrases, of all topics together, and of each at least and at most: its most typical ones."""

TAGGED_CHARACTERS = 160
"""Of an English text, from its beginning: what is tagged, as long prompts ask at their beginning."""

SAID_LONGER = 0.5
"""Share of the texts with a phrase that say a longer one, from which the shorter one may not name a topic."""

N_PIECES = 40
"""Pieces of a topic's texts without spaces, those that hold most of them, that may be ranked."""

N_MESSAGES = 10
"""Of a topic's texts, those of which one may name it where no phrase can."""

_POLITE = re.compile(r"(?i)(?<=\w)[\s,]+(?:please|thanks|thank you)?[\s!.,?]*$")
"""What may stand at the end of a message, and says nothing of it."""

NAMELESS = "no words"
"""Name of a topic whose typical texts have no character that this Python knows to print."""


@dataclass(frozen=True)
class Lent:
    """The phrases of a topic's typical texts that its label may be.

    share: by phrase in the singular, the share of these texts that hold it. coverage: the geometric mean of the shares
    of the topic's messages that say each of its telling words. rows: numbers of the texts that hold it. nouns: those
    that name a thing. inner: those of which enough texts say a longer one, with all their words and more. denied: how
    much more of the texts say "not" than those of all topics on average, -1 to 1.
    """

    share: dict[str, float]
    coverage: dict[str, float]
    rows: dict[str, list[int]]
    nouns: frozenset[str]
    inner: frozenset[str]
    denied: float = 0.0

    @property
    def outer(self) -> dict[str, float]:
        """The shares of the phrases that may name the topic itself, which are not within another."""
        return {key: share for key, share in self.share.items() if key not in self.inner}


class Candidates:
    """The phrases that two or more typical texts of a topic hold, without rare words (`labels.shares`), by topic.

    lent: of each topic.
    """

    def __init__(
        self,
        texts: list[str],
        vectors: np.ndarray,
        clusters: np.ndarray,
        centroids: np.ndarray,
        shares: Shares,
        languages: list[str],
        mixed: np.ndarray,
    ) -> None:
        """Read the texts, which are as `labels.names.Namer` takes them; languages, mixed: of the topics."""
        self._texts, self._shares, self._languages, self._mixed = texts, shares, languages, mixed
        n_each = int(np.clip(N_READ // max(len(centroids), 1), FEWEST_TYPICAL, MOST_TYPICAL))
        self._typical = [_typical(vectors, clusters, centroids, topic, n_each) for topic in range(len(centroids))]
        self._surfaces: dict[str, Counter[str]] = defaultdict(Counter)
        lent = [self._read(topic) for topic in range(len(centroids))]
        usual = float(np.mean([each.denied for each in lent])) if lent else 0.0
        self.lent = [replace(each, denied=each.denied - usual) for each in lent]

    def surface(self, key: str) -> str:
        """Return the phrase as it is mostly written."""
        return min(self._surfaces[key].items(), key=lambda item: (-item[1], item[0]))[0]

    def plural(self, key: str) -> str:
        """Return the phrase in the plural if people write it so too: "card payments", but "weather"."""
        written = self._surfaces[key]
        forms = [
            form for form in written if form != key and form.endswith("s") and 50 * written[form] >= written.total()
        ]
        return max(forms, key=lambda form: (written[form], form), default=self.surface(key))

    def message(self, topic: int) -> str:
        """Return the shortest of the topic's most typical texts: what names it where nothing else does."""
        seen = (printable(self._texts[row][:READ_CHARACTERS]) for row in self._typical[topic][:N_MESSAGES])
        return _clip(min(filter(None, seen), key=len, default=NAMELESS))

    def messages(self, topic: int) -> list[str]:
        """Return the topic's typical texts, the most typical first."""
        return [self._texts[row] for row in self._typical[topic]]

    def outlines(self, topic: int) -> list[str]:
        """Return the typical text that names the topic where no phrase does, with "…" for what is rare; or nothing.

        It is the one with the fewest gaps, and of these the shortest; one with more gaps than words, or of code, is a
        last resort.
        """
        outlines = [
            _POLITE.sub("", self._shares.outline(topic, self._texts[row])) for row in self._typical[topic][:N_MESSAGES]
        ]
        found = sorted(filter(None, outlines), key=lambda text: (not is_readable(text), text.count("…"), len(text)))
        return [clipped for text in found[:1] if (clipped := _clip(text))]

    def _read(self, topic: int) -> Lent:
        held: dict[str, list[int]] = defaultdict(list)
        said: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
        rows, nouns = self._typical[topic], set[str]()
        for row in rows:
            for phrase in _phrases_of(self._texts[row], self._languages[topic]):
                held[phrase.key].append(int(row))
                said[phrase.key][phrase.said] += 1
                if phrase.is_noun:
                    nouns.add(phrase.key)
                self._surfaces[phrase.key][phrase.surface] += 1
        often = {key: found for key, found in held.items() if len(found) > 1}
        words = {key: said[key].most_common(1)[0][0] for key in often}
        common = {key: often[key] for key in often if self._shares.may_hold(topic, words[key])}
        if self._mixed[topic] and self._languages[topic] == ENGLISH:
            common = {key: found for key, found in common.items() if _is_english(key)} or common
        coverage = {key: self._shares.coverage(topic, words[key]) for key in common}
        pieces = self._pieces(topic)
        share = {key: len(found) / len(rows) for key, found in (common | pieces).items()}
        coverage |= {key: share[key] for key in pieces}
        nouns = nouns & common.keys() | pieces.keys()
        denied = sum(is_denial(self._texts[row][:TAGGED_CHARACTERS]) for row in rows) / max(len(rows), 1)
        return Lent(share, coverage, common | pieces, frozenset(nouns), _inner(common), denied)

    def _pieces(self, topic: int) -> dict[str, list[int]]:
        """Return the pieces of the topic's typical texts that may name it, with the rows that hold them."""
        rows = [int(row) for row in self._typical[topic] if is_unspaced(self._texts[row][:READ_CHARACTERS])]
        pieces = shared_pieces([self._texts[row] for row in rows], stop_words(self._languages[topic]))
        most = sorted(pieces, key=lambda piece: (-len(pieces[piece]) * len(piece), piece))[:N_PIECES]
        found = {piece: [rows[place] for place in pieces[piece]] for piece in most if self._shares.enough(topic, piece)}
        for piece, held in found.items():
            self._surfaces[piece][piece] += len(held)
        return found


def _phrases_of(text: str, language: str) -> Iterator[Phrase]:
    """Yield the phrases of `text` that may name a topic of this language, each once."""
    if language == ENGLISH:
        yield from clauses(text[:TAGGED_CHARACTERS])
        return
    found = phrases(text[:READ_CHARACTERS], stop_words(language), denials(language))
    yield from {phrase.key: phrase for phrase in found if not is_unspaced(phrase.key)}.values()


def _is_english(key: str) -> bool:
    """Return whether dictionaries have a word of a phrase, and all but one: "add playlist", not "tri zvezdice"."""
    words = key.split()
    return sum(not is_in_dictionary(word) for word in words) < min(2, len(words))


def _inner(held: dict[str, list[int]]) -> frozenset[str]:
    """Return the phrases of which enough texts say a longer one: "buy watches" where they say "buy cheap watches"."""
    words = {key: frozenset(key.split()) for key in held}
    return frozenset(
        key
        for key, rows in held.items()
        if any(len(held[other]) >= SAID_LONGER * len(rows) and words[key] < words[other] for other in held)
    )


def _typical(vectors: np.ndarray, clusters: np.ndarray, centroids: np.ndarray, topic: int, n_each: int) -> np.ndarray:
    members = np.flatnonzero(clusters == topic)
    return members[np.argsort(-(vectors[members] @ centroids[topic]), kind="stable")][:n_each]


def _clip(text: str) -> str:
    line = printable(text)
    return line if len(line) <= MAX_CHARACTERS else line[: MAX_CHARACTERS - 1].rstrip() + "…"
