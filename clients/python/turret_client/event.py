"""One event as JSON, from what `track` was given.

The JSON is made when the event happens, in the caller's thread: what the caller changes later is no part of it. Most
events are plain, and cost a look at each value and the standard library's encoder. Others are made plain first
(`values`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from turret_client.values import (
    LEAST,
    MAX_KEY,
    MAX_KEYS,
    MAX_TEXT,
    MOST,
    as_mapping,
    clean,
    described,
    plain_metadata,
)

MAX_NAME = 200
MAX_ID = 200
MAX_BYTES = 8 * 2**20
"""Bytes of one event; the server takes 16 MiB in one request."""

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode


class UnsendableError(ValueError):
    """What `track` was given is no event; the message says why."""


def encode_event(
    name: Any,
    metadata: Any,
    session_id: Any = None,
    user_id: Any = None,
    timestamp: Any = None,
    event_id: Any = None,
    *,
    max_text: int = MAX_TEXT,
) -> bytes:
    """Return the event as JSON in UTF-8, with an id and a time in any case; raise `UnsendableError` if there is none.

    timestamp: a `datetime` (without a zone: local time, as Python has it), Unix seconds, or ISO 8601; None: now.
    """
    document: dict[str, Any] = {
        "event_id": None if event_id is None else _id_of(event_id),
        "name": _name_of(name),
        "timestamp": _moment_of(timestamp),
    }
    if not (document["event_id"] or "").strip():
        # The server takes a blank one for none, and would store the event twice if it is sent twice.
        document["event_id"] = new_id()
    if session_id is not None:
        document["session_id"] = _id_of(session_id)
    if user_id is not None:
        document["user_id"] = _id_of(user_id)
    # A copy: another thread may change the caller's.
    document["metadata"] = values = dict(metadata) if type(metadata) is dict else metadata
    if is_plain(values, max_text):
        try:
            encoded = _encode(document).encode()
        except UnicodeEncodeError:  # half of a surrogate pair
            encoded = b""
        if encoded and b"\\u0000" not in encoded:
            return encoded
    document["metadata"] = _metadata_of(values, max_text)
    encoded = _encode(document).encode()
    if len(encoded) > MAX_BYTES:
        raise UnsendableError(f"the event has {len(encoded):,} bytes; at most {MAX_BYTES:,} are taken")
    return encoded


def new_id() -> str:
    """Return a fresh id: 14 hexadecimal digits of microseconds and 16 random ones, as the server makes them.

    They sort by time, so the server finds and adds them at one end of what it keeps. Ids in random order halve how many
    events it takes a second.
    """
    return f"evt_{(time.time_ns() // 1000).to_bytes(7, 'big').hex()}{secrets.token_hex(8)}"


def is_plain(metadata: Any, max_text: int) -> bool:
    """Tell whether the encoder makes of `metadata` what the server takes, but for NUL and halves of surrogate pairs."""
    if type(metadata) is not dict or not 0 < len(metadata) <= MAX_KEYS:
        return False
    n_characters = 0
    for key, value in metadata.items():
        if type(key) is not str or not 0 < len(key) <= MAX_KEY:
            return False
        kind = type(value)
        if kind is str:
            n_characters += len(value)
        elif kind is int:
            if not LEAST <= value < MOST:
                return False
        elif kind is float:
            if value - value != 0:  # NaN, or infinite
                return False
        elif kind is not bool and value is not None:
            return False
    return n_characters <= max_text


def _metadata_of(metadata: Any, max_text: int) -> dict[str, Any]:
    try:
        mapping: Mapping[Any, Any] | None = as_mapping(metadata)
    except Exception:
        mapping = None
    if mapping is None:
        raise UnsendableError(f"metadata must be a dict or hold values by name; this is {described(metadata)}")
    plain = plain_metadata(mapping, max_text)
    if not plain:
        raise UnsendableError('metadata is empty; give at least one value, such as {"prompt": "Where is my order?"}')
    return plain


def _name_of(name: Any) -> str:
    if type(name) is str and 0 < len(name) <= MAX_NAME and name.isascii() and name.isprintable() and name.strip():
        return name
    if name is None or not (text := clean(str(name), MAX_NAME)).strip():
        raise UnsendableError('name is missing; give the event\'s name, such as "user_prompt"')
    return text


def _id_of(value: Any) -> str:
    """Return an id as text; one that is too long keeps its beginning, and a digest of all of it."""
    text = value if type(value) is str else str(value)
    if len(text) > MAX_ID:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        text = f"{text[: MAX_ID - 33]}~{digest}"
    return clean(text, MAX_ID)


def _moment_of(timestamp: Any) -> str:
    if timestamp is None:
        return dt.datetime.now(dt.timezone.utc).isoformat()
    if isinstance(timestamp, dt.datetime):
        try:
            return timestamp.astimezone(dt.timezone.utc).isoformat()
        except (ValueError, OverflowError):
            raise UnsendableError(f"timestamp: {timestamp} is too far from now") from None
    if isinstance(timestamp, int | float) and not isinstance(timestamp, bool):
        try:
            return dt.datetime.fromtimestamp(timestamp, dt.timezone.utc).isoformat()
        except (ValueError, OverflowError, OSError):
            raise UnsendableError(f"timestamp: {timestamp} is no time in seconds since 1970") from None
    if isinstance(timestamp, str):
        return clean(timestamp, MAX_ID)
    raise UnsendableError(f"timestamp must be a datetime, seconds, or text; this is {described(timestamp)}")
