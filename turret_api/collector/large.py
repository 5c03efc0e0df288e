"""Large JSON, decoded and encoded value by value, so that other threads go on meanwhile.

One call of the decoder or the encoder keeps all other threads of the process waiting until it returns, the event loop's
among them: 30 to 70 ms for 16 MiB. Here each call works on at most `LIGHT` bytes, but for one text that is longer. What
comes out is what one call would make of the whole.
"""

from __future__ import annotations

from typing import Any

import msgspec

LIGHT = 1024 * 1024
"""Bytes of JSON that are decoded or encoded in one call."""

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def decode_large(document: bytes | msgspec.Raw, most: int = LIGHT) -> Any:
    """Return the JSON document in `document`, around which is no space; raise what the decoder raises if it is none.

    most: bytes that are decoded in one call.
    """
    if len(document) > most:
        match bytes(memoryview(document)[:1]):
            case b"{":
                return {key: decode_large(value, most) for key, value in _members(document).items()}
            case b"[":
                return [decode_large(each, most) for each in _elements(document)]
    return _decode(document)


def encode_large(value: Any) -> bytes:
    """Return the JSON of what the decoder gave."""
    if type(value) is dict:
        return b"{" + b",".join([_encode(key) + b":" + encode_large(each) for key, each in value.items()]) + b"}"
    if type(value) is list:
        return b"[" + b",".join([encode_large(each) for each in value]) + b"]"
    return _encode(value)
