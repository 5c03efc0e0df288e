"""Words that fill a slot of a template: each of many products in "refund for {product} please".

A slot is known by what stands around it: between the same three words, in many messages of a topic, stand many other
words, and each of them in few. Of a word that people chose for what it means ("transfer failed") that is not so.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from turret_pipeline.analysis.labels.phrases import counted_as
from turret_pipeline.analysis.topics.neighbours import WORD

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

_Place = tuple[str, ...]


def slot_fillers(texts: Sequence[str]) -> frozenset[str]:
    """Return the words, as `counted_as`, that mostly fill slots in these texts of one topic."""
    said = [list(map(counted_as, re.findall(WORD, text[:READ].lower()))) for text in texts[:N_TEXTS]]
    times = Counter(word for words in said for word in words)
    pairs = Counter(pair for words in said for pair in pairwise(words))
    joined = {pair for pair, n in pairs.items() if n > 1 and n >= MOSTLY * min(times[word] for word in pair)}
    fills: dict[_Place, Counter[_Place]] = defaultdict(Counter)
    for words in said:
        for _, filled, places in _filled(words, joined):
            for place in places:
                fills[place][filled] += 1
    shares: dict[str, list[float]] = defaultdict(list)
    for words in said:
        found = [1.0] * len(words)
        for start, filled, places in _filled(words, joined):
            slots = [fills[place] for place in places if len(fills[place]) >= MANY]
            share = min((slot[filled] / slot.total() for slot in slots), default=1.0)
            for at, word in enumerate(filled, start):
                if len(filled) == 1 or pairs[filled] >= ONE_OF_FEW * times[word]:  # type: ignore[index]
                    found[at] = min(found[at], share)
        for word, share in zip(words, found, strict=True):
            shares[word].append(share)
    return frozenset(word for word, found in shares.items() if sum(found) < FILLS * len(found))


def _filled(words: list[str], joined: set[tuple[str, str]]) -> Iterator[tuple[int, _Place, list[_Place]]]:
    """Yield each word, and each of `joined`, as (where it begins, itself, the two places that it fills)."""
    framed = ["", "", *words, "", ""]
    for start in range(2, len(words) + 2):
        for end in (start + 1, start + 2):
            filled = tuple(framed[start:end])
            if len(filled) == 1 or filled in joined:
                before, after = framed[start - 2 : start], framed[end : end + 2]
                yield start - 2, filled, [(*before, "_", after[0]), (before[1], "_", *after)]
