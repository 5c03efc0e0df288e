"""Lines of an NDJSON file, or the elements of a JSON array."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterable, Iterator

import msgspec

from turret_api.collector import body as bodies
from turret_api.errors import ApiError
from turret_api.importing import json_text
from turret_api.importing.rows import BATCH_ROWS, Row, SourceError
from turret_api.importing.sources import Source, opened

_BOM = b"\xef\xbb\xbf"
_split = msgspec.json.Decoder(list[msgspec.Raw]).decode


def read_ndjson(source: Source, on_progress: Callable[[int], None]) -> Iterator[Row]:
    """Yield the lines of a file that are not blank, decoded as strictly as the body of a request.

    A file of the form JSON may also be one array, whose elements count from 1, or one object over many lines.

    Args:
        source: one JSON value a line.
        on_progress: called with the share of the bytes that are read, 0 to 1000.
    """
    with opened(source) as (raw, text):
        size = max(1, raw.size())
        lines = io.BufferedReader(text, 2**20)
        for number, line in enumerate(_values(lines) if source.form == "JSON" else lines, 1):
            if number % BATCH_ROWS == 0:
                on_progress(1000 * raw.tell() // size)
            if number == 1:
                line = line.removeprefix(_BOM)
            if not line or line.isspace():
                continue
            try:
                if len(line) > bodies.MAX_BODY:
                    raise bodies.too_large()
                yield number, json_text.decode(line)
            except ApiError as error:
                yield number, error


def _values(lines: io.BufferedReader) -> Iterable[bytes]:
    """Return the elements of an array, the one object that a file is, or its lines."""
    if lines.peek(1).removeprefix(_BOM).lstrip()[:1] == b"[":
        return _elements(lines.read())
    first = lines.readline()
    if first.removeprefix(_BOM).strip() in (b"", b"{"):
        # The first line of an object that was written to be read by people.
        return [first + lines.read()]
    return itertools.chain([first], lines)


def _elements(array: bytes) -> list[bytes]:
    array = array.removeprefix(_BOM)
    try:
        return [bytes(element) for element in _split(array)]
    except msgspec.MsgspecError:
        try:
            return [msgspec.json.encode(element) for element in json_text.decode(array)]  # NaN is in it
        except ApiError as error:
            raise SourceError(f"the array cannot be read: {error.message}") from None
