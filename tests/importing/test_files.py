"""Files as they come: packed, parted, encoded and quoted in many ways, and what is refused by name."""

from __future__ import annotations

import bz2
import gzip
import json
import re

import pyarrow as pa
import pytest

from tests.importing.reading import LINE, read
from turret_api.errors import ApiError
from turret_api.importing.documents import Documents
from turret_api.importing.rows import SourceError


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.ndjson.gz", gzip.compress),
        ("a.jsonl.bz2", bz2.compress),
        ("a.json.zst", lambda plain: pa.compress(plain, "zstd", asbytes=True)),
        ("a.NDJSON.GZ", lambda plain: gzip.compress(plain[:30]) + gzip.compress(plain[30:])),
        ("a.ndjson", gzip.compress),
        ("a.ndjson.gz", bytes),
    ],
)
def test_packed_files_are_unpacked_by_what_they_hold(tmp_path, name, pack) -> None:
    assert read(tmp_path / name, pack(LINE * 2)) == [json.loads(LINE)] * 2


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".zst"])
def test_a_packed_table_is_read_and_its_progress_is_that_of_the_file(tmp_path, suffix) -> None:
    pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".zst": lambda text: pa.compress(text, "zstd", asbytes=True)}
    said: list[int] = []
    content = pack[suffix](b"name;p\n" + b'"n";"two\nlines"\n' * 10_000)

    found = read(tmp_path / f"a.csv{suffix}", content, on_progress=said.append)

    assert found == [{"name": "n", "metadata": {"p": "two\nlines"}}] * 10_000
    assert said[-1] == 1000 and said == sorted(said)


@pytest.mark.parametrize(
    ("name", "content", "separator"),
    [
        ("a.csv", "name;p\nn;x, y\n", ";"),
        ("a.csv", "name\tp\nn\tx, y\n", "\t"),
        ("a.csv", "name|p\nn|x, y\n", "|"),
        ("a.csv", 'name,"a;b;c;d",p\nn,,"x, y"\n', ","),
        ("a.tsv", "name\tp\nn\tx, y\n", "\t"),
        ("a.tsv", "name;p\nn;x, y\n", ";"),
        ("a.csv", "\ufeffname;p\r\nn;x, y\r\n", ";"),
        ("a.csv", '"name";"p"\r"n";"x, y"\r', ";"),
        ("a.csv", "sep=;\nname;p\nn;x, y\n", ";"),
        ("a.csv", "\ufeffsep=^\r\nname^p\r\nn^x, y\r\n", "^"),
    ],
)
def test_the_separator_is_that_of_the_header(tmp_path, name, content, separator) -> None:
    assert read(tmp_path / name, content) == [{"name": "n", "metadata": {"p": "x, y"}}]
    assert Documents(tmp_path / name, {}).table.separator == separator


def test_rows_count_from_the_first_line_also_where_excel_tells_the_separator(tmp_path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('sep=;\nname;p\nn;x\nn\nn;"open\nn;y\n')

    found = list(Documents(file, {}))

    assert [(number, isinstance(document, ApiError)) for number, document in found] == [
        (3, False),
        (4, True),
        (5, True),
    ]
    assert "in line 5 and is never closed, so that lines 5 to 6" in found[2][1].message


def test_a_header_of_one_cell_is_one_column(tmp_path) -> None:
    assert read(tmp_path / "a.csv", "prompt\nx;y\n", name="n") == [{"name": "n", "metadata": {"prompt": "x;y"}}]


def test_a_column_without_a_name_is_left_out(tmp_path) -> None:
    assert read(tmp_path / "a.csv", ",name,p,\n0,n,x,\n1,n,y,z\n") == [
        {"name": "n", "metadata": {"p": "x"}},
        {"name": "n", "metadata": {"p": "y"}},
    ]


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbf" + LINE, b"\xef\xbb\xbf[" + LINE + b"]", b" [\n" + LINE + b", " + LINE + b"]", b"\n" + LINE],
)
def test_a_file_of_json_is_lines_or_one_array(tmp_path, content) -> None:
    assert set(map(str, read(tmp_path / "a.json", content))) == {str(json.loads(LINE))}


def test_a_byte_order_mark_before_ndjson_is_no_part_of_it(tmp_path) -> None:
    assert read(tmp_path / "a.ndjson", b"\xef\xbb\xbf" + LINE * 2) == [json.loads(LINE)] * 2


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", "name,p\nn,x\n".encode("utf-16"), "is in UTF-16; save it as UTF-8"),
        ("a.ndjson", LINE.decode().encode("utf-16"), "is in UTF-16; save it as UTF-8"),
        ("a.tsv", "name\tp\n".encode("utf-16-le"), "is in UTF-16, or no text at all"),
        ("a.csv.gz", gzip.compress("name,p\n".encode("utf-16"), mtime=0), "is in UTF-16; save it as UTF-8"),
        ("a.csv", b"PK\x03\x04xlsx", "is a ZIP archive or an Excel workbook"),
        ("a.csv", b"PAR1....", "is Parquet; name it .parquet"),
        ("a.csv", "name,p\nn,é\n".encode("latin-1"), "line 2 is not UTF-8; convert the file"),
        ("a.csv.gz", gzip.compress(LINE * 9, mtime=0)[:-9], "cannot be read: Truncated compressed stream"),
        ("a.ndjson.gz", gzip.compress(LINE * 9, mtime=0)[:-9], "cannot be read: Truncated compressed stream"),
        ("a.ndjson.gz", gzip.compress(LINE, mtime=0) + b"junk", "cannot be read: zlib inflate failed"),
        ("a.json", b"[" + LINE, "the array cannot be read"),
        ("a.parquet", b"", "cannot be read"),
        ("a.xlsx", b"PK", "a.xlsx is not one of *.ndjson"),
        ("a.csv", 'name,"p\nn,x\n', "A quotation mark opens in line 1 and is never closed, so that lines 1 to 2"),
    ],
)
def test_a_file_that_is_something_else_says_what(tmp_path, name, content, reason) -> None:
    with pytest.raises(SourceError, match=re.escape(reason)):
        read(tmp_path / name, content)


def test_a_row_whose_quotation_mark_is_not_closed_is_refused_and_the_others_are_not(tmp_path) -> None:
    content = 'name,session_id,p\nn,s1,"fine\nlines"\nn,s2,"open\nn,s3,"good"\nn,s4,fine\nn,s5,"open\nn,s6,x\n'

    first, second, third, fourth = read(tmp_path / "a.csv", content)

    assert (first["session_id"], third["session_id"]) == ("s1", "s4")
    assert "opens in line 4 and closes in line 5" in second
    assert "opens in line 7 and is never closed, so that lines 7 to 8 are one row" in fourth


def test_a_row_with_too_many_cells_says_that_its_mark_is_not_closed(tmp_path) -> None:
    assert "opens in line 2" in read(tmp_path / "a.csv", 'name,p\nn,"open\nn,"x",y\n')[0]
