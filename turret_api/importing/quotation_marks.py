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
    cell = re.compile(rb'(?<=[%b\r\n])"[^"]*+(?:""[^"]*+)*+("?)( *+)([%b\r\n]?)' % ((re.escape(separator),) * 2))
    # As if a line ended before the first, so that a mark there opens a cell.
    buffer, row, line = b"\n", 0, 0
    decoder, is_end = codecs.getincrementaldecoder("utf-8")(), False
    n_lines_decoded = 1
    start = stream.read(len(codecs.BOM_UTF8)).removeprefix(codecs.BOM_UTF8)
    while not is_end:
        chunk = start + stream.read(_CHUNK_BYTES)
        is_end = len(chunk) == len(start)
        start = b""
        try:
            n_lines_decoded += decoder.decode(chunk, final=is_end).count("\n")
        except UnicodeDecodeError as error:
            line_of_error = n_lines_decoded + error.object.count(b"\n", 0, error.start)
            raise SourceError(
                f"line {line_of_error} is not UTF-8; convert the file, such as with iconv -f WINDOWS-1252 -t UTF-8"
            ) from None
        buffer += chunk
        at = 0
        while (match := cell.search(buffer, at)) and (is_end or match.end() < len(buffer)):
            end = match.end(1)
            n_before, n_within = _n_breaks(buffer, at, match.start()), _n_breaks(buffer, match.start(), end)
            row, line = row + n_before, line + n_before
            if not match[1]:
                # The break at the end of the file begins no line of its own.
                yield row, line, line + n_within - buffer.endswith((b"\n", b"\r")), False
            elif n_within and not match[3] and match.end() < len(buffer):
                yield row, line, line + n_within, True
            line += n_within
            at = end
        # Not counted yet: a cell whose end is not there, or else the last byte, and what that is half of.
        kept = match.start() - 1 if match else len(buffer) - 1
        kept -= kept > at and buffer[kept - 1 : kept + 1] == b"\r\n"
        if len(buffer) - kept > MAX_ROW_BYTES:
            line += _n_breaks(buffer, at, kept + 1)
            raise SourceError(
                f"the row in line {line} has more than {MAX_ROW_BYTES >> 20} MiB; is a quotation mark not closed?"
            )
        if not is_end:
            n_before = _n_breaks(buffer, at, kept)
            row, line, buffer = row + n_before, line + n_before, buffer[kept:]


def _n_breaks(text: bytes, start: int, end: int) -> int:
    n_both = text.count(b"\r\n", start, end)
    return text.count(b"\n", start, end) + text.count(b"\r", start, end) - n_both
