"""Rows of a CSV file, whose columns of numbers and of booleans are found by looking at every cell first."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from turret_api.errors import invalid
from turret_api.importing.mapping import ColumnMapping
from turret_api.importing.rows import BATCH_ROWS, Row, SourceError

_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_MAX_DIGITS = 40
_BLOCKS_BYTES = (2**20, 2**22, 2**24)
"""Bytes that pyarrow parses at once, the next larger one if a row is longer; it reads up to 32 blocks ahead."""

_decode = msgspec.json.Decoder(list[int | float | None]).decode

Reader = Callable[[pa.Array], list[Any] | None]
"""Reads the cells of a column, None where they are empty; or gives None, since one of them is of another kind."""


def read_csv(file: Path, mapping: ColumnMapping, on_progress: Callable[[int], None]) -> Iterator[Row]:
    """Yield the rows of `file`, with the cells of the columns that `mapping` takes; rows of empty cells are left out.

    A column of the metadata holds numbers or booleans only if every cell of it is one; all other cells are texts. The
    whole file is read once before the first row, so a file that is damaged anywhere gives an error and no row.

    Args:
        file: CSV in UTF-8, with a header.
        mapping: raises `SourceError` if it does not fit the file's columns.
        on_progress: called with the share of the bytes that are read, 0 to 1000.
    """
    for block_bytes in _BLOCKS_BYTES:
        try:
            header = _header(file, block_bytes)
            columns = mapping.taken(header)
            typed = [column for column in columns if mapping.is_metadata(column)]
            readers = _readers(file, header, typed, block_bytes)
            break
        except pa.ArrowInvalid as error:
            if "straddling" not in str(error):
                raise
    else:
        raise SourceError(f"{file} has a row of more than {block_bytes >> 20} MiB; is a quotation mark not closed?")
    refused: deque[tuple[int, int]] = deque()

    def refuse(row: csv.InvalidRow) -> str:
        refused.append((row.number, row.actual_columns))
        return "skip"

    def refused_row(number: int, n_cells: int) -> Row:
        return number, invalid(f"The row has {n_cells} cells; the header has {len(header)}.")

    number = 1
    with _opened(file, header, block_bytes, refuse) as (stream, reader):
        for batch in _batches(reader):
            values = [readers[column](batch[column]) or batch[column].to_pylist() for column in columns]
            for index, cells in enumerate(zip(*values, strict=True)):
                number += 1
                while refused and refused[0][0] == number:
                    yield refused_row(*refused.popleft())
                    number += 1
                if cells.count(None) < len(cells) or any(column[index].is_valid for column in batch.columns):
                    yield number, dict(zip(columns, cells, strict=True))
            on_progress(1000 * stream.tell() // stream.size())
    yield from (refused_row(*each) for each in refused)


def _skip(_: csv.InvalidRow) -> str:
    return "skip"


@contextlib.contextmanager
def _opened(
    file: Path, columns: list[str], block_bytes: int, on_bad: Callable[[csv.InvalidRow], str] = _skip
) -> Iterator[tuple[pa.NativeFile, csv.CSVStreamingReader]]:
    """Open `file`, of whose cells those in `columns` are texts, null where they are empty."""
    with pa.OSFile(str(file)) as stream:
        yield (
            stream,
            csv.open_csv(
                stream,
                # With threads the numbers of bad rows are not known.
                csv.ReadOptions(use_threads=False, block_size=block_bytes),
                csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=on_bad),
                csv.ConvertOptions(
                    column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=True, null_values=[""]
                ),
            ),
        )


def _header(file: Path, block_bytes: int) -> list[str]:
    names: list[str] = []
    if file.stat().st_size:
        with _opened(file, [], block_bytes) as (_, reader):
            names = reader.schema.names
    if names in ([], [""]):
        raise SourceError(f"{file} has no header line")
    return names


def _batches(reader: csv.CSVStreamingReader) -> Iterator[pa.RecordBatch]:
    for block in reader:
        for start in range(0, block.num_rows, BATCH_ROWS):
            yield block.slice(start, BATCH_ROWS)


def _readers(file: Path, header: list[str], columns: list[str], block_bytes: int) -> dict[str, Reader]:
    """Return how to read each column: one of `columns` as numbers or booleans if all its cells are, others as texts."""
    candidates: dict[str, list[Reader]] = {column: [_numbers, _booleans] for column in columns}
    with _opened(file, header, block_bytes) as (_, reader):
        for batch in _batches(reader):
            for column, readers in candidates.items():
                readers[:] = [read for read in readers if read(batch[column]) is not None]
    return {column: [*candidates.get(column, []), _texts][0] for column in header}


def _texts(cells: pa.Array) -> list[str | None]:
    texts: list[str | None] = cells.to_pylist()
    return texts


def _numbers(cells: pa.Array) -> list[int | float | None] | None:
    """Read numbers as JSON writes them, so that 007 and +49 stay texts, as do those that 64 bits cannot hold."""
    is_number = pc.and_(pc.match_substring_regex(cells, _NUMBER), pc.less_equal(pc.utf8_length(cells), _MAX_DIGITS))
    if pc.any(pc.invert(is_number)).as_py():
        return None
    try:
        numbers = _decode(f"[{','.join(cells.fill_null('null').to_pylist())}]")
    except msgspec.ValidationError:  # beyond the largest float
        return None
    return numbers if all(type(each) is not int or -(2**63) <= each < 2**64 for each in numbers) else None


def _booleans(cells: pa.Array) -> list[bool | None] | None:
    lower = pc.utf8_lower(cells)
    booleans: list[bool | None] = pc.equal(lower, "true").to_pylist()
    return None if pc.any(pc.invert(pc.is_in(lower, pa.array(["true", "false", None])))).as_py() else booleans
