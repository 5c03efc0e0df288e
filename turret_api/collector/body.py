"""From the bytes of a request to the documents in it, strictly.

The decoder is msgspec's: it refuses NaN, Infinity, numbers that overflow, lone surrogates, invalid UTF-8, a byte order
mark and anything behind the document, and it keeps integers beyond 64 bits as integers, so that they can be refused
(orjson turns them into floats without a word).
"""

from __future__ import annotations

import zlib
from typing import Any

import msgspec
import numpy as np

from turret_api.errors import ApiError, invalid

MAX_BODY = 16 * 1024 * 1024
MAX_EVENTS = 1000
MAX_PARTS = 2_000_000
_LIGHT = 1024 * 1024
_IS_MARK = np.isin(np.arange(256), list(b",[{\n"))

JSON, NDJSON = "application/json", "application/x-ndjson"

_decode = msgspec.json.Decoder().decode
_split = msgspec.json.Decoder(list[msgspec.Raw]).decode
_SPACE = b" \t\r\n"


def media_type(content_type: str) -> str:
    """Return `JSON` or `NDJSON`; raise `ApiError` (415) for any other type, or a charset that is not UTF-8."""
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    if kind not in (JSON, NDJSON):
        raise invalid(
            f"Content-Type is {_shown(content_type)}; send {JSON}, or {NDJSON} with one event a line.", status=415
        )
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip(" \t\"'").lower() not in ("utf-8", "utf8"):
            raise invalid(f"The charset {_shown(value)} is not taken; send UTF-8.", status=415)
    return kind


def is_gzip(content_encoding: str) -> bool:
    """Tell whether the body is gzip; raise `ApiError` (415) for an encoding other than gzip and identity."""
    encoding = content_encoding.strip().lower()
    if encoding in ("", "identity"):
        return False
    if encoding in ("gzip", "x-gzip"):
        return True
    raise invalid(f"Content-Encoding {_shown(content_encoding)} is not taken; send gzip, or none.", status=415)


def too_large() -> ApiError:
    """Return the answer to a body past `MAX_BODY`."""
    return invalid(f"The body is larger than {MAX_BODY // 2**20} MiB; send fewer events at once.", status=413)


def unpack(packed: bytes) -> bytes:
    """Return what gzip packed into `packed`, never making more than `MAX_BODY` of it."""
    plain = bytearray()
    while packed:
        unpacker = zlib.decompressobj(wbits=31)
        try:
            plain += unpacker.decompress(packed, MAX_BODY + 1 - len(plain))
        except zlib.error:
            raise invalid("The body is not gzip as Content-Encoding says, or is damaged.") from None
        if len(plain) > MAX_BODY:
            raise too_large()
        if not unpacker.eof:
            raise invalid("The gzip body is cut off; send all of it.")
        packed = unpacker.unused_data  # gzip files may be put one behind the other
    return bytes(plain)


def refuse_dust(body: bytes) -> None:
    """Raise `ApiError` (413) if the body is made of more than `MAX_PARTS` tiny values.

    Three bytes such as `[],` take 72 once decoded: 16 MiB of them would take all of a small machine's memory.
    """
    if len(body) <= _LIGHT or _n_marks(body) <= MAX_PARTS:
        return
    n_parts = _n_marks_outside_texts(body)
    if n_parts > MAX_PARTS:
        raise invalid(
            f"The body has {n_parts:,} commas, brackets and lines; at most {MAX_PARTS:,} are taken at once.",
            status=413,
        )


def _n_marks_outside_texts(body: bytes) -> int:
    # A quotation mark that is not escaped begins or ends a text. Piece by piece, for it takes some times the body.
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    found, is_inside = 0, False
    for start in range(0, len(plain), _LIGHT):
        piece = np.frombuffer(plain, np.uint8, min(_LIGHT, len(plain) - start), start)
        inside = np.bitwise_xor.accumulate(piece == ord('"')) ^ is_inside
        is_inside = bool(inside[-1])
        found += int(np.count_nonzero(_IS_MARK[piece] & ~inside))
    return found


def _n_marks(body: bytes) -> int:
    return body.count(b",") + body.count(b"[") + body.count(b"{") + body.count(b"\n")


def is_array(body: bytes) -> bool:
    """Tell whether the JSON in `body` is an array."""
    return body.lstrip(_SPACE)[:1] == b"[" if body[:1] in (b" ", b"\t", b"\r", b"\n") else body[:1] == b"["


def split_array(body: bytes) -> list[msgspec.Raw]:
    """Return the documents of a JSON array, each still as bytes; raise `ApiError` if the array itself is malformed."""
    try:
        documents = _split(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error, body) from None
    return _counted(documents)


def split_lines(body: bytes) -> list[bytes]:
    """Return the lines of an NDJSON body that are not blank."""
    return _counted([line for line in body.split(b"\n") if line.strip(_SPACE)])


def decode(document: bytes | msgspec.Raw) -> Any:
    """Return the JSON document in `document`; raise `ApiError` for anything that is not exactly one."""
    try:
        return _decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error, bytes(document)) from None


def may_have_nul(body: bytes | msgspec.Raw) -> bool:
    """Tell whether a text in `body` may hold a NUL: as a raw byte it is no JSON, so only if the escape is there."""
    return b"\\u0000" in (body if type(body) is bytes else bytes(body))


def _counted(documents: list[Any]) -> list[Any]:
    if not documents:
        raise invalid("There is no event in the body; send at least one.")
    if len(documents) > MAX_EVENTS:
        raise invalid(f"{len(documents):,} events at once; at most {MAX_EVENTS:,} are taken.", status=413)
    return documents


def _malformed(error: Exception, body: bytes) -> ApiError:
    if not body.strip(_SPACE):
        return invalid("The body is empty; send an event as a JSON object.")
    if body.startswith(b"\xef\xbb\xbf"):
        return invalid("The body starts with a byte order mark; send UTF-8 without one.")
    if isinstance(error, RecursionError):
        return invalid("The JSON is nested too deep; metadata values may be 32 deep.")
    if isinstance(error, UnicodeDecodeError):
        return invalid("The body is not valid UTF-8.")
    reason = str(error)
    if reason == "Input data was truncated":
        reason = "the JSON is cut off, or a \\u escape is half of a surrogate pair"
    elif "out of range" in reason:
        reason = "a number is beyond what 64 bits hold"
    else:
        reason = reason.removeprefix("JSON is malformed: ")
    return invalid(f"The body is not valid JSON: {reason}.")


def _shown(text: str) -> str:
    return repr(text.strip()[:60])
