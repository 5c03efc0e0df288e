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
from collections.abc import Sequence
from typing import Any

import msgspec

from turret_api.collector.large import LIGHT, decode_large
from turret_api.collector.marks import cuts_of, has_more_marks, n_marks
from turret_api.errors import ApiError, invalid

MAX_BODY = 16 * 1024 * 1024
MAX_EVENTS = 1000
MAX_PARTS = 2_000_000
"""Commas, brackets and lines outside of texts in one body."""
MAX_VALUES = 125_000
"""Likewise in one event."""
_MOST_AT_ONCE = 1024 * 1024
_FIRST_PIECE = 256

JSON, NDJSON = "application/json", "application/x-ndjson"

_decode = msgspec.json.Decoder().decode
_split = msgspec.json.Decoder(list[msgspec.Raw]).decode
_skip = msgspec.json.Decoder(msgspec.Raw).decode
_SPACE = b" \t\r\n"
_NUL = b"\\u0000"

Document = bytes | msgspec.Raw


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
            size = min(2 * size, _MOST_AT_ONCE)
    return bytes(plain)


def documents_of(body: bytes, kind: str) -> Sequence[Document] | None:
    """Return the documents in a body of this media type, each still as bytes; None if the body is one event.

    Raise `ApiError` if they cannot be parted, or if all together are made of more than `MAX_PARTS` tiny values.
    """
    refuse_dust(body)
    if kind == NDJSON:
        return split_lines(body)
    return split_array(body) if is_array(body) else None


def refuse_dust(body: Document, most: int = MAX_PARTS, what: str = "body") -> None:
    """Raise `ApiError` (413), which calls the body `what`, if it is made of more than `most` tiny values.

    Three bytes such as `[],` take 72 once decoded: 16 MiB of them would take all of a small machine's memory. And the
    decoder lets no other thread work meanwhile, for half a second with a million keys.
    """
    if len(body) <= most or not has_more_marks(plain := bytes(body), most):
        return
    n_parts = n_marks(plain)
    if n_parts > most:
        raise invalid(
            f"The {what} has {n_parts:,} commas, brackets and lines; at most {most:,} are taken at once.", status=413
        )


def is_array(body: bytes) -> bool:
    """Tell whether the JSON in `body` is an array."""
    return body.lstrip(_SPACE)[:1] == b"[" if body[:1] in (b" ", b"\t", b"\r", b"\n") else body[:1] == b"["


def split_array(body: bytes) -> Sequence[Document]:
    """Return the documents of a JSON array, each still as bytes; raise `ApiError` if the array itself is malformed.

    Documents that the decoder refuses are among them.
    """
    documents: Sequence[Document] | None
    try:
        documents = _split(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        documents = elements_of(body)
        if documents is None:
            raise _malformed(error, body) from None
    _refuse_none_or_many(len(documents))
    return documents


def elements_of(body: bytes) -> list[bytes] | None:
    """Return what stands between the commas of the array in `body`; None if brackets or quotation marks do not fit.

    Of the elements nothing is known but that they are not blank; raise `ApiError` (413) if they are too many.
    """
    array = body.strip(_SPACE)
    cuts = cuts_of(array)
    if cuts is None:
        return None
    _refuse_none_or_many(len(cuts) - 1)
    elements = [array[left + 1 : right] for left, right in itertools.pairwise(cuts.tolist())]
    return elements if all(element.strip(_SPACE) for element in elements) else None


def split_lines(body: bytes) -> list[bytes]:
    """Return the lines of an NDJSON body that are not blank; raise `ApiError` if there are none, or too many."""
    lines: list[bytes] = []
    n_lines, start = 0, 0
    while start < len(body):  # one by one: a body may be two million blank lines
        end = body.find(b"\n", start)
        end = len(body) if end < 0 else end
        if end > start and (line := body[start:end]).strip(_SPACE):
            n_lines += 1
            if n_lines <= MAX_EVENTS:
                lines.append(line)
        start = end + 1
    _refuse_none_or_many(n_lines)
    return lines


def decode(document: bytes | msgspec.Raw, what: str = "body") -> Any:
    """Return the JSON document in `document`; raise `ApiError`, which calls it `what`, if it is not exactly one."""
    try:
        return _decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error, bytes(document), what) from None


def decode_event(document: Document, what: str = "body") -> Any:
    """Return the JSON document that one event is; raise `ApiError` as `decode` does, or if it has too many values.

    However large it is, other threads wait for a few milliseconds at most.
    """
    try:
        _refuse_dust_in_event(document)
        return decode_large(bytes(document).strip(_SPACE)) if len(document) > LIGHT else _decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error, bytes(document), what) from None


def _refuse_dust_in_event(document: Document) -> None:
    try:
        refuse_dust(document, MAX_VALUES, "event")
    except ApiError:
        _skip(document)  # what is nested too deep, or cut off, is refused as such
        raise


def may_have_nul(body: Document) -> bool:
    """Tell whether a text in `body` may hold a NUL: as a raw byte it is no JSON, so only if the escape is there."""
    plain = bytes(body)
    if len(plain) <= LIGHT:
        return _NUL in plain
    return any(_NUL in plain[start : start + LIGHT + len(_NUL) - 1] for start in range(0, len(plain), LIGHT))


def _refuse_none_or_many(n_events: int) -> None:
    if not n_events:
        raise invalid("There is no event in the body; send at least one.")
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
        if len(body) > LIGHT:
            reason = reason.partition(" (byte ")[0]  # it is counted from the beginning of some piece
    return invalid(f"The {what} is not valid JSON: {reason}.")


def _shown(text: str) -> str:
    return repr(text.strip()[:60])
