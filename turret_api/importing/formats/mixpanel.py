"""Events of Mixpanel: the raw export, one event a line.

https://developer.mixpanel.com/reference/raw-event-export: `time` counts seconds since 1970. In projects of before 2023
it counts them in the project's own zone, and nothing in the file says so. Mixpanel keeps no sessions with its events,
so they have one only where the client sent it.
"""

from __future__ import annotations

from collections.abc import Iterator

from turret_api.errors import invalid
from turret_api.importing.formats.format import Document, Format, Object, first, nested, without

_SESSION = ("$session_id", "session_id", "sessionId")
_OWN = ("time", "distinct_id", "$insert_id", "$user_id", "$device_id", "token", "mp_processing_time_ms")


def documents(row: Object) -> Iterator[Document]:
    """Yield the event of a row; raise `ApiError` if it has no time where Mixpanel has it."""
    properties = nested(row, "properties")
    if properties.get("time") is None:
        raise invalid("The properties have no time, so this is no event of Mixpanel's.")
    yield {
        "name": row.get("event"),
        "event_id": properties.get("$insert_id"),
        "user_id": first(properties, "$user_id", "distinct_id", "$device_id"),
        "session_id": first(properties, *_SESSION),
        "timestamp": properties.get("time"),
        "metadata": without(properties, *_OWN, *_SESSION),
    }


FORMAT = Format(
    "mixpanel",
    "the raw export of events (JSON lines)",
    (frozenset({"event"}), frozenset({"properties"})),
    documents,
)
