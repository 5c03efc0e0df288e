"""OTLP over HTTP: from a request's bytes to spans, in protobuf or JSON, and from an outcome to an answer's bytes.

Protobuf is decoded by `opentelemetry-proto`, spans by way of `packed`. The JSON of OTLP is not that of protobuf (ids
are hexadecimal there, not base64), so it has types of its own in `json_form`; what they do not name is ignored, as the
specification wants it. Log records become spans as well: those of one span are its events.
https://opentelemetry.io/docs/specs/otlp/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OneSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status as OneStatus

from turret_api.errors import ApiError, invalid
from turret_api.otlp import json_form, packed
from turret_api.otlp.dust import refuse_dust

PROTOBUF, JSON = "application/x-protobuf", "application/json"
TRACES, LOGS = "traces", "logs"
MAX_SPANS = 20_000
_REQUESTS: dict[str, Any] = {TRACES: packed.Request, LOGS: ExportLogsServiceRequest}
_REMOTE = 0x300
"""Flags of a span: that it says whether its parent is in another process, and that it is."""
_ERROR = 2
_ZEROS = frozenset((bytes(16), bytes(8)))
_CODES = {400: 3, 401: 16, 408: 4, 413: 3, 415: 3, 429: 8, 500: 13, 503: 14}
"""By HTTP status the code of `google.rpc.Code`."""


class Happened(NamedTuple):
    """An event of a span, or a log record: its name, attributes and body."""

    name: str
    attributes: dict[str, Any]
    body: Any


class Span(msgspec.Struct, gc=False):
    """A span, or what log records say of one.

    Args:
        trace_id: 32 hexadecimal digits; of an id that is none there may be fewer.
        span_id: 16, likewise.
        parent_id: 16; empty: it is the first of its trace.
        is_entry: whether it has no parent in its own process.
        is_whole: False of what log records say, which know neither parent nor duration.
        start_us: Unix time in microseconds; 0: unknown.
        end_us: likewise.
        error: what went wrong, empty if it is not said; None: nothing did.
        attributes: by name.
        resource: attributes of what it comes from; shared by many spans.
        events: what happened in it.
    """

    trace_id: str
    span_id: str
    parent_id: str
    is_entry: bool
    is_whole: bool
    start_us: int
    end_us: int
    error: str | None
    attributes: dict[str, Any]
    resource: dict[str, Any]
    events: list[Happened]


def media_type(content_type: str) -> str:
    """Return `PROTOBUF` or `JSON`; raise `ApiError` (415) for any other type."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in (PROTOBUF, JSON):
        raise invalid(f"Content-Type is {content_type.strip()[:60]!r}; send {PROTOBUF} or {JSON}.", status=415)
    return kind


def spans_of(body: bytes, kind: str, signal: str) -> list[Span]:
    """Return the spans in a body, or those that its log records are about.

    Args:
        body: the request's, unpacked.
        kind: `PROTOBUF` or `JSON`.
        signal: `TRACES` or `LOGS`.

    Raises:
        ApiError: it cannot be decoded (400), or has more than `MAX_SPANS` spans or log records (413).
    """
    refuse_dust(body, is_json=kind == JSON)
    try:
        if kind == JSON:
            resources = json_form.resources_of(body, is_logs=signal == LOGS)
            read: Callable[[Any, dict[str, Any]], Span] = _json_span if signal == TRACES else _json_record
        else:
            resources = _decoded(body, signal)
            read = _span if signal == TRACES else _record
        n_spans = sum(len(each) for _, each in resources)
        if n_spans > MAX_SPANS:
            raise invalid(f"{n_spans:,} {signal} at once; at most {MAX_SPANS:,} are taken.", status=413)
        spans = [read(each, resource) for resource, some in resources for each in some]
    except (DecodeError, UnicodeDecodeError):
        raise invalid(f"The body is no OTLP request with {signal} in protobuf; JSON is sent as {JSON}.") from None
    return spans if signal == TRACES else _joined(spans)


def _decoded(body: bytes, signal: str) -> list[tuple[dict[str, Any], Any]]:
    request = _REQUESTS[signal]()
    request.ParseFromString(body)
    if signal == TRACES:
        return [
            (packed.attributes_of(each.resource.attributes), scope.spans)
            for each in request.resource_spans
            for scope in each.scope_spans
        ]
    return [
        (_attributes(each.resource.attributes), scope.log_records)
        for each in request.resource_logs
        for scope in each.scope_logs
    ]


def _span(span: Any, resource: dict[str, Any]) -> Span:
    parent_id, status, events = span.parent_span_id, span.status, span.events
    return Span(
        _hex(span.trace_id),
        _hex(span.span_id),
        parent_id.hex() if parent_id else "",
        not parent_id or span.flags & _REMOTE == _REMOTE,
        True,
        span.start_time_unix_nano // 1000,
        span.end_time_unix_nano // 1000,
        _error_of(status) if status else None,
        packed.attributes_of(span.attributes),
        resource,
        [_event(each) for each in events] if events else [],
    )


def _hex(packed_id: bytes) -> str:
    """Return an id in hexadecimal digits; that of zeros is none."""
    return packed_id.hex() if packed_id not in _ZEROS else ""


def _error_of(packed_status: bytes) -> str | None:
    status = OneStatus.FromString(packed_status)
    return status.message if status.code == _ERROR else None


def _event(packed_event: bytes) -> Happened:
    event = OneSpan.Event.FromString(packed_event)
    return Happened(event.name, _attributes(event.attributes), None)


def _record(record: Any, resource: dict[str, Any]) -> Span:
    attributes = _attributes(record.attributes)
    name = record.event_name or attributes.get("event.name")
    body = packed.value_of(record.body) if record.HasField("body") else None
    at_us = (record.time_unix_nano or record.observed_time_unix_nano) // 1000
    return _of_record(
        record.trace_id.hex(), record.span_id.hex(), at_us, resource, Happened(str(name), attributes, body)
    )


def _of_record(trace_id: str, span_id: str, at_us: int, resource: dict[str, Any], happened: Happened) -> Span:
    return Span(trace_id, span_id, "", False, False, at_us, 0, None, {}, resource, [happened])


def _joined(spans: list[Span]) -> list[Span]:
    """Return one span for all that is about the same; a record that names none is about one of its own."""
    found: dict[tuple[str, str], Span] = {}
    alone: list[Span] = []
    for span in spans:
        if not span.trace_id or not span.span_id:
            alone.append(span)
            continue
        first = found.setdefault((span.trace_id, span.span_id), span)
        if first is not span:
            first.events += span.events
    return [*found.values(), *alone]


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    return {each.key: packed.value_of(each.value) for each in pairs}


def _json_span(span: json_form.Span, resource: dict[str, Any]) -> Span:
    events = [Happened(each.name or "", json_form.attributes_of(each.attributes), None) for each in span.events or ()]
    status = span.status
    return Span(
        json_form.id_of(span.trace_id, 32),
        json_form.id_of(span.span_id, 16),
        json_form.id_of(span.parent_span_id, 16),
        not span.parent_span_id or (span.flags or 0) & _REMOTE == _REMOTE,
        True,
        json_form.number_of(span.start_time_unix_nano) // 1000,
        json_form.number_of(span.end_time_unix_nano) // 1000,
        (status.message or "") if status is not None and status.code in (_ERROR, "STATUS_CODE_ERROR") else None,
        json_form.attributes_of(span.attributes),
        resource,
        events,
    )


def _json_record(record: json_form.Record, resource: dict[str, Any]) -> Span:
    attributes = json_form.attributes_of(record.attributes)
    name = record.event_name or attributes.get("event.name")
    body = None if record.body is None else json_form.value_of(record.body)
    nanos = json_form.number_of(record.time_unix_nano) or json_form.number_of(record.observed_time_unix_nano)
    happened = Happened(str(name), attributes, body)
    return _of_record(
        json_form.id_of(record.trace_id, 32), json_form.id_of(record.span_id, 16), nanos // 1000, resource, happened
    )


def accepted(kind: str, signal: str, n_rejected: int, message: str) -> bytes:
    """Return the answer to a request of which all but `n_rejected` spans or log records were taken.

    message: why those were not, or what else its sender should know; empty: nothing.
    """
    of, rejected = ("spans", "rejectedSpans") if signal == TRACES else ("log_records", "rejectedLogRecords")
    if kind == JSON:
        if not n_rejected and not message:
            return b"{}"
        return msgspec.json.encode({"partialSuccess": {rejected: str(n_rejected), "errorMessage": message}})
    answer: Any = ExportTraceServiceResponse() if signal == TRACES else ExportLogsServiceResponse()
    if n_rejected or message:
        partial = answer.partial_success
        setattr(partial, f"rejected_{of}", n_rejected)
        partial.error_message = message
    made: bytes = answer.SerializeToString()
    return made


def refused(kind: str, error: ApiError) -> bytes:
    """Return the answer to a request that was not taken, a `google.rpc.Status`."""
    code = _CODES.get(error.status, 2)
    if kind == JSON:
        return msgspec.json.encode({"code": code, "message": error.message})
    made: bytes = Status(code=code, message=error.message).SerializeToString()
    return made


def all_of(spans: Iterable[Span]) -> int:
    """Return how many spans or log records `spans` were made of."""
    return sum(1 if each.is_whole else len(each.events) for each in spans)
