"""Lists as tables: CSV that no spreadsheet runs, and Parquet."""

from __future__ import annotations

import datetime as dt
import io
import types
import typing
from typing import Any, Literal

import orjson
import polars as pl
from pydantic import BaseModel

Format = Literal["json", "csv", "parquet"]
MEDIA = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
CSV_TIME = "%Y-%m-%dT%H:%M:%S%.6fZ"

_DTYPES: dict[Any, pl.DataType] = {
    str: pl.String(),
    int: pl.Int64(),
    float: pl.Float64(),
    bool: pl.Boolean(),
    dt.datetime: pl.Datetime("us", "UTC"),
    dt.date: pl.Date(),
}


def encode(rows: list[dict[str, Any]], row: type[BaseModel], form: str) -> bytes:
    """Return `rows`, each as `row` declares it, as a CSV or Parquet file."""
    frame = table(rows, row)
    out = io.BytesIO()
    if form == "csv":
        flat(frame).write_csv(out, datetime_format=CSV_TIME)
    else:
        frame.write_parquet(out)
    return out.getvalue()


def table(rows: list[dict[str, Any]], row: type[BaseModel]) -> pl.DataFrame:
    """Return `rows` as a frame with the columns of `row`; what is neither a value nor a list of texts is JSON."""
    columns = []
    for name, field in row.model_fields.items():
        key, dtype = field.alias or name, _dtype(field.annotation)
        values = [each[key] for each in rows]
        if dtype is None:
            values, dtype = [None if each is None else orjson.dumps(each).decode() for each in values], pl.String()
        columns.append(pl.Series(key, values, dtype=dtype))
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
    """Return the column type of an annotation, null or not; None if it takes JSON to say it."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return _dtype(next(each for each in inner if each is not type(None)))
    if origin is Literal:
        return pl.String()
    if origin is list and inner == (str,):
        return pl.List(pl.String())
    return _DTYPES.get(annotation)
