"""One event: what a client may send, judged in the contract's order, and what is kept of it.

Three states, each made by one function: the client's document (any JSON), a `Checked` event (`check`), and a spooled
`Row` (made by the writer, which stamps when it was received). Judging is shared by `POST /track` and `turret import`.
"""

from __future__ import annotations

import datetime as dt
import difflib
import os
import random
import time
from typing import Annotated, Any

import msgspec

from turret_api.collector.large import encode_large
from turret_api.errors import INVALID_REQUEST, MISSING_REQUIRED_FIELD, TEXT_TOO_LONG, ApiError
from turret_pipeline.semantics.blank import is_blank

MAX_ID = 200
MAX_KEYS = 256
MAX_DEPTH = 32
MAX_AHEAD_S = 86_400

_KEYS = ("name", "metadata", "session_id", "user_id", "timestamp", "event_id")
_KNOWN = frozenset(_KEYS)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_SCALARS = frozenset((str, int, float, bool, type(None)))
_LEAST, _MOST = -(2**63), 2**64
_encode = msgspec.json.Encoder().encode


_Text = Annotated[str, msgspec.Meta(max_length=MAX_ID)]
_Key = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID)]
_Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Values = dict[_Key, str | _Integer | float | bool | None]


class _Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What most events are: the decoder itself refuses whatever `check` may have something to say about."""

    name: _Text
    metadata: Annotated[_Values, msgspec.Meta(min_length=1, max_length=MAX_KEYS)]
    session_id: _Text | None = None
    user_id: _Text | None = None
    event_id: _Text | None = None
    timestamp: str | None = None


_decode_plain = msgspec.json.Decoder(_Plain).decode


class Checked(msgspec.Struct, gc=False):
    """An event that may be stored.

    Args:
        event_id: the client's own id, or the one made here.
        session_id: likewise.
        user_id: likewise.
        name: the event's name.
        timestamp_us: when it happened, in microseconds since 1970 (UTC); None: when it is received.
        metadata: JSON text of the metadata, in UTF-8.
        is_named: whether `event_id` is the client's, so that the same event may come again.
        since: of an event that waited, when its beginning was received (Unix microseconds), and the directory's version
            of then; None: it came as it is.
    """

    event_id: str
    session_id: str
    user_id: str
    name: str
    timestamp_us: int | None
    metadata: bytes
    is_named: bool
    since: tuple[int, int] | None = None


def new_id(prefix: str) -> str:
    """Return a fresh id such as `evt_…`: 14 hexadecimal digits of microseconds, so that ids sort, and 16 random."""
    number = time.time_ns() // 1000 << 64 | _random.getrandbits(64)
    return f"{prefix}_{number.to_bytes(15).hex()}"


# Seeded by the system once: asking it for each id costs half of making one. Safe from several threads.
_random = random.Random()
os.register_at_fork(after_in_child=_random.seed)


def check_plain(document: bytes | msgspec.Raw, max_text: int) -> Checked | None:
    """Return the event in `document` (JSON) as `check` does, in half the time; None: `check` has to judge it.

    document: without NUL, and so small that it needs no look at how many values it has. Raise `ApiError` as `check`.
    """
    try:
        event = _decode_plain(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    event_id, session_id, user_id = event.event_id, event.session_id, event.user_id
    for text in (event.name, event_id, session_id, user_id):
        if text is not None and not "!" <= text[:1] <= "~":  # it may be blank
            return None
    metadata = _encode(event.metadata)
    if len(metadata) > max_text:
        return None
    return Checked(
        event_id or new_id("evt"),
        session_id or new_id("ses"),
        user_id or new_id("usr"),
        event.name,
        None if event.timestamp is None else _timestamp_us(event.timestamp, None),
        metadata,
        event_id is not None,
    )


def check(
    document: Any, max_text: int, *, may_have_nul: bool = True, is_large: bool = False, now_s: float | None = None
) -> Checked:
    """Return the event that `document` (decoded JSON) stands for; raise `ApiError` for the first thing that is wrong.

    Args:
        document: what the JSON decoder gave.
        max_text: longest text in characters.
        may_have_nul: False if the caller knows that no text holds a NUL character, which saves looking.
        is_large: whether other threads are not to wait while its text is made.
        now_s: Unix time that `timestamp` may not lie a day ahead of; default: now.
    """
    if type(document) is not dict:
        raise _bad(f"An event must be a JSON object; this is {_kind(document)}.")
    name = document.get("name")
    metadata = document.get("metadata")
    if name is None or (type(name) is str and not "!" <= name[:1] <= "~" and is_blank(name)):
        raise _missing("name", 'the event\'s name, such as "message_sent"')
    if metadata is None or metadata == {}:
        raise _missing("metadata", "an object with at least one key")

    if not _KNOWN.issuperset(document):
        raise _unknown_key(next(key for key in document if key not in _KNOWN))
    if type(name) is not str:
        raise _bad(f"name must be a string; this is {_kind(name)}.", "name")
    if type(metadata) is not dict:
        raise _bad(f"metadata must be an object; this is {_kind(metadata)}.", "metadata")
    session_id = given_id(document, "session_id")
    user_id = given_id(document, "user_id")
    event_id = given_id(document, "event_id")
    timestamp = document.get("timestamp")
    timestamp_us = None if timestamp is None else _timestamp_us(timestamp, now_s)
    if len(metadata) > MAX_KEYS:
        raise _bad(f"metadata has {len(metadata)} keys; at most {MAX_KEYS} are taken.", "metadata")
    is_nested = False
    for key, value in metadata.items():
        kind = type(value)
        if kind is int:
            if not _LEAST <= value < _MOST:
                raise _too_big(key)
        elif kind is dict or kind is list:
            is_nested = True
            _check_nested(key, value)
    if "" in metadata:
        raise _bad("metadata has an empty key; every key needs 1 to 200 characters.", "metadata")
    if may_have_nul:
        _refuse_nul(document, None)

    if len(name) > MAX_ID:
        raise _too_long("name", len(name), MAX_ID)
    if (
        (session_id is not None and len(session_id) > MAX_ID)
        or (user_id is not None and len(user_id) > MAX_ID)
        or (event_id is not None and len(event_id) > MAX_ID)
    ):
        for field, value in (("session_id", session_id), ("user_id", user_id), ("event_id", event_id)):
            if value is not None and len(value) > MAX_ID:
                raise _too_long(field, len(value), MAX_ID)
    if max(map(len, metadata)) > MAX_ID:
        key = next(key for key in metadata if len(key) > MAX_ID)
        raise _too_long(f"The metadata key {key[:20]}…", len(key), MAX_ID, "metadata")
    text = None if is_large else _encode(metadata)
    if text is None or len(text) > max_text:
        # Only then can a text in it be too long: JSON takes at least a byte for a character.
        for key, value in metadata.items():
            if type(value) is str:
                if len(value) > max_text:
                    raise _text_too_long(key, value, max_text)
            elif is_nested and type(value) not in _SCALARS:
                _check_lengths(key, value, max_text)
    return Checked(
        event_id or new_id("evt"),
        session_id or new_id("ses"),
        user_id or new_id("usr"),
        name,
        timestamp_us,
        encode_large(metadata) if text is None else text,
        event_id is not None,
    )


def given_id(document: dict[str, Any], field: str) -> str | None:
    """Return the id that the client gave; None if it is missing, null or blank: then the server makes one."""
    value = document.get(field)
    if value is None:
        return None
    if type(value) is not str:
        raise _bad(f"{field} must be a string; this is {_kind(value)}.", field)
    # Nearly every id begins with a visible character of ASCII: that look costs less than a call.
    return value if "!" <= value[:1] <= "~" or not is_blank(value) else None


def _timestamp_us(value: Any, now_s: float | None) -> int:
    if type(value) is not str:
        raise _bad(f"timestamp must be a string in ISO 8601; this is {_kind(value)}.", "timestamp")
    if len(value) > 64 or not value.isascii():
        raise _bad("timestamp is not in ISO 8601 with an offset, such as 2026-01-31T12:00:00Z.", "timestamp")
    text = value.upper()
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or ("T" not in text and " " not in text):
        shown = value if value.isprintable() else "This"
        raise _bad(f"timestamp: {shown} is not a time in ISO 8601, such as 2026-01-31T12:00:00Z.", "timestamp")
    if moment.tzinfo is None:
        raise _bad(f"timestamp: {value} has no offset; add Z for UTC, or one such as +02:00.", "timestamp")
    since = moment - _EPOCH
    seconds = since.days * 86_400 + since.seconds
    if seconds < 0:
        raise _bad(f"timestamp: {value} lies before 1970.", "timestamp")
    if seconds > (time.time() if now_s is None else now_s) + MAX_AHEAD_S:
        raise _bad(f"timestamp: {value} lies more than a day ahead.", "timestamp")
    return seconds * 1_000_000 + since.microseconds


def _check_nested(field: str, value: Any) -> None:
    """Refuse what lies deeper than `MAX_DEPTH` or is beyond 64 bits, whatever the shape; needs no recursion."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _bad(f"metadata.{field} is nested more than {MAX_DEPTH} deep.", f"metadata.{field}")
        deeper: list[Any] = []
        for each in level:
            for inner in each.values() if type(each) is dict else each:
                kind = type(inner)
                if kind is int:
                    if not _LEAST <= inner < _MOST:
                        raise _too_big(field)
                elif kind is dict or kind is list:
                    deeper.append(inner)
        level = deeper


def _check_lengths(field: str, value: Any, max_text: int) -> None:
    if type(value) is str:
        if len(value) > max_text:
            raise _text_too_long(field, value, max_text)
    elif type(value) is dict:
        for key, inner in value.items():
            _check_lengths(field, key, max_text)
            _check_lengths(field, inner, max_text)
    elif type(value) is list:
        for inner in value:
            _check_lengths(field, inner, max_text)


def _refuse_nul(value: Any, field: str | None) -> None:
    if type(value) is str:
        if "\0" in value:
            raise _bad("A NUL character (\\u0000) is in a text; take it out.", field)
    elif type(value) is dict:
        for key, inner in value.items():
            _refuse_nul(key, field)
            _refuse_nul(inner, field or key)
    elif type(value) is list:
        for inner in value:
            _refuse_nul(inner, field)


def _unknown_key(key: str) -> ApiError:
    near = difflib.get_close_matches(key[:50].lower(), _KEYS, n=1, cutoff=0.0)[0]
    shown = msgspec.json.encode(key[:50]).decode()
    return _bad(f"{shown} is not a key of an event; did you mean {near}? Your own data goes into metadata.", key[:200])


def _kind(value: Any) -> str:
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "an object"}
    return kinds.get(type(value), "null")


def _bad(message: str, field: str | None = None) -> ApiError:
    return ApiError(400, INVALID_REQUEST, message, field=field)


def _missing(field: str, what: str) -> ApiError:
    return ApiError(400, MISSING_REQUIRED_FIELD, f"Missing required field: {field}, {what}.", field=field)


def _too_big(field: str) -> ApiError:
    return _bad(f"metadata.{field} holds an integer beyond 64 bits; send it as a text.", f"metadata.{field}")


def _text_too_long(key: str, text: str, most: int) -> ApiError:
    field = f"metadata.{key}"
    message = f"Metadata text exceeds maximum length: {field} has {len(text):,} characters; at most {most:,} are taken."
    return ApiError(400, TEXT_TOO_LONG, message, field=field)


def _too_long(what: str, length: int, most: int, field: str | None = None) -> ApiError:
    message = f"{what} has {length:,} characters; at most {most:,} are taken."
    return ApiError(400, TEXT_TOO_LONG, message, field=field or what)
