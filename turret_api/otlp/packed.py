"""Spans in protobuf, decoded but for their attributes, events and status, which stay packed until they are wanted.

`opentelemetry-proto` makes an object of each attribute and another of its value, which takes most of the time of a
request; and of many attributes only the name matters, for Turret has no use for them. So its messages are declared here
once more, by the same numbers, with these as bytes: the form that writers give an attribute is unpacked at once,
any other by `opentelemetry-proto`. https://github.com/open-telemetry/opentelemetry-proto, trace.proto and common.proto.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from turret_api.otlp.names import KNOWN, LIKE_KNOWN

_Type = FieldDescriptorProto
_BYTES, _STRING, _MESSAGE = _Type.TYPE_BYTES, _Type.TYPE_STRING, _Type.TYPE_MESSAGE
_FIXED32, _FIXED64 = _Type.TYPE_FIXED32, _Type.TYPE_FIXED64
_MOST_NESTED = 32
_KEY, _VALUE, _TEXT, _INTEGER, _ARRAY = 0x0A, 0x12, 0x0A, 0x18, 0x2A
"""First bytes of a key, a value, and a value's text, integer or array."""
_LONGEST = 70
"""Bits of a number of ten bytes, the longest that there is."""
_NAMES = {name.encode(): name for name in KNOWN}
_PREFIXES = tuple(name.encode() for name in LIKE_KNOWN)

_MESSAGES: dict[str, list[tuple[str, int, Any]]] = {
    "Request": [("resource_spans", 1, ["ResourceSpans"])],
    "ResourceSpans": [("resource", 1, "Resource"), ("scope_spans", 2, ["ScopeSpans"])],
    "Resource": [("attributes", 1, [_BYTES])],
    "ScopeSpans": [("spans", 2, ["Span"])],
    "Span": [
        ("trace_id", 1, _BYTES),
        ("span_id", 2, _BYTES),
        ("parent_span_id", 4, _BYTES),
        ("name", 5, _STRING),
        ("start_time_unix_nano", 7, _FIXED64),
        ("end_time_unix_nano", 8, _FIXED64),
        ("attributes", 9, [_BYTES]),
        ("events", 11, [_BYTES]),
        ("status", 15, _BYTES),
        ("flags", 16, _FIXED32),
    ],
}


def _declared() -> Any:
    """Return the class of requests with spans."""
    file = FileDescriptorProto(name="turret/otlp/packed.proto", package="turret", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            is_list = isinstance(kind, list)
            of = kind[0] if is_list else kind
            added = message.field.add(name=field, number=number)
            added.label = added.LABEL_REPEATED if is_list else added.LABEL_OPTIONAL
            added.type = _MESSAGE if isinstance(of, str) else of
            if isinstance(of, str):
                added.type_name = f".turret.{of}"
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName("turret.Request"))


Request = _declared()


def attributes_of(packed: Iterable[bytes]) -> dict[str, Any]:
    """Return those attributes that mean something, by their names; raise `DecodeError` or `UnicodeDecodeError`."""
    found: dict[str, Any] = {}
    name_of, prefixes = _NAMES.get, _PREFIXES
    for pair in packed:
        try:
            end = 2 + pair[1]
            key = pair[2:end]
            name = name_of(key)
            if name is None:
                if pair[0] == _KEY and end < 130 and pair[end] == _VALUE and not key.startswith(prefixes):
                    continue
            else:
                # Behind a byte that says so come how long the value is, its kind, and for a text how long that is.
                at = end + 2 if pair[end + 1] < 128 else end + 3 if pair[end + 2] < 128 else end + 4
                kind = pair[at]
                if kind == _TEXT:
                    length, start = pair[at + 1], at + 2
                    if length >= 128:
                        length, start = _number(pair, at + 1)
                    if start + length == len(pair):
                        found[name] = pair[start:].decode()
                        continue
                elif kind == _INTEGER:
                    number, start = _number(pair, at + 1)
                    if start == len(pair):
                        found[name] = number if number < 2**63 else number - 2**64
                        continue
                elif kind == _ARRAY and pair[at + 2] == pair[at + 4] == _TEXT and at + 6 + pair[at + 5] == len(pair):
                    found[name] = [pair[at + 6 :].decode()]  # one short text: the reason that a call finished for
                    continue
        except (IndexError, UnicodeDecodeError):
            pass
        whole = KeyValue.FromString(pair)
        if whole.key in KNOWN or whole.key.startswith(LIKE_KNOWN):
            found[whole.key] = value_of(whole.value)
    return found


def _number(packed: bytes, at: int) -> tuple[int, int]:
    """Return the number at `at`, and where what follows it begins; raise `IndexError` if it does not end."""
    number = shift = 0
    while True:
        if shift >= _LONGEST:
            raise IndexError
        byte = packed[at]
        number |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return number, at
        shift += 7


def value_of(value: Any, nested: int = 0) -> Any:
    """Return what an `AnyValue` holds; None for bytes, and for what is nested too deep."""
    kind = value.WhichOneof("value")
    if kind is None or kind == "bytes_value" or nested > _MOST_NESTED:
        return None
    if kind == "array_value":
        return [value_of(each, nested + 1) for each in value.array_value.values]
    if kind == "kvlist_value":
        return {each.key: value_of(each.value, nested + 1) for each in value.kvlist_value.values}
    return getattr(value, kind, None)
