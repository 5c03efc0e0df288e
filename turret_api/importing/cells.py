"""Cells of Arrow columns as JSON values."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from turret_api.errors import ApiError, invalid


def json_values(column: pa.Array) -> list[Any]:
    """Return the cells of `column` as JSON values, in order, None for null.

    Times are in ISO 8601, those without an offset are taken as UTC; maps are objects. A cell that JSON cannot hold is
    an `ApiError` that says why.
    """
    if pa.types.is_timestamp(column.type) and column.type.tz in (None, "UTC"):
        return _utc_times(column)
    values: list[Any] = column.to_pylist(maps_as_pydicts="lossy")
    return values if _are_json(column) else [_json_value(value) for value in values]


def _are_json(column: pa.Array) -> bool:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_floating(kind):
        return not pc.any(pc.invert(pc.is_finite(column))).as_py()
    return any(
        is_kind(kind)
        for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_boolean)
    )


def _utc_times(column: pa.Array) -> list[str | None]:
    # Datetimes without a zone: pyarrow takes four times as long to make one with a zone.
    times = column.cast(pa.timestamp(column.type.unit)).to_pylist()
    return [None if time is None else f"{time.isoformat()}+00:00" for time in times]


def _json_value(value: Any) -> Any | ApiError:
    try:
        return _plain(value)
    except ApiError as error:
        return error


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).isoformat()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise invalid("a number is not finite; JSON has none such")
        return value
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise invalid("the bytes are not UTF-8") from None
    return msgspec.to_builtins(value, enc_hook=str)
