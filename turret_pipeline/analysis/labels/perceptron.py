"""The averaged perceptron of `denckring-en-pos`, whose weights are added up as rows of numbers instead of one by one.

It reads the package's weights and gives the tags that the package's own `Tagger` gives, but where two are equally
likely, in a quarter of the time: what the weights say of a word, and of its neighbours, is looked up once a word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

START, END = "<s>", "</s>"
"""What stands before and after a sentence, in the names of features."""

KEPT = 32_768
"""Words, and pairs of tags, of which sums are kept."""

_UNITS = 1_000
"""Units in one: the weights have three decimals, and sums of whole numbers are the same in any order."""


class Perceptron:
    """A tagger with weights by feature and class. tagdict: words that are of one class wherever they stand."""

    def __init__(
        self, weights: Mapping[str, Mapping[str, float]], tagdict: Mapping[str, str], classes: Sequence[str]
    ) -> None:
        self._tagdict = tagdict
        self._classes = sorted(classes, reverse=True)  # of classes with equal sums the last one by name is taken
        places = {name: place for place, name in enumerate(self._classes)}
        self._row = {feature: row for row, feature in enumerate(weights)}
        self._table = np.zeros((len(weights) + 1, len(classes)), dtype=np.int32)  # the last row: no such feature
        rows = np.repeat(np.arange(len(weights)), [len(found) for found in weights.values()])
        columns = [places[name] for found in weights.values() for name in found]
        values = [weight for found in weights.values() for weight in found.values()]
        self._table[rows, columns] = np.rint(_UNITS * np.array(values))
        self._alone, self._beside = lru_cache(KEPT)(self._of_word), lru_cache(KEPT)(self._of_neighbour)
        self._behind = lru_cache(KEPT)(self._of_tags)

    def tag(self, words: Sequence[str]) -> list[str]:
        """Return the class of each word of a sentence."""
        context = [START, START, *(word.lower() for word in words), END, END]
        beside = [self._beside(word) for word in context]
        last, before, found = START, START, []
        for place, word in enumerate(words, start=2):
            lower = context[place]
            guess = self._tagdict.get(lower)
            if guess is None:
                sums = self._alone(word) + self._behind(last, before)
                for offset, near in enumerate((place - 2, place - 1, place + 1, place + 2)):
                    sums += beside[near][offset]
                both = self._row.get(f"t-1 w {last} {lower}")
                if both is not None:
                    sums += self._table[both]
                guess = self._classes[sums.argmax()]
            found.append(guess)
            before, last = last, guess
        return found

    def _of_word(self, word: str) -> np.ndarray:
        lower = word.lower()
        shape = ("X" if word[:1].isupper() else "x") + ("d" if any(map(str.isdigit, word)) else "")
        ends = (f"suf3 {lower[-3:]}", f"suf2 {lower[-2:]}", f"suf1 {lower[-1:]}", f"pre1 {lower[:1]}")
        return self._sum("bias", *ends, f"shape {shape}", f"w {lower}")

    def _of_neighbour(self, word: str) -> np.ndarray:
        """Return what `word`, in lower case, says of the word two and one after it, and one and two before it."""
        return self._rows(f"w-2 {word}", f"w-1 {word}", f"w+1 {word}", f"w+2 {word}")

    def _of_tags(self, last: str, before: str) -> np.ndarray:
        return self._sum(f"t-1 {last}", f"t-2 {before}", f"t-1t-2 {last} {before}")

    def _sum(self, *features: str) -> np.ndarray:
        """Return the sum of the features' weights: int64 (n_classes,), in thousandths."""
        sums: np.ndarray = self._rows(*features).sum(axis=0)
        return sums

    def _rows(self, *features: str) -> np.ndarray:
        """Return the weights of the features: int32 (n_features, n_classes), in thousandths."""
        rows: np.ndarray = self._table[[self._row.get(feature, -1) for feature in features]]
        return rows
