"""A recogniser of names as an installation may have one: it knows two people and a city, and fails where told to."""

from __future__ import annotations

import re
from collections.abc import Iterator


def recognise(text: str) -> Iterator[tuple[int, int, str]]:
    if "fails" in text:
        raise RuntimeError(f"no idea what {text} means")
    for match in re.finditer(r"(Ann(?: Lee)?|Bob)|(Rome)", text):
        yield match.start(), match.end(), "name" if match[1] else "place"
