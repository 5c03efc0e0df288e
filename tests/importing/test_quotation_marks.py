"""Quotation marks that are not closed, and those that are."""

from __future__ import annotations

import csv
import io
import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turret_api.importing import quotation_marks
from turret_api.importing.quotation_marks import unclosed_marks
from turret_api.importing.rows import SourceError


def unclosed(text: str | bytes, separator: str = ",") -> dict[int, str]:
    """Return the lines that are one row, by number of row."""
    found = unclosed_marks(pa.BufferReader(text.encode() if isinstance(text, str) else text), separator)
    return {row: " ".join(re.findall(r"lines? \d+(?: to \d+)?", said)[-1:]) for row, said in found.items()}


@pytest.fixture(params=[2**20, 7, 1], autouse=True)
def chunk_bytes(request, monkeypatch) -> None:
    monkeypatch.setattr(quotation_marks, "_CHUNK_BYTES", request.param)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        # Never closed: in the last cell, the first, one between, the last row; quoted cells before it are fine.
        ('a,b\nx,"open\ny,z\ny,z\n', {2: "lines 2 to 4"}),
        ('a,b\n"open,x\ny,z\n', {2: "lines 2 to 3"}),
        ('a,b,c\nx,"open,y\nx,y,z', {2: "lines 2 to 3"}),
        ('a,b\nx,y\nx,"open', {3: "line 3"}),
        ('a,b\nx,"open\n', {2: "line 2"}),
        ('a,b\nx,"\n', {2: "line 2"}),
        ('a,b\n"x\ny",z\n\nx,"open\ny,z\n', {4: "lines 5 to 6"}),
        ('a,b\r\nx,"open\r\ny,z\r\n', {2: "lines 2 to 3"}),
        ('a,b\rx,"open\ry,z\r', {2: "lines 2 to 3"}),
        ('a,b\nx,"he said ""hi""\ny,z\n', {2: "lines 2 to 3"}),
        ('a,b\nx,"""\ny,z\n', {2: "lines 2 to 3"}),
        ('\ufeff"a,b\nx,y\n', {1: "lines 1 to 2"}),
        # Closed by the mark that should open another cell.
        ('a,b\nx,"open\ny,"good"\nx,z\n', {2: "lines 2 to 3"}),
        ('a,b\nx,"open\ny,z\ny,"good"\nx,"open\ny,"good"\n', {2: "lines 2 to 4", 3: "lines 5 to 6"}),
        ('a,b,c\nx,"open,y\nx,"good",z\nx,y,z\n', {2: "lines 2 to 3"}),
        # All is well.
        ('a,b\nx,"two\nlines"\n"three\r\n\nlines",z\n', {}),
        ('a,b\nx,"two\nlines, ""so"" it said\n"\n', {}),
        ('a,b\nx,"two\nlines"   \n', {}),
        ('a,b\n"two\nlines"  ,x\n', {}),
        ('a,b\nx,5" pipe\ny,"z"w\n', {}),
        ('a,b\nx, "y\nz,w\n', {}),
        ('"a","b"\n"x","y"', {}),
        ('a,b\nx,""\n"",""\n', {}),
        ("", {}),
    ],
)
def test_a_mark_that_is_not_closed_is_told_by_its_row_and_the_lines_that_it_swallows(text, rows) -> None:
    assert unclosed(text) == rows


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_marks_open_and_close_cells_beside_any_separator(separator) -> None:
    text = 'a,b\n"two\nlines","x"\ny,"open\nx,"good"\n'.replace(",", separator)

    assert unclosed(text, separator) == {3: "lines 4 to 5"}


@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=2), min_size=1
    ),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_pythons_csv_writes_is_well_and_a_mark_less_at_its_end_is_not(written, quoting) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, quoting=quoting).writerows(written)

    assert unclosed(file.getvalue()) == {}
    row = len(written) + 1
    assert list(unclosed(f'{file.getvalue()}x,"open')) == [row]


@pytest.mark.parametrize(
    ("content", "line"), [(b"a\xe9,b\n", 1), (b"a,b\nx,\xc3\xa9\nx,\xe9\n", 3), (b"a,b\nx,\xc3", 2)], ids=str
)
def test_bytes_that_are_not_utf_8_are_told_by_their_line(content, line) -> None:
    with pytest.raises(SourceError, match=f"line {line} is not UTF-8"):
        unclosed(content)


def test_a_mark_that_swallows_too_much_is_told_by_its_line(monkeypatch) -> None:
    monkeypatch.setattr(quotation_marks, "MAX_ROW_BYTES", 1000)

    with pytest.raises(SourceError, match="row in line 3 has more than 0 MiB; is a quotation mark not closed"):
        unclosed('a,b\nx,"y\nz",w\n'.replace("\nz", "z") + 'x,"open\n' + "x,y\n" * 600_000)
