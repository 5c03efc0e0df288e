"""A text as parts that a model can read whole, each with its weight."""

from __future__ import annotations

from turret_pipeline.semantics.prompts.asking import WIDE, units

WINDOW_UNITS = 900
"""Length of a part (`asking.units`), some 230 tokens: the models that are used read 256 at least."""

MOST_UNITS = 4 * WINDOW_UNITS
"""Length to which what a text asks is cut: its beginning and its end stay."""

MIDDLE_WEIGHT = 0.5
"""Of a part that is neither the first nor the last: people say at the ends of a long text what they want."""


def windows(text: str) -> list[tuple[str, float]]:
    """Return the parts of `text` in order with their weights; a text that one part holds is that part."""
    if len(text) * WIDE <= WINDOW_UNITS or (length := units(text)) <= WINDOW_UNITS:
        return [(text, 1.0)]
    n_parts = -(-length // WINDOW_UNITS)
    parts, start = [], 0
    for number in range(1, n_parts + 1):
        end = len(text) if number == n_parts else _border(text, start, len(text) * number // n_parts)
        if part := text[start:end].strip():
            parts.append(part)
        start = end
    last = len(parts) - 1
    return [(part, 1.0 if place in (0, last) else MIDDLE_WEIGHT) for place, part in enumerate(parts)]


def shortened(text: str, most: int) -> str:
    """Return `text`, or its beginning and its end where it is longer than `most` units."""
    if units(text) <= most:
        return text
    half = most * len(text) // units(text) // 2 - 1
    return text[: _border(text, 0, half)].rstrip() + "\n" + text[_border(text, half, len(text) - half) :].lstrip()


def head(text: str, most: int) -> str:
    """Return the beginning of `text`, of `most` units at most."""
    found = text.strip()
    if units(found) <= most:
        return found
    found = found[:most]
    while units(found) > most:
        found = found[: max(1, len(found) * most // units(found) - 1)]
    return found[: _border(found, 0, len(found))].rstrip()


def _border(text: str, start: int, end: int) -> int:
    """Return the last place up to `end` at which a word ends, not far before it; `end` where there is none."""
    found = max(text.rfind(" ", max(start, end - 60), end), text.rfind("\n", max(start, end - 60), end))
    return end if found <= start else found
