"""Times as files have them."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turret_api.errors import ApiError
from turret_api.importing.rows import SourceError
from turret_api.importing.times import sent_time, time_zone

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
AT = dt.datetime(2026, 11, 1, 10, tzinfo=dt.UTC)


def moment(value: object, zone: dt.tzinfo = BERLIN) -> dt.datetime:
    return dt.datetime.fromisoformat(sent_time(value, zone))


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-01T10:00:00Z",
        "2026-11-01 10:00:00.000000+00:00",
        "2026-11-01 10:00:00+00",
        "2026-11-01 10:00:00 UTC",
        "2026-11-01 10:00:00 Z",
        "2026-11-01 10:00:00 GMT",
        "2026-11-01 10:00:00.000 UTC",
        "2026-11-01 10:00:00 +0000 UTC",
        "2026-11-01 10:00:00 +0000 UTC m=+0.000123",
        "2026-11-01 12:00:00 +02:00",
        "2026-11-01 12:00:00 UTC+2",
        "2026-11-01T12:00:00.000+0200",
        "2026-11-01 05:00:00 EST",
        "2026-11-01 11:00:00 CET",
        "2026-11-01 11:00:00",
        "2026-11-01T11:00",
        "2026-11-01 11:00:00,000",
        " 2026-11-01 11:00 ",
        "2026/11/01 11:00:00",
        "01.11.2026 11:00",
        "20261101110000",
        "2026-11-01T11:00:00 Europe/Berlin",
        "2026-11-01T19:00[Asia/Tokyo]",
        "2026-11-01T10:00:00Z[UTC]",
        "Sun Nov 01 2026 11:00:00 GMT+0100 (Central European Standard Time)",
        "Sun, 01 Nov 2026 10:00:00 GMT",
        "Sun Nov  1 10:00:00 UTC 2026",
        "Sun Nov  1 11:00:00 2026",
        "01/Nov/2026:11:00:00 +0100",
        "Nov 1, 2026 11:00 AM",
        "November 1st, 2026 at 11:00:00 a.m.",
        "1793527200",
        "1793527200.0",
        "1.7935272E9",
        "1793527200000",
        "1793527200000000",
        "1793527200000000000",
        1793527200,
        1793527200.0,
        1793527200000,
        1793527200000000,
        1793527200000000000,
    ],
)
def test_a_time_is_read_in_the_form_that_programs_give_it(value) -> None:
    assert moment(value) == AT


@pytest.mark.parametrize(
    ("value", "utc"),
    [
        ("2026-11-01", "2026-10-31T23:00:00+00:00"),
        ("20260701", "2026-06-30T22:00:00+00:00"),
        ("2026-07-01 12:00:00", "2026-07-01T10:00:00+00:00"),
        # The clocks skip this hour; and show that one twice.
        ("2026-03-29 02:30:00", "2026-03-29T01:30:00+00:00"),
        ("2026-10-25 02:30:00", "2026-10-25T00:30:00+00:00"),
        ("Nov 1, 2026 12:05 AM", "2026-10-31T23:05:00+00:00"),
        ("Nov 1, 2026 12:05 PM", "2026-11-01T11:05:00+00:00"),
        ("2026-11-01T11:00:00.123456789", "2026-11-01T10:00:00.123456+00:00"),
        (1793527200.25, "2026-11-01T10:00:00.250000+00:00"),
        (1793527200123, "2026-11-01T10:00:00.123000+00:00"),
        (1793527200123456789, "2026-11-01T10:00:00.123456+00:00"),
    ],
)
def test_a_time_without_a_zone_is_one_of_the_zone_that_was_told(value, utc) -> None:
    assert sent_time(value, BERLIN) == utc


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("11/01/2026 10:00", "is no time that can be told"),
        ("10:00:00", "is no time that can be told"),
        ("2026-11-01 25:00:00", "is no time that can be told"),
        ("31.02.2026", "is no time that can be told"),
        ("Nov 1, 2026 13:05 PM", "is no time that can be told"),
        ("9999-12-31 23:59:59 -0500", "is no time that can be told"),
        ("2026-11-01 10:00:00 -99:99", "is no time that can be told"),
        ("soon", "is no time that can be told"),
        ("line\nbreak", "this is no time"),
        ("2026-11-01 10:00:00 IST", "names a time zone that is not known, IST"),
        ("2026", "a number counts s, ms, µs or ns since 1970"),
        (5, "a number counts s, ms, µs or ns since 1970"),
        ("-1793527200", "a number counts s, ms, µs or ns since 1970"),
        (10**22, "a number counts s, ms, µs or ns since 1970"),
        ("1e9999999999", "a number counts s, ms, µs or ns since 1970"),
    ],
)
def test_what_is_no_time_says_so(value, reason) -> None:
    with pytest.raises(ApiError, match=reason) as error:
        sent_time(value, dt.UTC)
    assert error.value.field == "timestamp"


@pytest.mark.parametrize("value", [True, {"a": 1}, [1]])
def test_what_is_no_text_and_no_number_is_left_to_the_checks(value) -> None:
    assert sent_time(value, dt.UTC) == value


@given(
    st.datetimes(dt.datetime(1973, 4, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC)),
    st.sampled_from([(1, 1_000_000), (1_000, 1_000), (1_000_000, 1)]),
    st.booleans(),
)
def test_every_time_since_1973_is_told_from_its_number_in_every_unit(at, unit, is_text) -> None:
    per_second, unit_us = unit
    at = at.replace(microsecond=at.microsecond // unit_us * unit_us)
    number = (at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=unit_us)

    assert moment(str(number) if is_text else number, dt.UTC) == at, per_second


@given(
    st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2100, 1, 1)), st.sampled_from(["Europe/Berlin", "Asia/Kolkata"])
)
def test_a_time_is_the_same_with_its_zone_beside_it_or_told(at, zone) -> None:
    assert moment(at.isoformat(" "), zoneinfo.ZoneInfo(zone)) == moment(f"{at.isoformat(' ')} {zone}", dt.UTC)


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_refused(text) -> None:
    try:
        sent_time(text, dt.UTC)
    except ApiError as error:
        assert error.field == "timestamp"


@pytest.mark.parametrize(
    ("name", "hours"), [("UTC", 0), ("+02:00", 2), ("-0500", -5), ("+9", 9), ("Asia/Tokyo", 9), ("EST", -5)]
)
def test_a_zone_is_a_region_or_an_offset(name, hours) -> None:
    assert dt.datetime(2026, 1, 1, tzinfo=time_zone(name)).utcoffset() == dt.timedelta(hours=hours)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("europe/berlin", "did you mean Europe/Berlin?"),
        ("Berlin", "did you mean Europe/Berlin?"),
        ("PST", "give one such as"),
        ("", "give one such as"),
        ("../etc", "give one such as"),
        ("Europe", "give one such as"),
        ("+99", "give one such as"),
    ],
)
def test_a_zone_that_is_not_there_is_told(name, reason) -> None:
    with pytest.raises(SourceError, match=re.escape(f"there is no time zone {name!r}; {reason}")):
        time_zone(name)
