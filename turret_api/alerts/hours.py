"""When messages go: quiet hours, in which alerts wait, and the times of digests; both by the clock of a time zone.

What a clock shows is turned into a moment by the zone's own rules: hours that a change of the clocks skips or repeats
make a quiet time shorter or longer, and a digest comes once a day all the same.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

DAY = dt.timedelta(1)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SATURDAY = 5


def _known_zone(name: str) -> str:
    if name not in zoneinfo.available_timezones():
        raise ValueError(f"there is no time zone {name!r}; write one like Europe/Berlin or UTC")
    return name


Zone = Annotated[str, Field(max_length=60, description="as Europe/Berlin"), AfterValidator(_known_zone)]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="as 07:30")]


class QuietHours(BaseModel):
    """When alerts wait: each day from a time to another one, and on weekends, if so wished."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    since: Clock = Field(alias="from")
    until: Clock = Field(alias="to", description="the next day's, where it is not after `from`")
    zone: Zone = "UTC"
    weekends: bool = Field(default=False, description="whether Saturday and Sunday are quiet all day")

    @model_validator(mode="after")
    def _leaves_time(self) -> QuietHours:
        if self.since == self.until:
            raise ValueError("from and to are the same, so there would be no quiet hours, or nothing else")
        return self

    def end(self, now: dt.datetime) -> dt.datetime | None:
        """Return when the quiet time ends that `now` lies in; None: it lies in none."""
        zone, at = zoneinfo.ZoneInfo(self.zone), now
        since, until = dt.time.fromisoformat(self.since), dt.time.fromisoformat(self.until)
        for _ in range(8):  # a quiet weekend may border on quiet nights
            local = at.astimezone(zone)
            clock = local.time().replace(tzinfo=None)
            if self.weekends and local.weekday() >= SATURDAY:
                at = _moment(local.date() + (7 - local.weekday()) * DAY, dt.time(), zone)
            elif since < until and since <= clock < until:
                at = _moment(local.date(), until, zone)
            elif since > until and clock >= since:
                at = _moment(local.date() + DAY, until, zone)
            elif since > until and clock < until:
                at = _moment(local.date(), until, zone)
            else:
                break
        return at if at > now else None


class DigestPlan(BaseModel):
    """When a target gets the digest, and of which field and days."""

    model_config = ConfigDict(extra="forbid")
    every: Literal["day", "week"] = "week"
    weekday: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = Field(
        default="monday", description="of a weekly digest"
    )
    hour: int = Field(default=8, ge=0, le=23, description="hour of the day at which it goes")
    zone: Zone = "UTC"
    days: int = Field(default=7, ge=1, le=90, description="whole days that it tells of, as in `/v1/digest`")
    field: str | None = Field(
        default=None, min_length=1, max_length=200, description="text field; null: the one with most events"
    )

    def next(self, now: dt.datetime) -> dt.datetime:
        """Return the first time after `now` at which the digest goes."""
        zone = zoneinfo.ZoneInfo(self.zone)
        date = now.astimezone(zone).date()
        for days in range(9):
            day = date + days * DAY
            at = _moment(day, dt.time(self.hour), zone)
            if at > now and (self.every == "day" or WEEKDAYS[day.weekday()] == self.weekday):
                return at
        raise AssertionError("nine days have each weekday, and an hour that is not over")


def _moment(date: dt.date, clock: dt.time, zone: zoneinfo.ZoneInfo) -> dt.datetime:
    """Return the moment at which clocks show this; the first of two, and where they skip it, right after the gap."""
    return dt.datetime.combine(date, clock, zone).astimezone(dt.UTC)
