"""`POST /v1/traces` and `POST /v1/logs` in the OpenAPI document, by hand, for they read their bodies themselves.

That they take protobuf is told in words only, as NDJSON is for `POST /track` (`turret_api.collector.document`).
"""

from __future__ import annotations

from typing import Any

from turret_api.collector.document import RATE, RETRY
from turret_api.otlp.wire import JSON, PROTOBUF, TRACES

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_STATUS = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
}
_SECURITY: list[dict[str, list[str]]] = [{"APIKeyHeader": []}]


def operation(signal: str) -> dict[str, Any]:
    """Return the operation that takes `signal`, as OpenAPI describes it."""
    what, named = ("spans", "resourceSpans") if signal == TRACES else ("log records", "resourceLogs")
    rejected = "rejectedSpans" if signal == TRACES else "rejectedLogRecords"
    request = {"type": "object", "properties": {named: {"type": "array", "items": {"type": "object"}}}}
    partial = {"type": "object", "properties": {rejected: {"type": "string"}, "errorMessage": {"type": "string"}}}
    taken = {"type": "object", "properties": {"partialSuccess": partial}}

    def answer(about: str, schema: dict[str, Any], headers: dict[str, Any]) -> dict[str, Any]:
        return {"description": about, "headers": headers, "content": {JSON: {"schema": schema}, PROTOBUF: _BINARY}}

    return {
        "summary": f"Take {what} of OpenTelemetry",
        "description": (
            f"Takes {what} as OTLP/HTTP has them, in protobuf or JSON, with or without gzip. Each turn of a user with "
            "a language model becomes one event; what is no call of a model is left out. A 200 means that all of it is "
            "on stable storage."
        ),
        "security": _SECURITY,
        "requestBody": {"required": True, "content": {JSON: {"schema": request}}},
        "responses": {
            "200": answer(f"All is taken, but for {what} that `partialSuccess` counts", taken, RATE),
            "400": answer("The request cannot be decoded", _STATUS, RATE),
            "401": answer("No valid write key", _STATUS, {}),
            "408": answer("The body came too slowly", _STATUS, RATE),
            "413": answer(f"Too many bytes or {what}", _STATUS, RATE),
            "415": answer("Neither protobuf nor JSON, or an encoding other than gzip", _STATUS, RATE),
            "429": answer("The plan is used up", _STATUS, RETRY),
            "503": answer("Try again; what was stored already is not stored twice", _STATUS, RETRY),
        },
    }
