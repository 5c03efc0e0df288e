"""The JSON of OTLP: protobuf's, but that ids are hexadecimal.

Numbers of 64 bits may be texts, and null is the same as what is left out.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from turret_api.errors import invalid

_LEAST, _MOST = -(2**63), 2**63
_MOST_NESTED = 32


class _Form(msgspec.Struct, rename="camel", gc=False):
    """Keys in camel case; a key that is not named is ignored."""


class Value(_Form):
    """An `AnyValue`; one of its keys is there."""

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | str | None = None
    double_value: float | str | None = None
    array_value: Values | None = None
    kvlist_value: Pairs | None = None


class Pair(_Form):
    """A `KeyValue`."""

    key: str | None = None
    value: Value | None = None


class Values(_Form):
    """An `ArrayValue`."""

    values: list[Value | None] | None = None


class Pairs(_Form):
    """A `KeyValueList`."""

    values: list[Pair] | None = None


class Event(_Form):
    """A span's event."""

    name: str | None = None
    attributes: list[Pair] | None = None


class Status(_Form):
    """A span's status; 2: it failed."""

    code: int | str | None = None
    message: str | None = None


class Span(_Form):
    """A span, times in nanoseconds."""

    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    flags: int | None = None
    name: str | None = None
    start_time_unix_nano: int | str | None = None
    end_time_unix_nano: int | str | None = None
    status: Status | None = None
    attributes: list[Pair] | None = None
    events: list[Event] | None = None


class Record(_Form):
    """A log record, times in nanoseconds."""

    trace_id: str | None = None
    span_id: str | None = None
    event_name: str | None = None
    time_unix_nano: int | str | None = None
    observed_time_unix_nano: int | str | None = None
    attributes: list[Pair] | None = None
    body: Value | None = None


class _Resource(_Form):
    attributes: list[Pair] | None = None


class _Spans(_Form):
    spans: list[Span] | None = None


class _Records(_Form):
    log_records: list[Record] | None = None


class _ResourceSpans(_Form):
    resource: _Resource | None = None
    scope_spans: list[_Spans] | None = None


class _ResourceLogs(_Form):
    resource: _Resource | None = None
    scope_logs: list[_Records] | None = None


class _Traces(_Form):
    resource_spans: list[_ResourceSpans] | None = None


class _Logs(_Form):
    resource_logs: list[_ResourceLogs] | None = None


_traces = msgspec.json.Decoder(_Traces).decode
_logs = msgspec.json.Decoder(_Logs).decode


def resources_of(body: bytes, *, is_logs: bool) -> list[tuple[dict[str, Any], Any]]:
    """Return the spans (or log records) in `body` by what they come from; raise `ApiError` if it cannot be decoded."""
    try:
        if is_logs:
            logs = _logs(body).resource_logs or ()
            return [(_of_resource(each), of.log_records or ()) for each in logs for of in each.scope_logs or ()]
        traces = _traces(body).resource_spans or ()
        return [(_of_resource(each), of.spans or ()) for each in traces for of in each.scope_spans or ()]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise invalid(f"The body is not OTLP in JSON: {error}.") from None
    except RecursionError:
        raise invalid("The body is not OTLP in JSON: it is nested too deep.") from None


def _of_resource(of: _ResourceSpans | _ResourceLogs) -> dict[str, Any]:
    return {} if of.resource is None else attributes_of(of.resource.attributes)


def attributes_of(pairs: list[Pair] | None) -> dict[str, Any]:
    """Return attributes by their names."""
    return {each.key or "": None if each.value is None else value_of(each.value) for each in pairs or ()}


def value_of(value: Value, nested: int = 0) -> Any:
    """Return what `value` holds; None for bytes, for what is no number though it should be, and what lies too deep."""
    if value.string_value is not None:
        return value.string_value
    if value.bool_value is not None:
        return value.bool_value
    if value.int_value is not None:
        return number_of(value.int_value, None)
    if value.double_value is not None:
        return _float_of(value.double_value)
    if nested > _MOST_NESTED:
        return None
    if value.array_value is not None:
        return [None if each is None else value_of(each, nested + 1) for each in value.array_value.values or ()]
    if value.kvlist_value is not None:
        pairs = value.kvlist_value.values or ()
        return {each.key or "": None if each.value is None else value_of(each.value, nested + 1) for each in pairs}
    return None


def id_of(text: str | None, n_digits: int) -> str:
    """Return an id in lower case; empty if it is none: not hexadecimal digits, or zeros alone."""
    try:
        number = bytes.fromhex(text) if text and len(text) == n_digits else b""
    except ValueError:
        return ""
    return number.hex() if any(number) else ""


def number_of(value: int | str | None, otherwise: Any = 0) -> Any:
    """Return the integer of 64 bits that `value` is or says; `otherwise` if it is none."""
    if type(value) is str:
        if len(value) > 20:
            return otherwise
        try:
            value = int(value)
        except ValueError:
            return otherwise
    return otherwise if value is None or not _LEAST <= int(value) < _MOST else value


def _float_of(value: float | str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
