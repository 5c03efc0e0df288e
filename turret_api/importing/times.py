"""Times as files have them, as `POST /track` takes them: ISO 8601 with an offset.

Read are ISO 8601 in all its forms; numbers since 1970, whose unit follows from their size; and dates with English
names of months as programs print them. A time may name its zone as an offset, as a region (`Europe/Berlin`), or by one
of the abbreviations that mean one offset; a time without a zone is one of the zone that the import was told. Of a time
that the clocks of that zone show twice the first is meant, and one that they skip is read as if they had not (PEP 495).

Not read are 11/01/2026 and the like, since nothing says whether the day or the month comes first, and years of two
digits. No parser of dates is used: dateutil reads `GMT+0100` as one hour behind, and both it and dateparser complete
what is missing from today's date.
"""

from __future__ import annotations

import datetime as dt
import decimal
import re
import zoneinfo
from typing import Any

from turret_api.errors import ApiError, invalid
from turret_api.importing.rows import SourceError

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LEAST = 10**8
"""Seconds since 1970 up to 3 March 1973; smaller numbers count something else."""
_UNITS = ((10**11, 10**6), (10**14, 10**3), (10**17, 1), (10**20, decimal.Decimal("0.001")))
"""Numbers below this are seconds, ms, µs or ns; each of them makes so many µs. Up to the year 5138, in every unit."""
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE]\+?\d+)?")
_COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_CLOCK = (
    r"(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?(?:\s?(?P<half>[ap])\.?m\.?)?"
)
_WORD = r"(?P<month>[a-z]{3,9})\.?"
_NAME = r"[a-z]+(?:/[a-z0-9_+-]+)*"
_OFFSET = r"[+-](?:2[0-3]|[01]?\d)(?::?[0-5]\d)?"
_TAIL = rf"(?:,?\s+(?:at\s+)?|t|:){_CLOCK}\s*(?P<zone>{_NAME})?\s*(?P<offset>{_OFFSET})?(?:\s+{_NAME})?"
_FORMS = tuple(
    re.compile(_WEEKDAY + form, re.IGNORECASE)
    for form in (
        rf"(?P<year>\d{{4}})[-/.](?P<month>\d\d?)[-/.](?P<day>\d\d?)(?:{_TAIL})?",
        rf"(?P<day>\d\d?)\.(?P<month>\d\d?)\.(?P<year>\d{{4}})(?:{_TAIL})?",
        rf"(?P<day>\d\d?)(?:st|nd|rd|th)?[-/ ]{_WORD},?[-/ ](?P<year>\d{{4}})(?:{_TAIL})?",
        rf"{_WORD}\s+(?P<day>\d\d?)(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}})(?:{_TAIL})?",
        rf"{_WORD}\s+(?P<day>\d\d?)\s+{_CLOCK}\s+(?:(?P<zone>{_NAME})\s+)?(?P<offset>)(?P<year>\d{{4}})",
    )
)
"""2026-11-01 10:00 UTC; 01.11.2026; 1 Nov 2026, 01/Nov/2026:10:00:00 +0100; Nov 1, 2026 at 10:00 AM; that of `date`."""
_NOISE = re.compile(r"\s*\([^()]*\)$|\s+m=[+-][\d.]+$")
"""The zone's long name as JavaScript prints it, and Go's monotonic clock."""
_REGION = re.compile(r"(.*?)\s*\[([\w/+-]+)\]")
"""Java's `[Europe/Berlin]` behind the time."""

_NO_ZONE = (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError)
_HOURS = {
    **dict.fromkeys(("z", "utc", "gmt", "ut", "wet"), 0),
    **dict.fromkeys(("west", "cet", "mez"), 1),
    **dict.fromkeys(("cest", "mesz", "eet"), 2),
    **dict.fromkeys(("eest", "msk"), 3),
    **{"edt": -4, "est": -5, "cdt": -5, "cst": -6, "mdt": -6, "mst": -7, "pdt": -7, "pst": -8},
    **{"jst": 9, "kst": 9, "aest": 10, "aedt": 11},
}
"""Hours ahead of UTC by abbreviation, those of North America as in RFC 5322; BST, IST and others mean several zones."""


def time_zone(name: str) -> dt.tzinfo:
    """Return the zone of this name, such as Europe/Berlin or +02:00; raise `SourceError` if there is none."""
    try:
        return _offset(name) if re.fullmatch(_OFFSET, name) else zoneinfo.ZoneInfo(name)
    except _NO_ZONE:
        near = [each for each in zoneinfo.available_timezones() if name.casefold() in _called(each)]
        hint = f"did you mean {min(near)}?" if near else "give one such as Europe/Berlin, UTC or +02:00"
        raise SourceError(f"there is no time zone {name!r}; {hint}") from None


def _called(zone: str) -> tuple[str, str]:
    return zone.casefold(), zone.casefold().rpartition("/")[2]


def sent_time(value: Any, zone: dt.tzinfo) -> Any:
    """Return a time as `POST /track` takes it; what is no text and no number comes back as it is.

    Args:
        value: a cell; a number counts s, ms, µs or ns since 1970.
        zone: of the times that name none.

    Raises:
        ApiError: nothing says what time it is.
    """
    if type(value) is str:
        is_sent_so = len(value) >= 20 and " " not in value[11:] and (value[-1] in "Zz" or value[-6] in "+-")
        return value if is_sent_so else _from_text(value, zone)
    if type(value) in (int, float):
        return _from_text(str(value), zone)
    return value


def _from_text(value: str, zone: dt.tzinfo) -> str:
    text = _NOISE.sub("", value.strip())
    if _NUMBER.fullmatch(text):
        moment = _compact(text)
        return _from_number(text) if moment is None else _text_of(moment.replace(tzinfo=zone), value)
    if region := _REGION.fullmatch(text):
        text, zone = region[1], _known_zone(region[2], value)
    try:
        moment = dt.datetime.fromisoformat(text.upper())
    except ValueError:
        moment = _from_form(text, value)
    return _text_of(moment if moment.tzinfo else moment.replace(tzinfo=zone), value)


def _from_form(text: str, value: str) -> dt.datetime:
    found = next((match for form in _FORMS if (match := form.fullmatch(text))), None)
    if found is None:
        raise _no_time(value)
    part = found.groupdict()
    month = part["month"] if part["month"].isdecimal() else _month(part["month"])
    hour = int(part["hour"] or 0)
    if part.get("half"):
        hour = hour % 12 + (12 if part["half"] in "pP" else 0) if 1 <= hour <= 12 else 24
    try:
        moment = dt.datetime(
            int(part["year"]),
            int(month),
            int(part["day"]),
            hour,
            int(part["minute"] or 0),
            int(part["second"] or 0),
            int((part["fraction"] or "0")[:6].ljust(6, "0")),
        )
    except ValueError:
        raise _no_time(value) from None
    if part["offset"]:
        return moment.replace(tzinfo=_offset(part["offset"]))
    return moment.replace(tzinfo=_known_zone(part["zone"], value)) if part["zone"] else moment


def _month(word: str) -> int:
    return _MONTHS.index(word[:3].lower()) + 1 if word[:3].lower() in _MONTHS else 0


def _compact(digits: str) -> dt.datetime | None:
    """Read 20261101 and 20261101093000, which as numbers would be times that nothing happened at."""
    form = _COMPACT.get(len(digits)) if digits.startswith(("19", "20")) else None
    try:
        return dt.datetime.strptime(digits, form) if form else None
    except ValueError:
        return None


def _from_number(number: str) -> str:
    count = decimal.Decimal(number)
    unit_us = next((us for limit, us in _UNITS if _LEAST <= count < limit), None)
    if unit_us is None:
        raise invalid(
            f"timestamp: {number[:60]} is no time; a number counts s, ms, µs or ns since 1970.", field="timestamp"
        )
    return _text_of(_EPOCH + dt.timedelta(microseconds=int(count * unit_us)), number)


def _text_of(moment: dt.datetime, shown: str) -> str:
    try:
        return moment.astimezone(dt.UTC).isoformat()
    except OverflowError:
        raise _no_time(shown) from None


def _known_zone(name: str, value: str) -> dt.tzinfo:
    zone = _zone(name)
    if zone is None:
        raise invalid(
            f"timestamp: {value[:60]} names a time zone that is not known, {name}; give an offset such as +02:00.",
            field="timestamp",
        )
    return zone


def _zone(name: str) -> dt.tzinfo | None:
    if name.lower() in _HOURS:
        return dt.timezone(dt.timedelta(hours=_HOURS[name.lower()]))
    try:
        return zoneinfo.ZoneInfo(name)
    except _NO_ZONE:
        return None


def _offset(text: str) -> dt.timezone:
    digits = text[1:].replace(":", "")
    hours, minutes = (digits, "0") if len(digits) <= 2 else (digits[:-2], digits[-2:])
    ahead = dt.timedelta(hours=int(hours), minutes=int(minutes))
    return dt.timezone(-ahead if text[0] == "-" else ahead)


def _no_time(value: str) -> ApiError:
    shown = value[:60] if value.isprintable() else "this"
    return invalid(
        f"timestamp: {shown} is no time that can be told; write it as 2026-01-31T12:00:00Z, or with an offset.",
        field="timestamp",
    )
