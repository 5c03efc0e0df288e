"""The words of a text, in scripts with and without spaces between them."""

from __future__ import annotations

import re

from turret_pipeline.analysis.labels.unspaced import is_unspaced, unspaced_words

WORD = r"(?u)\b\w[\w'\u2019-]*\b"


def words_of(text: str) -> list[str]:
    """Return the words of `text` in lower case, in order; of Chinese, Japanese and Thai those that a breaker finds."""
    found = re.findall(WORD, text.lower())
    if text.isascii() or not is_unspaced(text):
        return found
    return [word for run in found for word in (unspaced_words(run) if is_unspaced(run) else (run,))]
