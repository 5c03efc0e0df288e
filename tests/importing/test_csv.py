"""CSV files as other programs write them: the rows, their numbers, and which columns are numbers."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turret_api.errors import ApiError
from turret_api.importing import rows
from turret_api.importing.csv import find_table, read_csv
from turret_api.importing.mapping import ColumnMapping
from turret_api.importing.rows import SourceError
from turret_api.importing.sources import find_source


def read(file: Path, content: str | bytes, **mapped: str) -> list[tuple[int, Any]]:
    """Return number and cells of every row of `content`; of a row that cannot be read, the reason."""
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    source = find_source(file)
    found = read_csv(source, find_table(source), ColumnMapping(mapped), lambda _: None)
    return [(number, cells.message if isinstance(cells, ApiError) else cells) for number, cells in found]


@pytest.mark.parametrize(
    ("content", "cells"),
    [
        ('a,b\n"x ""y"" z",w\n', [('x "y" z', "w")]),
        ('a,b\n"two\nlines",w\n', [("two\nlines", "w")]),
        ('a,b\r\n"two\r\nlines",w\r\n', [("two\r\nlines", "w")]),
        ('a,b\nx"y,"z"w\n', [('x"y', "zw")]),
        ("a,b\rx,y\rz,w\r", [("x", "y"), ("z", "w")]),
        ("\ufeffa,b\nx,y\n", [("x", "y")]),
        ("a,b\nx,y", [("x", "y")]),
        ('a,b\n x , "y" \n', [(" x ", ' "y" ')]),
        ("a,b\n", []),
        ('a,b\nNULL,nan\n"",x\n', [("NULL", "nan"), (None, "x")]),
    ],
)
def test_cells_are_what_the_file_says(tmp_path, content, cells) -> None:
    found = read(tmp_path / "a.csv", content)

    assert [tuple(row.values()) for _, row in found] == cells


def test_rows_of_the_wrong_length_are_told_in_their_place_and_blank_rows_are_counted(tmp_path) -> None:
    content = "a,b\nx,1\n\nx\nx,2\n,\nx,3,3\nx,4\nx\n"

    assert read(tmp_path / "a.csv", content) == [
        (2, {"a": "x", "b": 1}),
        (4, "The row has 1 cell; the header has 2."),
        (5, {"a": "x", "b": 2}),
        (7, "The row has 3 cells; the header has 2."),
        (8, {"a": "x", "b": 4}),
        (9, "The row has 1 cell; the header has 2."),
    ]


def test_a_row_whose_only_cell_is_left_out_is_not_blank(tmp_path) -> None:
    assert read(tmp_path / "a.csv", "a,b\nx,y\n,y\n,\n", b="") == [(2, {"a": "x"}), (3, {"a": None})]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "-2.5", "1e3", ""], [1, -2.5, 1000.0, None]),
        (["true", "FALSE", ""], [True, False, None]),
        (["1", "true"], ["1", "true"]),
        (["007", "8"], ["007", "8"]),
        (["+49", "1"], ["+49", "1"]),
        (["1.", "1"], ["1.", "1"]),
        (["18446744073709551615", "-9223372036854775808"], [2**64 - 1, -(2**63)]),
        (["9400111899223100001234", "1"], ["9400111899223100001234", "1"]),
        (["1e999", "1"], ["1e999", "1"]),
        (["0." + "1" * 40, "1"], ["0." + "1" * 40, "1"]),
        (["1,2", "[1]", "null"], ["1,2", "[1]", "null"]),
        (["x"] * 5000 + ["1"], ["x"] * 5000 + ["1"]),
        (["1"] * 5000 + ["x"], ["1"] * 5000 + ["x"]),
    ],
)
def test_a_column_is_of_numbers_or_booleans_only_if_every_cell_is(tmp_path, cells, values) -> None:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([["k", "n"], *(["k", cell] for cell in cells)])

    found = [row["n"] for _, row in read(tmp_path / "a.csv", file.getvalue())]

    assert [(type(each), each) for each in found] == [(type(each), each) for each in values]


def test_ids_stay_texts(tmp_path) -> None:
    assert read(tmp_path / "a.csv", "session_id,n\n12,12\n") == [(2, {"session_id": "12", "n": 12})]


@pytest.mark.parametrize("name", ["python", "ios", "node_version", "releaseNo", "OS", "zip", "postal_code", "Plz"])
def test_versions_and_postcodes_stay_texts_and_prices_do_not(tmp_path, name) -> None:
    found = [row for _, row in read(tmp_path / "a.csv", f"{name},price\n3.10,3.10\n3.11,3.11\n")]
    assert found == [{name: "3.10", "price": 3.1}, {name: "3.11", "price": 3.11}]


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=2)))
def test_what_pythons_csv_writes_comes_back(tmp_path_factory, written) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerows([["session_id", "name"], *written])

    found = read(tmp_path_factory.getbasetemp() / "law.csv", file.getvalue())

    assert [[cell or "" for cell in row.values()] for _, row in found] == [row for row in written if any(row)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "has no header line"),
        (b"\na,b\n", "has no header line"),
        (b"a,a\n1,2\n", "two columns have the same name"),
        (b"a,b\nx,y\nx,\xe9\n", "line 3 is not UTF-8"),
        (b"a\xe9,b\nx,y\n", "line 1 is not UTF-8"),
        (b'a,b\nx,y\nx,"' + b"x,y\n" * 2**23, "more than 16 MiB"),
    ],
    ids=["empty", "blank header", "same names", "latin-1", "latin-1 header", "unclosed"],
)
def test_a_damaged_file_gives_no_row(tmp_path, content, reason) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(content)

    with pytest.raises((SourceError, ValueError), match=reason):
        read(file, content)


def test_a_long_row_is_read_whole(tmp_path) -> None:
    text = "x" * 5_000_000

    assert read(tmp_path / "a.csv", f"a,b\n1,2\n{text},3\n")[1] == (3, {"a": text, "b": 3})


def test_progress_ends_at_the_end_of_the_file(tmp_path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a,b\n" + "x,y\n" * (2 * rows.BATCH_ROWS))
    said: list[int] = []

    source = find_source(file)
    n_rows = sum(1 for _ in read_csv(source, find_table(source), ColumnMapping({}), said.append))

    assert (n_rows, said[-1]) == (2 * rows.BATCH_ROWS, 1000)
