"""Texts that show nothing: white space, control characters, and what Unicode draws as nothing at all.

The invisible ones are those with the property Default_Ignorable_Code_Point (Unicode 16, DerivedCoreProperties.txt:
zero-width characters, marks of direction, the soft hyphen, Hangul fillers, variation selectors, tags), and besides them
the marks of annotations, the Braille pattern without dots and the null notehead.
"""

from __future__ import annotations

import re

_INVISIBLE = (
    r"\s\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_blank = re.compile(f"[{_INVISIBLE}]*").fullmatch


def is_blank(text: str) -> bool:
    """Tell whether `text` shows nothing: it is empty, or of white space, control and invisible characters alone."""
    return _blank(text) is not None
