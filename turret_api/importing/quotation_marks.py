"""Quotation marks of a CSV file that are not closed, found in its bytes before it is read.

A reader of CSV takes the rows after such a mark for the text of one cell and says nothing. Either no further mark
comes, or the next one, which opens a cell of a later row, ends the cell: then more text follows where a separator
should. Cells with lines in them whose marks are closed and doubled as they should be are fine.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

import pyarrow as pa

from turret_api.importing.rows import SourceError

_CHUNK_BYTES = 2**20
MAX_ROW_BYTES = 2**24


def unclosed_marks(stream: pa.NativeFile, separator: str) -> dict[int, str]:
    """Return what is wrong by number of row, the header being row 1; raise `SourceError` if the text is not UTF-8.

    Args:
        stream: the whole file; read to its end.
        separator: one character.
    """
    faults: dict[int, str] = {}
    for row, first, last, is_closed in _faulty_cells(stream, separator.encode()):
        if is_closed:
            said = f"A quotation mark opens in line {first} and closes in line {last}, in the middle of a cell"
        else:
            said = f"A quotation mark opens in line {first} and is never closed"
        said += f", so that lines {first} to {last} are one row" if last > first else ""
        faults.setdefault(row, f"{said}; close it, or double it if it belongs to the text.")
    return faults


def _faulty_cells(stream: pa.NativeFile, separator: bytes) -> Iterator[tuple[int, int, int, bool]]:
    """Yield of each faulty cell its row, the lines of its opening and closing mark, and whether it has the latter."""
    beside = b"[%b\\r\\n]" % re.escape(separator)
    # Whatever has no mark, marks within a cell, and cells of one line: all but what needs a closer look.
    plain = rb'(?:[^"]++|(?<!%b)"|"[^"\r\n]*+(?:""[^"\r\n]*+)*+"(?=[^"]))*+' % beside
    cell = re.compile(rb'%b("[^"]*+(?:""[^"]*+)*+("?)) *+(%b?)' % (plain, beside))
    # As if a line ended before the first, so that a mark there opens a cell.
    buffer, row, line = b"\n", 0, 0
    for chunk in _chunks(stream):
        is_end = not chunk
        buffer += chunk
        at = 0
        while (match := cell.match(buffer, at)) and (is_end or match.end() < len(buffer)):
            start, end = match.span(1)
            n_before, n_within = _n_breaks(buffer, at, start), _n_breaks(buffer, start, end)
            row, line = row + n_before, line + n_before
            if not match[2]:
                # The break at the end of the file begins no line of its own.
                yield row, line, line + n_within - buffer.endswith((b"\n", b"\r")), False
            elif n_within and not match[3] and match.end() < len(buffer):
                yield row, line, line + n_within, True
            line += n_within
            at = end
        # Not counted yet: a cell whose end is not there, or else the last byte, and what that is half of.
        kept = match.start(1) - 1 if match else len(buffer) - 1
        kept -= kept > at and buffer[kept - 1 : kept + 1] == b"\r\n"
        if len(buffer) - kept > MAX_ROW_BYTES:
            line += _n_breaks(buffer, at, kept + 1)
            raise SourceError(
                f"the row in line {line} has more than {MAX_ROW_BYTES >> 20} MiB; is a quotation mark not closed?"
            )
        if not is_end:
            n_before = _n_breaks(buffer, at, kept)
            row, line, buffer = row + n_before, line + n_before, buffer[kept:]


def _chunks(stream: pa.NativeFile) -> Iterator[bytes]:
    """Yield the text without its byte order mark, then an empty chunk; raise `SourceError` if it is not UTF-8."""
    decoder, line = codecs.getincrementaldecoder("utf-8")(), 1
    chunk = stream.read(len(codecs.BOM_UTF8)).removeprefix(codecs.BOM_UTF8) + stream.read(_CHUNK_BYTES)
    while True:
        try:
            line += decoder.decode(chunk, final=not chunk).count("\n")
        except UnicodeDecodeError as error:
            line += error.object.count(b"\n", 0, error.start)
            raise SourceError(
                f"line {line} is not UTF-8; convert the file, such as with iconv -f WINDOWS-1252 -t UTF-8"
            ) from None
        yield chunk
        if not chunk:
            return
        chunk = stream.read(_CHUNK_BYTES)


def _n_breaks(text: bytes, start: int, end: int) -> int:
    n_both = text.count(b"\r\n", start, end)
    return text.count(b"\n", start, end) + text.count(b"\r", start, end) - n_both
