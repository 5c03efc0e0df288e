"""Arrow's types as JSON has them."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
import zoneinfo

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
        (decimal.Decimal("100000000000000000000.00"), pa.decimal128(38, 2), 1e20),
        (decimal.Decimal("9400111899223100001234"), pa.decimal128(38, 0), 9400111899223100001234),
        ([1.0, float("nan")], pa.list_(pa.float64()), [1.0, None]),
        ({"a": float("inf")}, pa.struct({"a": pa.float32()}), {"a": None}),
        ({5: "x"}, pa.map_(pa.int32(), pa.string()), {"5": "x"}),
        ({b"k": b"v"}, pa.map_(pa.binary(), pa.binary()), {"k": "v"}),
        (uuid.UUID(int=2**127 + 1).bytes, pa.binary(16), "80000000-0000-0000-0000-000000000001"),
        (uuid.UUID(int=1).bytes, pa.binary(), "00000000-0000-0000-0000-000000000001"),
        (b"trace-0123456789", pa.binary(16), "trace-0123456789"),
        (b"sixteen\nletters!", pa.binary(), "sixteen\nletters!"),
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
        ([b"\xff", b"x"], pa.binary(), "bytes that are no text"),
        ([b"a\0b", b"x"], pa.binary(), "bytes that are no text"),
        ([[b"\xff"], [b"x"]], pa.list_(pa.binary()), "bytes that are no text"),
        ([2**62, 0], pa.timestamp("us"), "beyond what can be read"),
    ],
    ids=str,
)
def test_a_cell_that_json_cannot_hold_is_an_error_and_those_beside_it_are_not(cells, kind, reason) -> None:
    bad, good = json_values(pa.array(cells, kind))

    assert isinstance(bad, ApiError) and reason in bad.message
    assert not isinstance(good, ApiError)


@pytest.mark.parametrize(
    "kind", [pa.float64(), pa.float32(), pa.float16(), pa.dictionary(pa.int8(), pa.float64())], ids=str
)
def test_what_is_no_finite_number_is_left_out(kind) -> None:
    cells = pa.array([0.5, float("nan"), float("inf"), float("-inf"), None], pa.float64())

    assert json_values(cells.cast(kind) if not pa.types.is_dictionary(kind) else cells.dictionary_encode()) == [
        0.5,
        None,
        None,
        None,
        None,
    ]


def test_times_without_a_zone_are_of_the_zone_that_was_told() -> None:
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")

    assert json_values(pa.array([AT], pa.timestamp("us")), berlin) == ["2026-01-02T03:04:05.678901+01:00"]
    assert json_values(pa.array([AT], pa.timestamp("us", "UTC")), berlin) == ["2026-01-02T03:04:05.678901+00:00"]


def test_nanoseconds_are_cut() -> None:
    assert json_values(pa.array([1767323045678901234], pa.timestamp("ns"))) == ["2026-01-02T03:04:05.678901+00:00"]
