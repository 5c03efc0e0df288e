"""Outcomes: fields that tell how well a session went, and which of their values are good; people mark them.

A number has a direction (`better`: higher or lower), and so has an enum whose values are all numbers ("1" to "5"). Any
other enum, and a boolean, which is an enum of `true` and `false`, has good values; every other value is a bad one. A
mark stays when the type of its field changes: `misfit` then says what is wrong, and whoever marked it decides anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from turret_pipeline.semantics.values import number_column

Better = Literal["higher", "lower"]
TRUE = "true"
BOOLEANS = frozenset((TRUE, "false"))


@dataclass(frozen=True)
class Outcome:
    """A field that is marked: `better` of numbers, or `good` values; one of the two is None."""

    field: str
    better: Better | None = None
    good: tuple[str, ...] | None = None

    @property
    def is_number(self) -> bool:
        """Whether sessions are compared by numbers, not by the share with a good value."""
        return self.better is not None

    @property
    def is_more_better(self) -> bool:
        """Whether a larger number, or a larger share of good values, is better."""
        return self.better != "lower"


def outcomes(decisions: pl.DataFrame) -> dict[str, Outcome]:
    """Return by field the outcomes in force, in order of the field. decisions: rows of `FIELD_OUTCOMES`."""
    last = decisions.sort("decided_at", maintain_order=True).unique("field", keep="last").sort("field")
    rows = last.select("field", "better", "good").iter_rows()
    return {
        field: Outcome(field, better, None if good is None else tuple(good))
        for field, better, good in rows
        if better is not None or good is not None
    }


def misfit(outcome: Outcome, type_in_force: str, values: Sequence[str] | None) -> str | None:
    """Return why a field of this type cannot be such an outcome, a sentence; None: it can.

    values: of an enum those that are known; None: none is known yet.
    """
    name = f"The field {outcome.field!r}"
    if type_in_force not in ("number", "enum"):
        return f"{name} is of type {type_in_force}; only a number or an enum can be an outcome."
    if not outcome.is_number:
        return None if type_in_force == "enum" else f"{name} is a number: say whether higher or lower is better."
    if type_in_force == "enum" and not are_numbers(values or ()):
        return f"{name} is an enum whose values are no numbers: say which of them are good."
    return None


def are_numbers(values: Sequence[str]) -> bool:
    """Return whether each of `values` says a number; true of none."""
    return not number_column(pl.Series(values, dtype=pl.String)).null_count()
