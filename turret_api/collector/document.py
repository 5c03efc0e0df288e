"""`POST /track` in the OpenAPI document. The endpoint reads its body itself, so this is written by hand.

It must be such that generators make a client of it. So NDJSON is told in words only (they know JSON and forms, and give
up on an endpoint that takes either of two), what is true or false is no constant, and types have names.
"""

from __future__ import annotations

from typing import Any

from turret_api.collector.body import MAX_EVENTS
from turret_api.collector.event import MAX_ID, MAX_KEYS

_ID = {"type": ["string", "null"], "maxLength": MAX_ID}

_EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["name", "metadata"],
    "additionalProperties": False,
    "properties": {
        "name": {
            "type": "string",
            "minLength": 1,
            "maxLength": 200,
            "pattern": r"\S",
            "description": "the event's name",
        },
        "metadata": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": MAX_KEYS,
            "propertyNames": {"minLength": 1, "maxLength": 200},
            "additionalProperties": {
                "anyOf": [
                    {"type": ["string", "boolean", "null"]},
                    {"type": "array", "items": {}},
                    {"type": "object", "additionalProperties": True},
                    {"type": "integer", "minimum": -(2**63), "maximum": 2**64 - 1},
                    {"type": "number", "not": {"type": "integer"}},
                ]
            },
            "description": "your data: texts, numbers, booleans, nulls; lists and objects are kept, not typed",
        },
        "session_id": _ID | {"description": "missing, null or blank: the server makes one"},
        "user_id": _ID | {"description": "missing, null or blank: the server makes one"},
        "timestamp": {
            "type": ["string", "null"],
            "format": "date-time",
            "description": "when it happened; default: now",
        },
        "event_id": _ID
        | {"description": "your own id: the same again is stored once; missing, null or blank: the server makes one"},
    },
}

_TRACKED = {
    "type": "object",
    "required": ["success", "message", "event_id", "session_id", "user_id"],
    "properties": {
        "success": {"type": "boolean"},
        "message": {"type": "string"},
        "event_id": {"type": "string"},
        "session_id": {"type": "string"},
        "user_id": {"type": "string"},
        "duplicate": {"type": "boolean", "description": "true where it was stored before; else it is not there"},
    },
}


def _schema(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


_ERROR = _schema("Error")
_MANY = {
    "type": "object",
    "required": ["success", "accepted", "rejected", "results"],
    "properties": {
        "success": {"type": "boolean"},
        "accepted": {"type": "integer", "minimum": 0},
        "rejected": {"type": "integer", "minimum": 0},
        "results": {"type": "array", "items": {"anyOf": [_schema("Tracked"), _ERROR]}},
    },
}
SCHEMAS = {"Event": _EVENT, "Tracked": _TRACKED, "TrackedMany": _MANY}
"""By name, what `TRACK` refers to: generators of clients name their types after them."""

RATE = {
    name: {"schema": {"type": "integer"}, "description": meaning}
    for name, meaning in (
        ("RateLimit-Limit", "events that the plan allows in its period"),
        ("RateLimit-Remaining", "of them, still to be had"),
        ("RateLimit-Reset", "seconds until they are counted anew"),
    )
}
RETRY = RATE | {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds until it is worth trying again"}}


def _answer(about: str, schema: dict[str, Any], headers: dict[str, Any]) -> dict[str, Any]:
    return {"description": about, "headers": headers, "content": {"application/json": {"schema": schema}}}


TRACK: dict[str, Any] = {
    "summary": "Track one event, or many",
    "description": (
        "A 200 means that the event is on stable storage and survives any crash. A JSON array, or NDJSON with one "
        f"event a line, takes up to {MAX_EVENTS} events and 16 MiB, each judged alone. `Content-Encoding: gzip` works "
        "for all."
    ),
    "security": [{"APIKeyHeader": []}],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [
                        _schema("Event"),
                        {"type": "array", "minItems": 1, "maxItems": MAX_EVENTS, "items": _schema("Event")},
                    ]
                }
            },
        },
    },
    "responses": {
        "200": _answer("All events are stored", {"anyOf": [_schema("Tracked"), _schema("TrackedMany")]}, RATE),
        "207": _answer("Some of several events were not stored", _schema("TrackedMany"), RATE),
        "400": _answer("The request is malformed", _ERROR, RATE),
        "401": _answer("No valid write key", _ERROR, {}),
        "408": _answer("The body came too slowly", _ERROR, RATE),
        "413": _answer("Too many bytes or events", _ERROR, RATE),
        "415": _answer("Not JSON or NDJSON, or an encoding other than gzip", _ERROR, RATE),
        "429": _answer("The plan is used up", _ERROR, RETRY),
        "503": _answer("Nothing was stored; try again", _ERROR, RETRY),
    },
}
