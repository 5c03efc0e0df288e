"""Spans as tests write them down, in OTLP's protobuf and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from turret_api.otlp import wire

START_S = 1_780_000_000
TRACE, SPAN = "a" * 31 + "1", "b" * 15 + "1"


def span_id(n: int) -> str:
    return f"{n:016x}"


def trace_id(n: int) -> str:
    return f"{n:032x}"


def span(
    attributes: Mapping[str, Any],
    *,
    trace: str = TRACE,
    own_id: str = SPAN,
    parent: str = "",
    start_s: float = 0.0,
    took_s: float = 1.5,
    error: str | None = None,
    events: Iterable[tuple[str, Mapping[str, Any]]] = (),
    name: str = "a span",
) -> dict[str, Any]:
    """Return a span in OTLP's JSON; `start_s` counts from `START_S`."""
    start = int((START_S + start_s) * 1e9)
    made: dict[str, Any] = {
        "traceId": trace,
        "spanId": own_id,
        "parentSpanId": parent,
        "name": name,
        "kind": 3,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + int(took_s * 1e9)),
        "attributes": pairs(attributes),
        "events": [{"name": name, "timeUnixNano": str(start), "attributes": pairs(each)} for name, each in events],
    }
    if error is not None:
        made["status"] = {"code": 2, "message": error}
    return made


def record(
    event: str, body: Any = None, attributes: Mapping[str, Any] | None = None, *, trace: str = TRACE, own_id: str = SPAN
) -> dict[str, Any]:
    """Return a log record in OTLP's JSON."""
    made = {
        "traceId": trace,
        "spanId": own_id,
        "eventName": event,
        "timeUnixNano": str(START_S * 10**9),
        "attributes": pairs(attributes or {}),
    }
    return made if body is None else {**made, "body": value(body)}


def request(*spans: dict[str, Any], resource: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a request with spans, in OTLP's JSON."""
    scope = {"scope": {"name": "tests"}, "spans": list(spans)}
    return {"resourceSpans": [{"resource": {"attributes": pairs(resource or {})}, "scopeSpans": [scope]}]}


def logs(*records: dict[str, Any]) -> dict[str, Any]:
    """Return a request with log records, in OTLP's JSON."""
    return {"resourceLogs": [{"resource": {}, "scopeLogs": [{"logRecords": list(records)}]}]}


def protobuf(*spans: dict[str, Any], resource: Mapping[str, Any] | None = None) -> bytes:
    """Return a request with spans in protobuf."""
    made = ExportTraceServiceRequest()
    of_resource = made.resource_spans.add()
    _fill(of_resource.resource.attributes, pairs(resource or {}))
    scope = of_resource.scope_spans.add()
    for each in spans:
        target = scope.spans.add()
        target.trace_id, target.span_id = bytes.fromhex(each["traceId"]), bytes.fromhex(each["spanId"])
        target.parent_span_id = bytes.fromhex(each["parentSpanId"])
        target.name, target.kind = each["name"], each["kind"]
        target.start_time_unix_nano = int(each["startTimeUnixNano"])
        target.end_time_unix_nano = int(each["endTimeUnixNano"])
        _fill(target.attributes, each["attributes"])
        for event in each["events"]:
            added = target.events.add()
            added.name = event["name"]
            _fill(added.attributes, event["attributes"])
        if "status" in each:
            target.status.code, target.status.message = each["status"]["code"], each["status"]["message"]
    return made.SerializeToString()


def read(*spans: dict[str, Any], resource: Mapping[str, Any] | None = None) -> list[wire.Span]:
    """Return spans as the receiver reads them, from protobuf."""
    return wire.spans_of(protobuf(*spans, resource=resource), wire.PROTOBUF, wire.TRACES)


def read_logs(*records: dict[str, Any]) -> list[wire.Span]:
    """Return what the receiver makes of log records."""
    return wire.spans_of(json.dumps(logs(*records)).encode(), wire.JSON, wire.LOGS)


def pairs(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value(each)} for key, each in attributes.items()]


def value(of: Any) -> dict[str, Any]:
    """Return an `AnyValue`."""
    if isinstance(of, str):
        return {"stringValue": of}
    if isinstance(of, bool):
        return {"boolValue": of}
    if isinstance(of, int):
        return {"intValue": str(of)}
    if isinstance(of, float):
        return {"doubleValue": of}
    if isinstance(of, list):
        return {"arrayValue": {"values": [value(each) for each in of]}}
    if isinstance(of, dict):
        return {"kvlistValue": {"values": pairs(of)}}
    return {}


def _fill(target: Any, given: list[dict[str, Any]]) -> None:
    for each in given:
        added = target.add()
        added.key = each["key"]
        _set(added.value, each["value"])


def _set(target: Any, given: dict[str, Any]) -> None:
    for kind, inner in given.items():
        match kind:
            case "stringValue":
                target.string_value = inner
            case "boolValue":
                target.bool_value = inner
            case "intValue":
                target.int_value = int(inner)
            case "doubleValue":
                target.double_value = inner
            case "arrayValue":
                target.array_value.SetInParent()
                for each in inner["values"]:
                    _set(target.array_value.values.add(), each)
            case "kvlistValue":
                target.kvlist_value.SetInParent()
                _fill(target.kvlist_value.values, inner["values"])
