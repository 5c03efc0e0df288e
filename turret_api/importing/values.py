"""Values of an event as files have them, as `POST /track` takes them.

Databases have numbers as ids, write NULL for nobody, and hold integers of any length. What no reading makes better is
left as it is, for `check` to refuse.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from turret_api.collector.event import MAX_DEPTH
from turret_api.errors import ApiError
from turret_api.importing.times import sent_time

_IDS = ("session_id", "user_id", "event_id")
NOTHING = frozenset(("null", "(null)", "[null]", "<null>", "nil", "none", "undefined", "\\n")) | frozenset(
    ("nan", "-nan", "nat", "na", "n/a", "#n/a", "#na", "<na>", "0000-00-00", "0000-00-00 00:00:00")
)
"""What databases and programs write where there is no value, in small letters."""
_LONGEST = 32
"""Characters that such a word has at most, with blanks around it; longer texts need no closer look."""
_LEAST, _MOST = -(2**63), 2**64
_MOST_EXACT = 2**53
"""Up to here a float holds every integer."""


def says_nothing(text: str) -> bool:
    """Tell whether a text is what programs write where there is no value, or blank."""
    return (len(text) <= _LONGEST or text.isspace()) and (not (bare := text.strip()) or bare.casefold() in NOTHING)


def as_sent(document: dict[str, Any], zone: dt.tzinfo) -> dict[str, Any] | ApiError:
    """Return `document` with what `POST /track` takes in the place of what only files have, or why it is no event.

    Ids that are integers become texts; ids and times that say nothing are left out; times get an offset; integers
    beyond 64 bits become texts.

    Args:
        document: changed in place.
        zone: of times that name none.
    """
    for key in _IDS:
        value = document.get(key)
        if value is not None and (type(value) is not str or says_nothing(value)):
            document[key] = _id(value)
    if (name := document.get("name")) is not None:
        document["name"] = str(name) if type(name) is int else name
    try:
        if (time := document.get("timestamp")) is not None:
            is_none = type(time) is str and says_nothing(time)
            document["timestamp"] = None if is_none else sent_time(time, zone)
    except ApiError as error:
        return error
    metadata = document.get("metadata")
    if type(metadata) is dict:
        for key, value in metadata.items():
            if type(value) in (int, dict, list):
                metadata[key] = _within_64_bits(value)
    return document


def _id(value: Any) -> Any:
    """Return what stands for an id that is no text, or one that says nothing."""
    if type(value) is str:
        return None
    if type(value) is float and value.is_integer() and abs(value) < _MOST_EXACT:
        return str(int(value))
    return str(value) if type(value) is int else value


def _within_64_bits(value: Any, depth: int = MAX_DEPTH) -> Any:
    kind = type(value)
    if kind is int:
        return value if _LEAST <= value < _MOST else str(value)
    if kind is list and depth:
        return [_within_64_bits(inner, depth - 1) for inner in value]
    if kind is dict and depth:
        return {key: _within_64_bits(inner, depth - 1) for key, inner in value.items()}
    return value
