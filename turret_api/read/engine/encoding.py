"""An answer in bytes: JSON, its list as CSV that no spreadsheet runs or as Parquet, or the SQL that counts it.

It is packed where it is made, in the process that works on questions: in the server that, and to take in what is not
packed, would keep events waiting.
"""

from __future__ import annotations

import datetime as dt
import gzip
import io
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson
import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.question import Question
from turret_api.read.engine.script import script

Format = Literal["json", "csv", "parquet", "sql", "text", "markdown"]
WORDS = ("text", "markdown")
"""Formats of answers that can be said in words."""
PACKED_FROM, PACKING = 2_000, 5
"""Bytes from which an answer is packed, and how hard: a graph shrinks to a tenth in 10 ms."""
CSV_TIME = "%Y-%m-%dT%H:%M:%S%.6fZ"

_DTYPES: dict[Any, pl.DataType] = {
    str: pl.String(),
    int: pl.Int64(),
    float: pl.Float64(),
    bool: pl.Boolean(),
    dt.datetime: pl.Datetime("us", "UTC"),
    dt.date: pl.Date(),
}


@dataclass(frozen=True)
class Content:
    """What an answer says, packed by gzip where that is worth it, which most clients take.

    following: of a file, the cursor of the next page, if there is one. state: of messages and topics, see
    `Question.state`.
    """

    sent: bytes
    is_packed: bool = False
    following: str | None = None
    state: str | None = None

    @property
    def plain(self) -> bytes:
        """What it says, not packed."""
        return gzip.decompress(self.sent) if self.is_packed else self.sent


@dataclass(frozen=True)
class Encoded:
    """An answer in bytes.

    fingerprint: equal as long as question, format and tables are. generation: of the library; None: of an earlier time.
    made: None if the client has it already.
    """

    fingerprint: str
    generation: int | None
    made: Content | None = None

    @property
    def content(self) -> bytes | None:
        """What it says, not packed."""
        return None if self.made is None else self.made.plain


def made(question: Question, snapshot: Snapshot, form: str) -> Content:
    """Return the answer to `question` in `form`, or (`sql`) the statements that count it."""
    if form == "sql":
        return _packed(script(snapshot, question.queries(snapshot)).encode())
    return replace(encode(question.answer(snapshot), question, form), state=question.state(snapshot))


def encode(answer: Any, question: Question, form: str) -> Content:
    """Return what `question` is answered with as bytes in `form`."""
    return _packed(*_plain(answer, question, form))


def _packed(plain: bytes, following: str | None = None) -> Content:
    is_packed = len(plain) >= PACKED_FROM
    return Content(gzip.compress(plain, PACKING) if is_packed else plain, is_packed, following)


def _plain(answer: Any, question: Question, form: str) -> tuple[bytes, str | None]:
    """Return the bytes, and of a file the cursor of the next page, which they do not say (None: there is none)."""
    if form == "json":
        return orjson.dumps(answer), None
    if form in WORDS:
        return answer.words(form).encode(), None
    row = question.row()
    assert row is not None
    frame = table(getattr(answer, question.rows_in), row)
    out = io.BytesIO()
    if form == "csv":
        flat(frame).write_csv(out, datetime_format=CSV_TIME)
    else:
        frame.write_parquet(out)
    return out.getvalue(), getattr(answer, "next", None)


def table(rows: list[Mapping[str, Any]], row: type) -> pl.DataFrame:
    """Return `rows` as a frame with the columns of `row`, a typed dict; what no column type holds is JSON."""
    columns = []
    for name, hint in typing.get_type_hints(row).items():
        dtype = _dtype(hint)
        values = [each[name] for each in rows]
        if dtype is None:
            values, dtype = [None if each is None else orjson.dumps(each).decode() for each in values], pl.String()
        columns.append(pl.Series(name, values, dtype=dtype))
    return pl.DataFrame(columns)


def flat(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `rows` as a spreadsheet may read them: lists as JSON, and no text that would run as a formula.

    See OWASP, "CSV Injection": a cell that begins with one of `= + - @`, tab or carriage return may be run.
    """
    columns = []
    for name, dtype in rows.schema.items():
        if isinstance(dtype, pl.List | pl.Struct):
            texts = [None if value is None else orjson.dumps(value).decode() for value in rows[name].to_list()]
            columns.append(pl.Series(name, texts, dtype=pl.String))
        elif dtype == pl.String:
            runs = pl.col(name).str.contains(r"^[=+\-@\t\r]")
            columns.append(rows.select(pl.when(runs).then("'" + pl.col(name)).otherwise(name).alias(name)).to_series())
        else:
            columns.append(rows[name])
    return pl.DataFrame(columns)


def _dtype(annotation: Any) -> pl.DataType | None:
    """Return the column type that holds values of an annotation, nulls too; None if only JSON does."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return _dtype(next(each for each in inner if each is not type(None)))
    if origin is Literal:
        return pl.String()
    if origin is list and inner == (str,):
        return pl.List(pl.String())
    return _DTYPES.get(annotation)
