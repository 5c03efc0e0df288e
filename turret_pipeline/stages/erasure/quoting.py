"""Whether something that a person wrote quotes what is erased."""

from __future__ import annotations

import urllib.parse
from functools import cached_property

import orjson
import polars as pl

from turret_pipeline.stages.erasure.together import Together

LEAST_OF_TEXT, LEAST_OF_ID = 12, 4
"""Characters from which on a text, or an id, is looked for within others: a note that says "ok" quotes nobody."""


class Quoting:
    """Tells what quotes ids and texts of erasures: as they are, as JSON or an address writes them, in any case."""

    def __init__(self, gone: Together) -> None:
        ids = {*gone.selection.named, *gone.user_ids, *gone.session_ids, *gone.event_ids}
        long = {text for text in ids if len(text) >= LEAST_OF_ID}
        long |= {text for text in gone.texts if len(text) >= LEAST_OF_TEXT}
        self._exact = {*ids, *gone.texts}
        self._within = {form for text in long for form in (text.lower(), orjson.dumps(text).decode()[1:-1].lower())}

    @cached_property
    def _wanted(self) -> pl.Series:
        return pl.Series(sorted(self._within), dtype=pl.String).implode()

    def is_one(self, text: str | None) -> bool:
        """Tell whether the text is one of them."""
        return text in self._exact

    def are(self, texts: pl.Series) -> pl.Series:
        """Tell of each of the texts (null: no) whether it is one of them."""
        return texts.is_in(pl.Series(sorted(self._exact), dtype=pl.String).implode()).fill_null(False)

    def is_in(self, text: str | None) -> bool:
        """Tell whether the text is one of them, or has one in it."""
        return text is not None and bool(self.are_in(pl.Series([text])).item())

    def are_in(self, texts: pl.Series) -> pl.Series:
        """Tell of each of the texts (null: no) whether it is one of them, or has one in it."""
        found = self.are(texts)
        if self._within:
            plain = [None if text is None else urllib.parse.unquote_plus(text) for text in texts]
            for each in (texts, pl.Series(plain, dtype=pl.String)):
                found |= each.str.to_lowercase().str.contains_any(self._wanted).fill_null(False)
        return found
