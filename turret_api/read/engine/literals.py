"""Values as SQL literals; nothing else writes a client's words into a statement."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable


def text(value: str) -> str:
    """Return a text as a literal; NUL, which no text in the lake has, ends none early."""
    return "'" + value.replace("'", "''").replace("\0", "") + "'"


def texts(values: Iterable[str]) -> str:
    """Return texts as they stand behind `IN`."""
    return f"({', '.join(text(value) for value in values)})"


def time(value: dt.datetime) -> str:
    """Return a time as a literal."""
    return f"TIMESTAMPTZ {text(value.astimezone(dt.UTC).isoformat(sep=' '))}"


def pointer(field: str) -> str:
    """Return the JSON pointer (RFC 6901) to a key of an event's metadata, as a literal."""
    return text("/" + field.replace("~", "~0").replace("/", "~1"))
