"""Words that fill a slot of a template: each of many products in "refund for {product} please".

A slot is known by what stands around it: between the same three words, in many messages of a topic, stand many other
words, and each of them in few. Of a word that people chose for what it means ("transfer failed") that is not so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from turret_pipeline.analysis.labels.phrases import counted_as
from turret_pipeline.analysis.topics.words import WORD

N_TEXTS, READ = 200, 400
"""Texts of a topic that are read for slots, and characters of each."""

MANY = 3
"""Different words between the same others from which that is a slot."""

FILLS = 0.3
"""Mean share of a word among all that fills its places, a place that is no slot counting 1; below it fills slots."""

MOSTLY = 0.8
"""Share of a word's occurrences beside another one from which the two may fill a slot together ("desk lamp")."""

ONE_OF_FEW = 0.3
"""Least share of a word's occurrences in such a pair: "lamp" is beside one or two others, "membership" beside all."""


def slot_fillers(texts: Sequence[str]) -> frozenset[str]:
    """Return the words, as `counted_as`, that mostly fill slots in these texts of one topic."""
    words, said = _numbered(texts[:N_TEXTS])
    base, times = len(words), np.bincount(said, minlength=len(words))
    singles = np.flatnonzero(said)
    firsts = singles[said[singles + 1] > 0]
    _, which, counts = np.unique(said[firsts] * base + said[firsts + 1], return_inverse=True, return_counts=True)
    n_together = counts[which]
    rarer = np.minimum(times[said[firsts]], times[said[firsts + 1]])
    joined = (n_together > 1) & (n_together >= MOSTLY * rarer)
    pairs, of_pair, n_together = firsts[joined], which[joined], n_together[joined]
    starts, ends = np.concatenate([singles, pairs]), np.concatenate([singles + 1, pairs + 2])
    share = _shares(said, base, starts, ends, np.concatenate([said[singles], base + of_pair]))
    least = np.ones(len(said))
    least[singles] = share[: len(singles)]
    for place in (pairs, pairs + 1):
        is_one_of_few = n_together >= ONE_OF_FEW * times[said[place]]
        np.minimum.at(least, place[is_one_of_few], share[len(singles) :][is_one_of_few])
    fills = np.bincount(said, least, minlength=base) < FILLS * times
    return frozenset(word for word, is_filler in zip(words, fills, strict=True) if is_filler and word)


def _numbered(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Return the distinct words, the first of them empty, and the number of each word said, with 0, 0 around a text."""
    numbers, known, said = {"": 0}, dict[str, int](), [0, 0]
    for text in texts:
        for word in re.findall(WORD, text[:READ].lower()):
            if word not in known:
                known[word] = numbers.setdefault(counted_as(word), len(numbers))
            said.append(known[word])
        said += (0, 0)
    return list(numbers), np.array(said, dtype=np.int64)


def _shares(said: np.ndarray, base: int, starts: np.ndarray, ends: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """Return the share of what is said from `starts` to before `ends`, and is called `filled`, among all in its places.

    Each has two places, after two words and before one, and the other way round. The less counts; no slot counts 1.
    """
    first, before, after, last = said[starts - 2], said[starts - 1], said[ends], said[ends + 1]
    places = [2 * ((first * base + before) * base + after), 2 * ((before * base + after) * base + last) + 1]
    place = np.unique(np.concatenate(places), return_inverse=True)[1]
    n_filled = int(filled.max(initial=0)) + 1
    held, which, times = np.unique(place * n_filled + np.tile(filled, 2), return_inverse=True, return_counts=True)
    is_slot = np.bincount(held // n_filled, minlength=place.max(initial=0) + 1) >= MANY
    share = np.where(is_slot[place], times[which] / np.bincount(place)[place], 1.0)
    least: np.ndarray = share.reshape(2, -1).min(axis=0)
    return least
