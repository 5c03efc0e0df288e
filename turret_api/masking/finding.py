"""Everything that is in a text, by all recognisers together."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable

from turret_api.masking.addresses import addresses
from turret_api.masking.credentials import credentials, is_said_by, is_value
from turret_api.masking.emails import emails
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
from turret_api.masking.phones import phones
from turret_api.masking.plain import Plain, plain

_RECOGNISERS: tuple[tuple[str, Callable[[str, str], Iterable[Found]]], ...] = (
    (SECRET, lambda text, key: credentials(text)),
    (IBAN, lambda text, key: ibans(text)),
    (IP, lambda text, key: addresses(text)),
    (CARD, lambda text, key: cards(text)),
    (NATIONAL_ID, national_ids),
    (EMAIL, lambda text, key: emails(text)),
    (PHONE, phones),
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
    claims: list[tuple[Found, int]] = []
    for rank, (kind, recogniser) in enumerate(_RECOGNISERS):
        if kind in kinds:
            mine = list(recogniser(text, key))
            if mine:
                claims += [(each, rank) for each in mine]
                text = _hidden(text, mine)
    text = read.text
    if recognise is not None and kinds & RECOGNISED:
        claims += [(each, len(_RECOGNISERS)) for each in recognised(recognise, text, kinds)]
    found = _settled(claims, text)
    if read.starts is not None and read.ends is not None:
        starts, ends = read.starts, read.ends
        found = [Found(starts[each.start], ends[each.end - 1], each.kind) for each in found]
    return found, read


def _hidden(text: str, found: list[Found]) -> str:
    """Return a text of the same length in which the recognisers that follow need not look at what is found."""
    parts: list[str] = []
    at = 0
    for each in sorted(found):
        if each.start >= at:
            parts += text[at : each.start], "\0" * (each.end - each.start)
            at = each.end
    return "".join([*parts, text[at:]])


def _settled(claims: list[tuple[Found, int]], text: str) -> list[Found]:
    """Return one place for all that lie over one another, of the kind with the least rank; none over a placeholder."""
    if not claims:
        return []
    barriers = [match.span() for match in PLACEHOLDER.finditer(text)] if ">" in text else []
    ends = [end for _, end in barriers]
    found: list[Found] = []
    least = 0
    for each, rank in sorted(claims):
        at = bisect_right(ends, each.start)
        if at < len(barriers) and barriers[at][0] < each.end:
            continue
        if found and each.start < found[-1].end:
            start, end, kind = found[-1]
            found[-1] = Found(start, max(end, each.end), kind if least <= rank else each.kind)
            least = min(least, rank)
        else:
            found.append(each)
            least = rank
    return found
