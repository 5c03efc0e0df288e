"""What a receipt tells of an erasure that others were performed with: first what is its own, then what is of all.

    own lines ── `TOGETHER`: how many there were ── lines that are of all of them

Which of them a line of the second part came from cannot be told: a table of Postgres is written anew once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from turret_api.erasing.book import Receipt
from turret_api.erasing.erased import Done

TOGETHER = "together"
_TOGETHER_WHAT = "erasures in one go: the lines below this one, and the totals, are of all of them"


@dataclass
class Told:
    """The lines of one receipt, which grow. n: how many erasures were performed together, this one too."""

    own: list[Done] = field(default_factory=list)
    shared: list[Done] = field(default_factory=list)
    n: int = 1

    @classmethod
    def of(cls, receipt: Receipt | None) -> Told:
        """Return what a receipt tells: what was done before an erasure was cut off counts too."""
        done = receipt.done if receipt is not None else ()
        at = next((number for number, each in enumerate(done) if each.place == TOGETHER), None)
        return cls(list(done)) if at is None else cls(list(done[:at]), list(done[at + 1 :]), done[at].n)

    def add(self, done: Iterable[Done]) -> None:
        """Tell of this erasure that this was done."""
        self.own = _added_up(self.own, done)

    def add_shared(self, done: Iterable[Done], n: int) -> None:
        """Tell that this was done for `n` erasures; for one it is its own."""
        self.n = max(self.n, n)
        if n == 1:
            self.add(done)
        else:
            self.shared = _added_up(self.shared, done)

    @property
    def lines(self) -> tuple[Done, ...]:
        """What the receipt says, place after place."""
        if not self.shared:
            return tuple(self.own)
        return (*self.own, Done(TOGETHER, _TOGETHER_WHAT, self.n), *self.shared)


def _added_up(known: Sequence[Done], added: Iterable[Done]) -> list[Done]:
    """Return the lines of both, each thing once."""
    counts: dict[tuple[str, str], int] = {}
    for each in (*known, *added):
        counts[each.place, each.what] = counts.get((each.place, each.what), 0) + each.n
    return [Done(place, what, n) for (place, what), n in counts.items()]
