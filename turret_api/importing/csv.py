"""Rows of a CSV file, whose columns of numbers and of booleans are found by looking at every cell first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from turret_api.collector.body import MAX_BODY
from turret_api.errors import invalid
from turret_api.importing.mapping import ColumnMapping
from turret_api.importing.rows import BATCH_ROWS, Row, SourceError

_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_MAX_DIGITS = 40
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
    header = _header(file)
    columns = mapping.taken(header)
    readers = _readers(file, header, [column for column in columns if mapping.is_metadata(column)])
    refused: deque[tuple[int, int]] = deque()

    def refuse(row: csv.InvalidRow) -> str:
        refused.append((row.number, row.actual_columns))
        return "skip"

    def refused_row(number: int, n_cells: int) -> Row:
        return number, invalid(f"The row has {n_cells} cells; the header has {len(header)}.")

    number = 1
    for batch in _batches(file, header, refuse, on_progress):
        values = [readers[column](batch[column]) or batch[column].to_pylist() for column in columns]
        for index, cells in enumerate(zip(*values, strict=True)):
            number += 1
            while refused and refused[0][0] == number:
                yield refused_row(*refused.popleft())
                number += 1
            if cells.count(None) < len(cells) or any(column[index].is_valid for column in batch.columns):
                yield number, dict(zip(columns, cells, strict=True))
    yield from (refused_row(*each) for each in refused)


def _header(file: Path) -> list[str]:
    with pa.OSFile(str(file)) as stream:
        names: list[str] = _open(stream, [], _skip).schema.names if stream.size() else []
    if names in ([], [""]):
        raise SourceError(f"{file} has no header line")
    return names


def _open(stream: pa.NativeFile, columns: list[str], on_bad: Callable[[csv.InvalidRow], str]) -> csv.CSVStreamingReader:
    return csv.open_csv(
        stream,
        # With threads the numbers of bad rows are not known.
        csv.ReadOptions(use_threads=False, block_size=MAX_BODY),
        csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=on_bad),
        csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=True, null_values=[""]
        ),
    )


def _skip(_: csv.InvalidRow) -> str:
    return "skip"


def _batches(
    file: Path, columns: list[str], on_bad: Callable[[csv.InvalidRow], str], on_progress: Callable[[int], None]
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of `file` that have as many cells as its header, every cell a text, null where it is empty."""
    n_rows = 0
    with pa.OSFile(str(file)) as stream:
        try:
            for block in _open(stream, columns, on_bad):
                for start in range(0, block.num_rows, BATCH_ROWS):
                    yield block.slice(start, BATCH_ROWS)
                n_rows += block.num_rows
                on_progress(1000 * stream.tell() // stream.size())
        except pa.ArrowInvalid as error:
            if "straddling" not in str(error):
                raise
            raise SourceError(
                f"{file} has a row of more than {MAX_BODY >> 20} MiB after {n_rows:,} good ones; is a quotation mark "
                "not closed?"
            ) from None


def _readers(file: Path, header: list[str], columns: list[str]) -> dict[str, Reader]:
    """Return how to read each column: one of `columns` as numbers or booleans if all its cells are, others as texts."""
    candidates: dict[str, list[Reader]] = {column: [_numbers, _booleans] for column in columns}
    for batch in _batches(file, header, _skip, lambda _: None):
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
