"""Which words a topic's messages say too seldom for its label to hold them.

Messages are often made from templates: "refund for {product}". Each product then stands beside "refund" in a few of the
topic's messages, and in many of those of its typical texts that happen to be about that product. So the share of a word
is counted over all messages of the topic. A word that few of them say is *rare*, and no label may hold it, if next to
none say it, if other topics say it about as much, if it fills a slot (`labels.slots`), or if it holds a digit. Other
words that few say may be what a topic is about ("transfer failed"), as people find many words for the rest. Function
words ("of", "for") are free. Languages that write no spaces between words have pieces of text in their place
(`labels.unspaced`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from turret_pipeline.analysis.labels.phrases import counted_as, is_function_word, proper_names
from turret_pipeline.analysis.labels.slots import N_TEXTS, slot_fillers
from turret_pipeline.analysis.labels.unspaced import is_unspaced
from turret_pipeline.analysis.topics.neighbours import READ_CHARACTERS, Terms
from turret_pipeline.analysis.topics.words import WORD

FEW = 0.5
"""Share of a topic's messages below which a word is rare if it fills a slot, or holds a digit."""

LEAST_SHARE = 0.02
"""Share of a topic's messages below which a word is rare in any case."""

LEAST_PIECE = 0.15
"""The same for a piece of text without spaces, whose slots are not known."""

VERY_FEW = 0.25
"""The same if other topics say the word about as much."""

MORE_THAN_ELSEWHERE = 2.0
"""Least ratio of the share of a word that very few say to its mean share in the other topics."""

SEVERAL = 3
"""Topics whose slots a word fills, if they are half of those that say it, from which it fills slots in all of them."""

N_READ_FOR_NAMES = 5_000
"""Texts that tell which words are names of places and brands."""

CAPITAL_NOUNS = frozenset({"de"})
"""Languages that write each noun with a capital."""

_NUMBERED = re.compile(r" \(\d+\)$")


class Shares:
    """The share of each topic's messages that say a word, in the singular and whatever its case."""

    def __init__(
        self,
        texts: Sequence[str],
        terms: Terms,
        clusters: np.ndarray,
        n_messages: np.ndarray,
        n_topics: int,
        languages: Sequence[str],
    ) -> None:
        """Count the words. texts, terms (`count_terms`), clusters (-1 for none), n_messages, languages: of n_texts."""
        self._texts, self._n_messages, self._languages = texts, n_messages, languages
        self._rows: list[list[int]] = [np.flatnonzero(clusters == topic).tolist() for topic in range(n_topics)]
        words = terms.of_words
        numbers: dict[str, int] = {}
        columns = np.array([numbers.setdefault(counted_as(word), len(numbers)) for word in terms.words], dtype=np.int64)
        shape = (len(texts), len(numbers))
        said = sp.csr_matrix((np.ones(words.nnz), columns[words.indices], words.indptr.copy()), shape)
        said.sum_duplicates()
        said.data[:] = 1.0
        placed = np.flatnonzero(clusters >= 0)
        members = sp.csr_matrix((n_messages[placed], (clusters[placed], placed)), (n_topics, len(texts)), dtype=float)
        self._totals = np.maximum(np.asarray(members.sum(axis=1)).ravel(), 1.0)
        self._shares = (sp.diags(1 / self._totals) @ (members @ said)).tocsr()
        self._sums = np.asarray(self._shares.sum(axis=0)).ravel()
        self._words = np.array(list(numbers), dtype=object)
        self._common: dict[int, frozenset[str]] = {}
        self._of_topic: dict[int, dict[str, float]] = {}

    def may_hold(self, topic: int, words: Collection[str]) -> bool:
        """Return whether no word of these, which are `counted_as` such, is rare in the topic."""
        common = self.common(topic)
        return all(
            (word in common and (word not in self.names or self._share(topic, word) >= FEW)) or is_function_word(word)
            for word in words
        )

    def is_slot(self, topic: int, word: str) -> bool:
        """Return whether few say `word`, as `counted_as`, and it fills a slot, names a place, or has a digit."""
        return (word in self.names or self._fills(topic, word)) and self._share(topic, word) < FEW

    def mean(self, topic: int, words: Collection[str]) -> float:
        """Return the mean of the shares of the topic's messages that say each of these words that tells."""
        shares = [self._share(topic, word) for word in words if not is_function_word(word)]
        return float(np.mean(shares)) if shares else 0.0

    @cached_property
    def names(self) -> frozenset[str]:
        """The words, in lower case, that name a place, a person or a brand, as far as capitals tell; none in German."""
        read = zip(self._texts[:N_READ_FOR_NAMES], self._languages, strict=False)
        return proper_names(text[:READ_CHARACTERS] for text, language in read if language not in CAPITAL_NOUNS)

    def coverage(self, topic: int, words: Collection[str]) -> float:
        """Return the geometric mean of the shares of the topic's messages that say each of these words that tells."""
        shares = [self._share(topic, word) for word in words if not is_function_word(word)]
        return float(np.exp(np.log(np.maximum(shares, 1e-3)).mean())) if shares else 0.0

    def _share(self, topic: int, word: str) -> float:
        if topic not in self._of_topic:
            start, end = self._shares.indptr[topic : topic + 2]
            words = self._words[self._shares.indices[start:end]]
            self._of_topic[topic] = dict(zip(words, self._shares.data[start:end].tolist(), strict=True))
        return self._of_topic[topic].get(word, 0.0)

    def common(self, topic: int) -> frozenset[str]:
        """Return the words that the topic's messages say and that are not rare there."""
        if topic not in self._common:
            start, end = self._shares.indptr[topic : topic + 2]
            columns, shares = self._shares.indices[start:end], self._shares.data[start:end]
            elsewhere = (self._sums[columns] - shares) / max(len(self._rows) - 1, 1)
            words = self._words[columns]
            fills = np.array([self._fills(topic, word) for word in words], dtype=bool)
            as_elsewhere = shares < MORE_THAN_ELSEWHERE * elsewhere
            rare = (shares < LEAST_SHARE) | (as_elsewhere & (shares < VERY_FEW)) | (fills & (shares < FEW))
            self._common[topic] = frozenset(words[~rare])
        return self._common[topic]

    def enough(self, topic: int, piece: str) -> bool:
        """Return whether enough of the topic's messages hold `piece`, which is in lower case."""
        held = [row for row in self._rows[topic] if piece in self._read(row)]
        return float(self._n_messages[held].sum()) >= LEAST_PIECE * float(self._totals[topic])

    def is_rare(self, label: str, topics: Collection[int]) -> bool:
        """Return whether `label` holds a word that messages of these topics say, but that is rare in all of them."""
        words = re.findall(WORD, _NUMBERED.sub("", label).lower())
        rare = [word for word in words if not any(self._is_common(topic, word) for topic in topics)]
        return any(word in self._read(row) for word in rare for topic in topics for row in self._rows[topic])

    def outline(self, topic: int, text: str) -> str:
        """Return `text` with "…" for what is rare; empty where no word is left."""
        parts: list[str] = []
        for part in text.split():
            kept = all(self._is_common(topic, word) for word in re.findall(WORD, part.lower()))
            if kept or parts[-1:] != ["…"]:
                parts.append(part if kept else "…")
        found = " ".join(parts)
        return found if re.search(WORD, found) else ""

    @cached_property
    def _fillers(self) -> list[frozenset[str]]:
        """The words that fill slots, by topic."""
        return [slot_fillers([self._texts[row] for row in rows[:N_TEXTS]]) for rows in self._rows]

    @cached_property
    def _fill_everywhere(self) -> frozenset[str]:
        """The words that fill slots in most topics that say them; a small topic may show too little of its own."""
        filled = Counter(word for fillers in self._fillers for word in fillers)
        n_saying = np.bincount(self._shares.indices, minlength=len(self._words))
        said = zip(self._words, n_saying, strict=True)
        return frozenset(word for word, n in said if filled[word] >= max(SEVERAL, 0.5 * n))

    def _fills(self, topic: int, word: str) -> bool:
        everywhere = word in self._fill_everywhere or any(map(str.isdigit, word))
        return everywhere or word in self._fillers[topic]

    def _is_common(self, topic: int, word: str) -> bool:
        """Return whether a label of the topic may hold `word`, which is in lower case, as people wrote it."""
        if is_unspaced(word):
            return self.enough(topic, word)
        key = counted_as(word)
        return is_function_word(word) or is_function_word(key) or key in self.common(topic)

    def _read(self, row: int) -> str:
        return self._texts[row][:READ_CHARACTERS].lower()


def is_readable(outline: str) -> bool:
    """Return whether an outline has as many words as gaps, and is no code: "refund for … please", not "… { … }"."""
    letters = sum(char.isalpha() or char.isspace() for char in outline.replace("…", ""))
    gaps = outline.count("…")
    return len(outline.split()) >= 2 * gaps and letters >= 0.8 * len(outline.replace("…", ""))
