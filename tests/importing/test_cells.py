"""Arrow's types as JSON has them."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid

import pyarrow as pa
import pytest

from turret_api.errors import ApiError
from turret_api.importing.cells import json_values

AT = dt.datetime(2026, 1, 2, 3, 4, 5, 678901)
MAP = pa.map_(pa.string(), pa.int64())


@pytest.mark.parametrize(
    ("cell", "kind", "value"),
    [
        (AT, pa.timestamp("us"), "2026-01-02T03:04:05.678901+00:00"),
        (AT.replace(microsecond=0), pa.timestamp("ns", "UTC"), "2026-01-02T03:04:05+00:00"),
        (AT, pa.timestamp("us", "Europe/Berlin"), "2026-01-02T04:04:05.678901+01:00"),
        (AT.date(), pa.date32(), "2026-01-02"),
        (AT.time(), pa.time64("us"), "03:04:05.678901"),
        (dt.timedelta(seconds=5), pa.duration("us"), "PT5S"),
        (decimal.Decimal("1.50"), pa.decimal128(9, 2), 1.5),
        (decimal.Decimal("2.00"), pa.decimal128(9, 2), 2),
        (2**64 - 1, pa.uint64(), 2**64 - 1),
        (1.5, pa.float32(), 1.5),
        (b"text", pa.binary(), "text"),
        ("text", pa.dictionary(pa.int8(), pa.string()), "text"),
        ({"plan": 1, "lang": None}, MAP, {"plan": 1, "lang": None}),
        ([{"plan": 1}], pa.list_(MAP), [{"plan": 1}]),
        ({"at": AT}, pa.struct({"at": pa.timestamp("us")}), {"at": "2026-01-02T03:04:05.678901+00:00"}),
        (uuid.UUID(int=1).bytes, pa.uuid(), "00000000-0000-0000-0000-000000000001"),
    ],
    ids=str,
)
def test_a_cell_is_its_json_value(cell, kind, value) -> None:
    assert json_values(pa.array([cell, None], kind)) == [value, None]


@pytest.mark.parametrize(
    ("cells", "kind", "reason"),
    [
        ([float("nan"), 1.0], pa.float64(), "not finite"),
        ([[float("inf")], [1.0]], pa.list_(pa.float64()), "not finite"),
        ([b"\xff", b"x"], pa.binary(), "not UTF-8"),
    ],
    ids=str,
)
def test_a_cell_that_json_cannot_hold_is_an_error_and_those_beside_it_are_not(cells, kind, reason) -> None:
    bad, good = json_values(pa.array(cells, kind))

    assert isinstance(bad, ApiError) and reason in bad.message
    assert not isinstance(good, ApiError)
