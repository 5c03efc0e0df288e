"""Events of Amplitude: what its Export API gives, one event a line.

https://amplitude.com/docs/apis/analytics/export has the keys. Times are in UTC and name no zone. A session is when it
began, in milliseconds since 1970; -1 is an event outside of any.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from turret_api.importing.formats.format import Document, Format, Object, first, nested

_ABOUT = ("platform", "os_name", "device_family", "country", "language", "version_name")
"""Keys of the row that tell events apart, and are taken along beside its properties."""


def documents(row: Object) -> Iterator[Document]:
    """Yield the event of a row."""
    session: Any = row.get("session_id")
    yield {
        "name": row.get("event_type"),
        "event_id": first(row, "uuid", "$insert_id", "insert_id"),
        "user_id": first(row, "user_id", "device_id", "amplitude_id"),
        "session_id": None if str(session) in ("-1", "-1.0") else session,
        "timestamp": first(row, "event_time", "client_event_time", "time"),
        "metadata": {key: row.get(key) for key in _ABOUT} | nested(row, "event_properties"),
    }


FORMAT = Format(
    "amplitude",
    "events of the Export API (JSON lines)",
    (frozenset({"event_type"}), frozenset({"user_id", "device_id", "amplitude_id"})),
    documents,
)
