"""What the columns of a CSV file hold: texts, numbers or booleans, found by looking at every cell.

A column of numbers keeps being one if cells say NaN, NULL or the like; those are left out. Versions stay texts, for as
numbers 3.10 and 3.1 are the same: a column is one of versions if its name says so (`semantics.field_names`), or if a
number ends in 0 behind the point and not all have as many digits there, as prices have. So do postcodes, of which a
file may happen to have none that begins with 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from turret_api.importing.values import NOTHING
from turret_pipeline.semantics.field_names import POSTCODE, VERSION, hint_of

_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_ENDS_IN_ZERO = r"\.[0-9]+0$"
_MAX_DIGITS = 40
_VERSION = re.compile(r"(?<![a-z])(version|versions|ver|release|firmware)(?![a-z])", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NO_NUMBER = pa.array([*NOTHING, "inf", "-inf", "+inf", "infinity", "-infinity", "+infinity"])

_decode = msgspec.json.Decoder(list[int | float | None]).decode

Reader = Callable[[pa.Array], list[Any] | None]
"""Reads the cells of a column, None where they are empty; or gives None, since one of them is of another kind."""


class Column:
    """What a column of texts may be read as, after a look at some of its cells.

    Args:
        name: what it is called, in the file or in the metadata.
    """

    def __init__(self, name: str) -> None:
        # `v` may be any value.
        says_so = len(name) > 1 and hint_of(name) in (VERSION, POSTCODE)
        is_of_texts = says_so or _VERSION.search(_CAMEL.sub("_", name)) is not None
        self._readers: list[Reader] = [booleans] if is_of_texts else [numbers, booleans]
        self._has_values = False
        self._n_decimals: set[int] = set()
        self._ends_in_zero = False

    def look(self, cells: pa.Array) -> None:
        """Take more cells into account, empty ones being null."""
        found = [(read, values) for read in self._readers if (values := read(cells)) is not None]
        self._readers = [read for read, _ in found]
        if not found:
            return
        self._has_values = self._has_values or any(value is not None for value in found[0][1])
        if numbers in self._readers:
            said = _said(cells)
            decimals = pc.utf8_length(pc.replace_substring_regex(said, r"^[^.]*\.?", ""))
            self._n_decimals.update(pc.unique(decimals.drop_null()).to_pylist())
            self._ends_in_zero = self._ends_in_zero or bool(
                pc.any(pc.match_substring_regex(said, _ENDS_IN_ZERO)).as_py()
            )

    def reader(self) -> Reader:
        """Return how to read every cell."""
        is_version = self._ends_in_zero and len(self._n_decimals) > 1
        if not self._has_values or not self._readers or is_version:
            return texts
        return self._readers[0]


def texts(cells: pa.Array) -> list[Any]:
    """Return the cells as they are."""
    found: list[Any] = cells.to_pylist()
    return found


def numbers(cells: pa.Array) -> list[Any] | None:
    """Read numbers as JSON writes them, so that 007 and +49 stay texts, as do those that 64 bits cannot hold."""
    if not _are_numbers(cells):
        cells = _said(cells)
        if not _are_numbers(cells):
            return None
    try:
        found = _decode(f"[{','.join(cells.fill_null('null').to_pylist())}]")
    except msgspec.ValidationError:  # beyond the largest float
        return None
    return found if all(type(each) is not int or -(2**63) <= each < 2**64 for each in found) else None


def booleans(cells: pa.Array) -> list[Any] | None:
    """Read true and false, in capitals or not."""
    lower = pc.utf8_lower(_said(cells))
    found: list[Any] = pc.equal(lower, "true").to_pylist()
    return None if pc.any(pc.invert(pc.is_in(lower, pa.array(["true", "false", None])))).as_py() else found


def _are_numbers(cells: pa.Array) -> bool:
    is_number = pc.and_(pc.match_substring_regex(cells, _NUMBER), pc.less_equal(pc.utf8_length(cells), _MAX_DIGITS))
    return not pc.any(pc.invert(is_number)).as_py()


def _said(cells: pa.Array) -> pa.Array:
    """Return the cells with null for those that say that there is no value."""
    return pc.if_else(pc.is_in(pc.utf8_lower(cells), _NO_NUMBER), None, cells)
