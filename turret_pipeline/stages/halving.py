"""Rows of a field that cannot be analysed are found by halving, so that all others are.

Where the analysis fails on a part, its halves are tried, down to the rows that fail alone. If a field has many of
these, halving would ask again and again for nothing: past `MOST_ALONE` what fails is given up in parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from turret_pipeline.stages.containment import FieldError, contained

MOST_ALONE = 16
"""Rows of a field that are found to fail by themselves, before what fails is given up in parts."""

Found = TypeVar("Found")


def by_halves(
    n_rows: int, analyse: Callable[[slice], Found], n_alone: int = 0
) -> Iterator[tuple[slice, Found | FieldError]]:
    """Yield parts that are all `n_rows` rows, in order, each with what `analyse` returns of it or why it fails on it.

    n_alone: parts of the field that were found to fail before.
    """
    waiting = [slice(0, n_rows)]
    while waiting:
        part = waiting.pop()
        try:
            with contained():
                found = analyse(part)
        except FieldError as error:
            if part.stop - part.start > 1 and n_alone < MOST_ALONE:
                middle = (part.start + part.stop) // 2
                waiting += [slice(middle, part.stop), slice(part.start, middle)]
                continue
            n_alone += 1
            yield part, error
        else:
            yield part, found
