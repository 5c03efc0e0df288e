"""From the bytes of a request to the documents in it, strictly.

What can be parted is judged apart: the lines of NDJSON, and the elements of an array, whatever the decoder refuses in
one of them. An array whose brackets and quotation marks do not fit together has no elements to judge: it is no JSON.

The decoder is msgspec's: it refuses NaN, Infinity, numbers that overflow, lone surrogates, invalid UTF-8, a byte order
mark and anything behind the document, and it keeps integers beyond 64 bits as integers, so that they can be refused
(orjson turns them into floats without a word).
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
import numpy as np

from turret_api.errors import ApiError, invalid

MAX_BODY = 16 * 1024 * 1024
MAX_EVENTS = 1000
MAX_PARTS = 2_000_000
_LIGHT = 1024 * 1024
_FIRST_PIECE = 256
_IS_MARK = np.isin(np.arange(256), list(b",[{\n"))
_PARTS = np.isin(np.arange(256), list(b",[{}]"))
_STEP = np.zeros(256, np.int8)
_STEP[list(b"[{")], _STEP[list(b"]}")] = 1, -1

JSON, NDJSON = "application/json", "application/x-ndjson"

_decode = msgspec.json.Decoder().decode
_split = msgspec.json.Decoder(list[msgspec.Raw]).decode
_SPACE = b" \t\r\n"

Document = TypeVar("Document")


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
    """Return what gzip packed into `packed`, never making more than `MAX_BODY` of it, in time linear in both."""
    plain = bytearray()
    view, position = memoryview(packed), 0
    while position < len(packed):  # gzip files may be put one behind the other
        unpacker, size = zlib.decompressobj(wbits=31), _FIRST_PIECE
        while not unpacker.eof:
            if position == len(packed):
                raise invalid("The gzip body is cut off; send all of it.")
            piece = view[position : position + size]
            try:
                plain += unpacker.decompress(piece, MAX_BODY + 1 - len(plain))
            except zlib.error:
                raise invalid("The body is not gzip as Content-Encoding says, or is damaged.") from None
            if len(plain) > MAX_BODY:
                raise too_large()
            # What lies behind a file's end is copied: small pieces first, or many small files cost too much.
            position += len(piece) - len(unpacker.unused_data)
            size = min(2 * size, _LIGHT)
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
    return sum(int(np.count_nonzero(_IS_MARK[piece] & ~inside)) for piece, inside in _pieces(body))


def _pieces(body: bytes) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the bytes of `body` piece by piece, and for each byte whether it lies in a text or opens one.

    Piece by piece, for it takes some times the memory of a piece. What is escaped is blotted out in the bytes.
    """
    # A quotation mark that is not escaped begins or ends a text.
    plain = body.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    is_inside = False
    for start in range(0, len(plain), _LIGHT):
        piece = np.frombuffer(plain, np.uint8, min(_LIGHT, len(plain) - start), start)
        inside = np.bitwise_xor.accumulate(piece == ord('"')) ^ is_inside
        is_inside = bool(inside[-1])
        yield piece, inside


def _n_marks(body: bytes) -> int:
    return body.count(b",") + body.count(b"[") + body.count(b"{") + body.count(b"\n")


def is_array(body: bytes) -> bool:
    """Tell whether the JSON in `body` is an array."""
    return body.lstrip(_SPACE)[:1] == b"[" if body[:1] in (b" ", b"\t", b"\r", b"\n") else body[:1] == b"["


def split_array(body: bytes) -> list[msgspec.Raw] | list[bytes]:
    """Return the documents of a JSON array, each still as bytes; raise `ApiError` if the array itself is malformed.

    Documents that the decoder refuses are among them.
    """
    try:
        return _counted(_split(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        malformed = _malformed(error, body)
    elements = elements_of(body)
    if elements is None:
        raise malformed
    return elements


def elements_of(body: bytes) -> list[bytes] | None:
    """Return what stands between the commas of the array in `body`; None if brackets or quotation marks do not fit.

    Of the elements nothing is known but that they are not blank; raise `ApiError` (413) if they are too many. It takes
    time in proportion to the body.
    """
    array = body.strip(_SPACE)
    commas = [np.zeros(1, np.int64)]
    start, depth, is_inside = 0, 0, False
    for piece, inside in _pieces(array):
        places = np.flatnonzero(_PARTS[piece] & ~inside)
        marks = piece[places]
        depths = depth + np.cumsum(_STEP[marks], dtype=np.int32)
        # Only the last byte closes what the first opened.
        ends = places[depths < 1]
        if len(ends) and start + int(ends[0]) != len(array) - 1:
            return None
        commas.append(start + places[(marks == ord(",")) & (depths == 1)])
        start, is_inside = start + len(piece), bool(inside[-1])
        depth = int(depths[-1]) if len(depths) else depth
    if depth != 0 or is_inside or array[:1] != b"[" or array[-1:] != b"]":
        return None
    cuts = np.concatenate([*commas, [len(array) - 1]])
    _refuse_many(len(cuts) - 1)
    elements = [array[left + 1 : right] for left, right in itertools.pairwise(cuts.tolist())]
    return elements if all(element.strip(_SPACE) for element in elements) else None


def split_lines(body: bytes) -> list[bytes]:
    """Return the lines of an NDJSON body that are not blank."""
    return _counted([line for line in body.split(b"\n") if line.strip(_SPACE)])


def decode(document: bytes | msgspec.Raw, what: str = "body") -> Any:
    """Return the JSON document in `document`; raise `ApiError`, which calls it `what`, if it is not exactly one."""
    try:
        return _decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error, bytes(document), what) from None


def may_have_nul(body: bytes | msgspec.Raw) -> bool:
    """Tell whether a text in `body` may hold a NUL: as a raw byte it is no JSON, so only if the escape is there."""
    return b"\\u0000" in (body if type(body) is bytes else bytes(body))


def _counted(documents: list[Document]) -> list[Document]:
    if not documents:
        raise invalid("There is no event in the body; send at least one.")
    _refuse_many(len(documents))
    return documents


def _refuse_many(n_events: int) -> None:
    if n_events > MAX_EVENTS:
        raise invalid(f"{n_events:,} events at once; at most {MAX_EVENTS:,} are taken.", status=413)


def _malformed(error: Exception, body: bytes, what: str = "body") -> ApiError:
    if not body.strip(_SPACE):
        return invalid(f"The {what} is empty; send an event as a JSON object.")
    if body.startswith(b"\xef\xbb\xbf"):
        return invalid(f"The {what} starts with a byte order mark; send UTF-8 without one.")
    if isinstance(error, RecursionError):
        return invalid("The JSON is nested too deep; metadata values may be 32 deep.")
    if isinstance(error, UnicodeDecodeError):
        return invalid(f"The {what} is not valid UTF-8.")
    reason = str(error)
    if reason == "Input data was truncated":
        reason = "the JSON is cut off, or a \\u escape is half of a surrogate pair"
    elif "out of range" in reason:
        reason = "a number is beyond what 64 bits hold"
    else:
        reason = reason.removeprefix("JSON is malformed: ")
    return invalid(f"The {what} is not valid JSON: {reason}.")


def _shown(text: str) -> str:
    return repr(text.strip()[:60])
