"""Texts as people can see them: without characters that control, format or fill, and look like nothing.

Messages may consist of zero-width characters, of control characters out of a terminal, of marks that turn the direction
of what follows. A name made of such would be blank, would equal another that it differs from, or would turn the page
around it.
"""

from __future__ import annotations

import re

import polars as pl

_FILLERS = "\u115f\u1160\u3164\uffa0\u2800"
"""Letters and signs that are drawn as a blank."""

_FILLER = re.compile(f"[{_FILLERS}]")


def printable(text: str) -> str:
    """Return what can be seen of `text`, in one line; empty if nothing can."""
    # What ends a word stays a blank; what joins or turns letters goes, and leaves the word whole.
    kept = (char if char.isprintable() else " " if char.isspace() or char < " " else "" for char in text)
    return " ".join(_FILLER.sub(" ", "".join(kept)).split())


def is_visible(texts: pl.Expr) -> pl.Expr:
    """Return whether there is anything to see in each of `texts`: a letter, number, mark or sign."""
    return texts.str.contains(rf"[\p{{L}}\p{{N}}\p{{P}}\p{{S}}--[{_FILLERS}]]")
