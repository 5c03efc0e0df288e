"""How many of the texts that a defined topic takes belong to it, as far as its examples and what lies around tell.

Two shares are looked at. *Steady*: of the texts that are taken, how many still are when any one example or
counter-example is held out, on average over them. *At home*: how many have a found topic (or were nearest to one) that
an example has, too. What is taken from elsewhere, or hangs on one example, belongs more seldom. On the labelled sets
what belongs is all but `APART` of the mean of both shares: people tell topics apart that lie together for any model.
Counter-examples say where; the part that is lost shrinks as they come to be as many as the examples, and more.

The interval is as wide as that of a share of `TOLD` texts that were looked at (Wilson 1927). It holds the true share of
about 17 of 20 definitions of the labelled sets (`benchmarks/topics.md`), whether of 3 examples or of 10. Held-out texts
themselves are told beside it: how many examples the topic would have taken, and how many counter-examples it would have
refused, without having been told of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from turret_pipeline.semantics.defined_topics import Rule

APART = 0.23
TOLD = 2.0
_Z = 1.645


@dataclass(frozen=True)
class Precision:
    """What is stated of a defined topic.

    estimate, low, high: share of what it takes that belongs to it, with the bounds of its interval; None where it
    takes nothing. steady, at_home: the shares that the estimate is made of; None where there is no found topic.
    held_out_taken, held_out_refused: examples taken, and counter-examples refused, by the topic made from the others.
    """

    estimate: float | None
    low: float | None
    high: float | None
    steady: float | None
    at_home: float | None
    held_out_taken: int
    held_out_refused: int


def stated_precision(rule: Rule, vectors: np.ndarray, homes: np.ndarray | None) -> Precision:
    """Return what is stated of the rule.

    vectors: of the texts that it takes, unit rows. homes: of each whether its found topic is one that an example has;
    None where there are no found topics.
    """
    n = len(rule.examples)
    texts = np.concatenate([rule.examples, rule.counter_examples])
    taken, refused, still = 0, 0, []
    for place in range(len(texts)):
        if place < n and n == 1:
            break
        held_out = rule.without(place)
        is_taken = bool(held_out.margins(texts[place : place + 1])[0] >= 1)
        taken, refused = taken + (place < n and is_taken), refused + (place >= n and not is_taken)
        if len(vectors):
            still.append(float((held_out.margins(vectors) >= 1).mean()))
    if not len(vectors):
        return Precision(None, None, None, None, None, taken, refused)
    steady = float(np.mean(still)) if still else 1.0
    at_home = None if homes is None else float(homes.mean())
    lost = APART * n / len(texts)
    estimate = (1 - lost) * float(np.mean([each for each in (steady, at_home) if each is not None]))
    return Precision(estimate, *_interval(estimate), steady, at_home, taken, refused)


def _interval(share: float) -> tuple[float, float]:
    """Return the bounds of the Wilson interval of a share of `TOLD` texts."""
    whole = 1 + _Z**2 / TOLD
    middle = (share + _Z**2 / (2 * TOLD)) / whole
    half = _Z / whole * float(np.sqrt(share * (1 - share) / TOLD + _Z**2 / (4 * TOLD**2)))
    return max(0.0, middle - half), min(1.0, middle + half)
