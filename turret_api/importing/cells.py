"""Cells of Arrow columns as JSON values."""

from __future__ import annotations

import datetime as dt
import decimal
import math
import uuid
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from turret_api.errors import ApiError, invalid

_UUID_BYTES = 16
_BREAKS = str.maketrans("\n\r\t", "   ")


def json_values(column: pa.Array, zone: dt.tzinfo = dt.UTC) -> list[Any]:
    """Return the cells of `column` as JSON values, in order, None for null and for what is no finite number.

    Times are in ISO 8601, those without an offset being of `zone`; maps are objects; 16 bytes that are no text are a
    UUID. A cell that JSON cannot hold is an `ApiError` that says why.
    """
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
    is_utc = pa.types.is_timestamp(kind) and (kind.tz == "UTC" or (kind.tz is None and zone is dt.UTC))
    try:
        if is_utc:
            # Datetimes without a zone: pyarrow takes four times as long to make one with a zone.
            times = column.cast(pa.timestamp(column.type.unit)).to_pylist()
            return [None if time is None else f"{time.isoformat()}+00:00" for time in times]
        values: list[Any] = column.to_pylist(maps_as_pydicts="lossy")
    except (ValueError, OverflowError):  # a time that Python has not, or a text that is not UTF-8
        return [_json_value(cell, zone) for cell in column]
    return values if _are_json(column) else [_json_value(value, zone) for value in values]


def _are_json(column: pa.Array) -> bool:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_floating(kind):
        return kind == column.type and not pc.any(pc.invert(pc.is_finite(column))).as_py()
    return any(
        is_kind(kind)
        for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_boolean)
    )


def _json_value(value: Any, zone: dt.tzinfo) -> Any | ApiError:
    try:
        return _plain(value.as_py(maps_as_pydicts="lossy") if isinstance(value, pa.Scalar) else value, zone)
    except ApiError as error:
        return error
    except (ValueError, OverflowError):
        return invalid("the value is beyond what can be read")


def _plain(value: Any, zone: dt.tzinfo) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=zone)).isoformat()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return _number(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(_plain(key, zone)): _plain(inner, zone) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, zone) for inner in value]
    if isinstance(value, bytes):
        return _text(value)
    return msgspec.to_builtins(value, enc_hook=str)


def _number(value: decimal.Decimal) -> int | float:
    """Return an integer for a decimal without digits behind the point, of any length, and also if those are zeros."""
    is_integer = value == value.to_integral_value()
    return int(value) if is_integer and (-(2**63) <= value < 2**64 or value.as_tuple().exponent == 0) else float(value)


def _text(value: bytes) -> str:
    try:
        text = value.decode()
        if text.translate(_BREAKS).isprintable() or ("\0" not in text and len(value) != _UUID_BYTES):
            return text
    except UnicodeDecodeError:
        pass
    if len(value) == _UUID_BYTES:
        return str(uuid.UUID(bytes=value))
    raise invalid("it holds bytes that are no text; leave the column out, or have it as a text in the file")
