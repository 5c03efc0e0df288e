"""Rows of a CSV file, whose columns of numbers and of booleans are found by looking at every cell first."""

from __future__ import annotations

import csv as stdlib_csv
import io
import re
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pyarrow as pa
from pyarrow import csv

from turret_api.errors import invalid
from turret_api.importing.columns import Column, Reader, texts
from turret_api.importing.mapping import ColumnMapping
from turret_api.importing.quotation_marks import MAX_ROW_BYTES, unclosed_marks
from turret_api.importing.rows import BATCH_ROWS, Row, SourceError
from turret_api.importing.sources import Source, opened

_BLOCKS_BYTES = (2**20, 2**22, MAX_ROW_BYTES)
"""Bytes that pyarrow parses at once, the next larger one if a row is longer; it reads up to 32 blocks ahead."""
_SEPARATORS = [",", ";", "\t", "|"]
_TOLD_SEPARATOR = re.compile(r'"?sep=([^\r\n"])"?\r?\n', re.IGNORECASE)
_FIRST_ROW = re.compile(r'(?:[^"\r\n]|"[^"]*+")*+')
_QUOTED = re.compile(r'"[^"]*+"')
_BOM = "\ufeff"
_RELEASE_S = 5
"""Seconds that pyarrow's thread may take to let go; it takes some microseconds."""


class Table(NamedTuple):
    """How the file of a table of texts is laid out.

    Args:
        separator: of cells, as the header has it.
        columns: names in the header.
        unclosed: what is wrong by number of row where quotation marks are not closed.
        header_row: 1, or 2 if Excel's line `sep=;` is before it.
    """

    separator: str
    columns: list[str]
    unclosed: dict[int, str]
    header_row: int = 1


def find_table(source: Source) -> Table:
    """Return how a CSV file is laid out, after a look at all of it; raise `SourceError` if no table is in it."""
    with opened(source) as (_, stream):
        head = stream.read(_BLOCKS_BYTES[0]).decode("utf-8", "replace").removeprefix(_BOM)
    separators = sorted(_SEPARATORS, key=lambda each: each != "\t") if source.form == "TSV" else _SEPARATORS
    told = _TOLD_SEPARATOR.match(head)
    if told:
        separators, head = [told[1]], head[told.end() :]
    first = _FIRST_ROW.match(head)
    outside = _QUOTED.sub("", first[0] if first else "")
    separator = max(separators, key=outside.count)
    try:
        columns = next(stdlib_csv.reader(io.StringIO(head, newline=""), delimiter=separator), [])
    except stdlib_csv.Error as error:
        raise SourceError(f"the header of {source.file} cannot be read: {error}") from None
    if columns in ([], [""]):
        raise SourceError(f"{source.file} has no header line")
    try:
        with opened(source) as (_, stream):
            unclosed = unclosed_marks(stream, separator)
    except SourceError as error:
        raise SourceError(f"{source.file}: {error}") from None
    header_row = 2 if told else 1
    if header_row in unclosed:
        raise SourceError(f"{source.file}: {unclosed[header_row]}")
    return Table(separator, columns, unclosed, header_row)


def read_csv(source: Source, table: Table, mapping: ColumnMapping, on_progress: Callable[[int], None]) -> Iterator[Row]:
    """Yield the rows of a file, with the cells of the columns that `mapping` takes; rows of empty cells are left out.

    A column of the metadata holds numbers or booleans only if every cell of it is one; all other cells are texts. The
    whole file is read once before the first row, so a file that is damaged anywhere gives an error and no row.

    Args:
        source: CSV in UTF-8, with a header.
        table: its layout, from `find_table`.
        mapping: raises `SourceError` if it does not fit the file's columns.
        on_progress: called with the share of the bytes that are read, 0 to 1000.
    """
    columns = mapping.taken(table.columns)
    for block_bytes in _BLOCKS_BYTES:
        try:
            readers = _readers(source, table, mapping, block_bytes)
            break
        except pa.ArrowInvalid as error:
            if "straddling" not in str(error):
                raise
    else:
        raise SourceError(f"{source.file} has a row of more than {block_bytes >> 20} MiB")
    refused: deque[tuple[int, int]] = deque()

    def refuse(row: csv.InvalidRow) -> str:
        refused.append((row.number, row.actual_columns))
        return "skip"

    def refused_row(number: int, n_cells: int) -> Row:
        message = f"The row has {n_cells} cell{'' if n_cells == 1 else 's'}; the header has {len(table.columns)}."
        return number, invalid(table.unclosed.get(number, message))

    number = table.header_row
    for batch, share in _batches(source, table, block_bytes, refuse):
        values = [readers[column](batch[column]) or texts(batch[column]) for column in columns]
        for index, cells in enumerate(zip(*values, strict=True)):
            number += 1
            while refused and refused[0][0] == number:
                yield refused_row(*refused.popleft())
                number += 1
            if number in table.unclosed:
                yield number, invalid(table.unclosed[number])
            elif cells.count(None) < len(cells) or any(column[index].is_valid for column in batch.columns):
                yield number, dict(zip(columns, cells, strict=True))
        on_progress(share)
    yield from (refused_row(*each) for each in refused)


def _skip(_: csv.InvalidRow) -> str:
    return "skip"


def _batches(
    source: Source, table: Table, block_bytes: int, on_bad: Callable[[csv.InvalidRow], str] = _skip
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield the table, whose cells are texts, null where they are empty; and the share that is read, 0 to 1000."""
    released = threading.Event()

    def on_bad_row(row: csv.InvalidRow) -> str:
        return on_bad(row)

    weakref.finalize(on_bad_row, released.set)
    # With threads the numbers of bad rows are not known.
    read = csv.ReadOptions(use_threads=False, block_size=block_bytes, skip_rows=table.header_row - 1)
    parse = csv.ParseOptions(
        delimiter=table.separator, newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=on_bad_row
    )
    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(table.columns, pa.string()), strings_can_be_null=True, null_values=[""]
    )
    reader = None
    try:
        with opened(source) as (raw, stream), csv.open_csv(stream, read, parse, convert) as reader:
            for block in reader:
                for start in range(0, block.num_rows, BATCH_ROWS):
                    yield block.slice(start, BATCH_ROWS), 1000 * raw.tell() // raw.size()
    finally:
        # A thread of pyarrow holds the function a moment longer than the reader; a process that ends just then aborts.
        del on_bad_row, parse, reader
        released.wait(_RELEASE_S)


def _readers(source: Source, table: Table, mapping: ColumnMapping, block_bytes: int) -> dict[str, Reader]:
    """Return how to read each column: one of the metadata as numbers or booleans if all its cells are."""
    found = {name: Column(name) for name in mapping.taken(table.columns) if mapping.is_metadata(name)}
    for batch, _ in _batches(source, table, block_bytes):
        for name, column in found.items():
            column.look(batch[name])
    return {name: found[name].reader() if name in found else texts for name in table.columns}
