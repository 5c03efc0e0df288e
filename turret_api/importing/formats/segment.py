"""Calls of Segment, as its archives and warehouses keep them: track, page, screen, identify, group and alias.

https://segment.com/docs/connections/spec/common/ has the keys. Segment has no sessions of its own; clients and its
integrations put them into the context or the properties.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from turret_api.importing.formats.format import Document, Format, Object, an_object, first, nested

_SESSION = ("sessionId", "session_id")
_TIME = ("timestamp", "originalTimestamp", "original_timestamp", "sentAt", "sent_at", "receivedAt", "received_at")
"""Of these the first is corrected for clocks that are wrong."""


def documents(row: Object) -> Iterator[Document]:
    """Yield the event of a row."""
    kind = row.get("type") or ("track" if row.get("event") else None)
    context, properties = nested(row, "context"), nested(row, "properties")
    metadata = {**nested(row, "traits"), **properties}
    if kind in ("page", "screen"):
        metadata = {"page": row.get("name"), "category": row.get("category")} | metadata
    for key in _SESSION:
        metadata.pop(key, None)
    yield {
        "name": row.get("event") if kind == "track" else kind,
        "event_id": first(row, "messageId", "message_id", "id"),
        "user_id": first(row, "userId", "user_id", "anonymousId", "anonymous_id"),
        "session_id": _session(context, properties, an_object(row.get("integrations"))),
        "timestamp": first(row, *_TIME),
        "metadata": metadata,
    }


def _session(context: Object, properties: Object, integrations: Object) -> Any:
    found = first(context, *_SESSION) or first(properties, *_SESSION)
    return found or first(an_object(integrations.get("Amplitude")), "session_id", "sessionId")


FORMAT = Format(
    "segment",
    "archived calls: track, page, screen, identify (JSON lines)",
    (frozenset({"type", "event"}), frozenset({"userId", "user_id", "anonymousId", "anonymous_id"})),
    documents,
)
