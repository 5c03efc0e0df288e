"""Everything that is in a text, by all recognisers together."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from turret_api.masking.addresses import addresses
from turret_api.masking.contacts import emails, phones
from turret_api.masking.credentials import credentials, is_said_by, is_value
from turret_api.masking.kinds import (
    CARD,
    EMAIL,
    IBAN,
    IP,
    NATIONAL_ID,
    PHONE,
    PLACEHOLDER,
    RECOGNISED,
    SECRET,
    Found,
)
from turret_api.masking.names import Recogniser, recognised
from turret_api.masking.national_ids import national_ids
from turret_api.masking.payments import cards, ibans
from turret_api.masking.plain import Plain, plain

_RECOGNISERS: tuple[tuple[str, Callable[[str, str], Iterable[Found]]], ...] = (
    (SECRET, lambda text, key: credentials(text)),
    (IBAN, lambda text, key: ibans(text)),
    (CARD, lambda text, key: cards(text)),
    (NATIONAL_ID, national_ids),
    (EMAIL, lambda text, key: emails(text)),
    (PHONE, phones),
    (IP, lambda text, key: addresses(text)),
)
"""The first wins where two find something at one place."""


def find(
    written: str, kinds: frozenset[str], key: str = "", recognise: Recogniser | None = None
) -> tuple[list[Found], Plain]:
    """Return what of `kinds` is in a text, in order, none over another, and the text as it was read.

    Args:
        written: the text; the places are in it.
        kinds: what to look for.
        key: the name of the field, which may say what the value is.
        recognise: what knows names and places.
    """
    read = plain(written)
    text = read.text
    if SECRET in kinds and key and is_said_by(key) and is_value(text) and not PLACEHOLDER.search(text):
        return [Found(0, len(written), SECRET)], read
    barriers = [match.span() for match in PLACEHOLDER.finditer(text)] if ">" in text else []
    found: list[Found] = []
    for kind, recogniser in _RECOGNISERS:
        if kind in kinds:
            _join(found, recogniser(text, key), barriers)
    if recognise is not None and kinds & RECOGNISED:
        _join(found, recognised(recognise, text, kinds), barriers)
    found.sort()
    if read.places is not None:
        places = read.places
        found = [Found(places[each.start], places[each.end - 1] + 1, each.kind) for each in found]
    return found, read


def _join(found: list[Found], more: Iterable[Found], barriers: list[tuple[int, int]]) -> None:
    """Add to `found` what is found now; where it reaches over what was, both are one, of the first's kind."""
    for each in more:
        if any(start < each.end and each.start < end for start, end in barriers):
            continue
        start, end, kind = each
        over = [other for other in found if other.start < end and start < other.end]
        if over:
            kind = over[0].kind
            start, end = min(start, *(other.start for other in over)), max(end, *(other.end for other in over))
            found[:] = [other for other in found if other not in over]
        found.append(Found(start, end, kind))
