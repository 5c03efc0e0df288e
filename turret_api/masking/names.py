"""The recogniser of names and places that an installation may have: a function of its own, as `module:function`.

    recognise("Ann lives in Rome.") == [(0, 3, "name"), (13, 17, "place")]

It is imported where a project masks names or places, and nowhere else. `turret_api.masking.spacy_names:recognise` is
one, over spaCy.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from turret_api.masking.kinds import RECOGNISED, Found
from turret_api.masking.rule import RuleError

Recogniser = Callable[[str], Iterable[tuple[int, int, str]]]
"""From a text to places in it: first character, the one behind the last, and the kind."""


class RecogniserError(Exception):
    """The recogniser did not do what it should."""


@cache
def recogniser_of(place: str) -> Recogniser:
    """Return the function at `module:function`; raise `RuleError` if there is none."""
    module, _, function = place.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except Exception as error:  # an import may fail in any way
        raise RuleError(f"TURRET_MASK_NAMES={place} cannot be imported: {error}") from error
    if not callable(found):
        raise RuleError(f"TURRET_MASK_NAMES={place} is no function")
    recognise: Recogniser = found
    return recognise


def recognised(recognise: Recogniser, text: str, kinds: frozenset[str]) -> Sequence[Found]:
    """Return where the recogniser finds what is asked for; raise `RecogniserError` if it fails."""
    try:
        found = [Found(int(start), int(end), str(kind)) for start, end, kind in recognise(text)]
    except Exception as error:
        # Neither the text nor what the error says, for it may hold the text.
        raise RecogniserError(f"the recogniser of names failed ({type(error).__name__})") from None
    for each in found:
        if each.kind not in RECOGNISED or not 0 <= each.start < each.end <= len(text):
            raise RecogniserError("the recogniser of names gave a place that is not in the text, or another kind")
    return [each for each in found if each.kind in kinds]
