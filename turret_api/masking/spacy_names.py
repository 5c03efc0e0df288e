"""Names and places by spaCy: a recogniser for `TURRET_MASK_NAMES`.

spaCy is no part of Turret. Install it, and a pipeline that recognises entities, into Turret's environment; the first
pipeline by name is used. It takes some milliseconds a text, and some 100 MiB in each process that takes events.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from turret_api.masking.kinds import NAME, PLACE

_KINDS = {"PERSON": NAME, "PER": NAME, "GPE": PLACE, "LOC": PLACE, "FAC": PLACE}
"""By label: OntoNotes' of English pipelines, and WikiNER's of most others."""
_UNUSED = ("parser", "lemmatizer", "attribute_ruler", "tagger", "morphologizer", "senter")


def recognise(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield the names and places in a text."""
    for entity in _pipeline()(text).ents:
        kind = _KINDS.get(entity.label_)
        if kind is not None:
            yield entity.start_char, entity.end_char, kind


@cache
def _pipeline() -> Any:
    import spacy

    names = sorted(spacy.util.get_installed_models())
    if not names:
        raise RuntimeError("no pipeline of spaCy is installed")
    return spacy.load(names[0], exclude=_UNUSED)
