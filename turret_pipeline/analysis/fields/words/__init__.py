"""Lists of words by which dates and names of people are told; `tools/collect_words.py` writes them, NOTICE says whose.

Each is read once in a process, when it is first needed.
"""

from __future__ import annotations

import functools
from importlib import resources

import polars as pl


def _lines(file: str) -> list[str]:
    return resources.files(__name__).joinpath(file).read_text(encoding="utf-8").splitlines()


@functools.cache
def date_words() -> pl.DataFrame:
    """Return the words that dates are made of: `token` (lower case), `kind` (a letter, see `fields.dates`)."""
    rows = [line.split("\t") for line in _lines("dates.tsv")]
    return pl.DataFrame(rows, schema={"token": pl.String, "kind": pl.String}, orient="row")


@functools.cache
def given_names() -> frozenset[str]:
    """Return first names of people in many languages and scripts, in lower case."""
    return frozenset(_lines("given_names.txt"))


@functools.cache
def family_names() -> frozenset[str]:
    """Return last names of people in many languages and scripts, in lower case."""
    return frozenset(_lines("family_names.txt"))
