"""Quiet hours and digests by the clock of a zone, over changes of the clocks too."""

from __future__ import annotations

import datetime as dt
import itertools
import zoneinfo
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.alerts.conftest import DAY, HOUR, NOW, Receiver, Shop
from turret_api.accounts import privacy
from turret_api.alerts.hours import WEEKDAYS, DigestPlan, QuietHours
from turret_api.alerts.rules import Filters
from turret_api.read.engine.engine import Engine
from turret_api.read.questions.digest import DigestOfField

BERLIN = "Europe/Berlin"


def quiet(since: str, until: str, zone: str = BERLIN, *, weekends: bool = False) -> QuietHours:
    return QuietHours(since=since, until=until, zone=zone, weekends=weekends)


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        (quiet("22:00", "07:00"), "2026-01-14T20:59", None),  # Wednesday 21:59
        (quiet("22:00", "07:00"), "2026-01-14T21:00", "2026-01-15T06:00"),
        (quiet("22:00", "07:00"), "2026-01-15T05:59", "2026-01-15T06:00"),
        (quiet("22:00", "07:00"), "2026-01-15T06:00", None),
        (quiet("12:00", "13:30"), "2026-01-14T11:15", "2026-01-14T12:30"),
        (quiet("12:00", "13:30"), "2026-01-14T12:30", None),
        # Clocks go forward on Sunday 29 March at 2:00, and back on Sunday 25 October at 3:00.
        (quiet("22:00", "07:00"), "2026-03-28T21:00", "2026-03-29T05:00"),
        (quiet("22:00", "07:00"), "2026-10-24T20:00", "2026-10-25T06:00"),
        (quiet("22:00", "02:30"), "2026-03-29T00:30", "2026-03-29T01:30"),
        (quiet("22:00", "02:30"), "2026-10-25T00:15", "2026-10-25T00:30"),
        # Friday night, Saturday, Sunday and Sunday night are one quiet time.
        (quiet("22:00", "07:00", weekends=True), "2026-01-16T21:30", "2026-01-19T06:00"),
        (quiet("22:00", "07:00", weekends=True), "2026-01-17T12:00", "2026-01-19T06:00"),
        (quiet("12:00", "13:00", weekends=True), "2026-01-17T12:00", "2026-01-18T23:00"),
        (quiet("22:00", "07:00", "Asia/Kolkata"), "2026-01-14T16:30", "2026-01-15T01:30"),
    ],
    ids=str,
)
def test_a_quiet_time_ends_when_the_clock_of_its_zone_says_so(hours: QuietHours, now: str, end: str | None) -> None:
    assert hours.end(utc(now)) == (None if end is None else utc(end))


clocks = st.times().map(lambda at: f"{at:%H:%M}")


@given(
    clocks,
    clocks,
    st.sampled_from([BERLIN, "UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]),
    st.booleans(),
    st.datetimes(dt.datetime(2025, 1, 1), dt.datetime(2027, 1, 1)),
)
def test_when_a_quiet_time_has_ended_it_is_not_quiet(
    since: str, until: str, zone: str, weekends: bool, at: dt.datetime
) -> None:
    if since == until:
        return
    hours, now = quiet(since, until, zone, weekends=weekends), at.replace(tzinfo=dt.UTC)
    end = hours.end(now)
    if end is not None:
        assert now < end < now + 4 * DAY
        # Where clocks go back the same hour is quiet once more.
        assert hours.end(end) is None or hours.end(end) - end <= 2 * HOUR


@pytest.mark.parametrize(
    ("plan", "now", "expected"),
    [
        (DigestPlan(every="day", hour=8, zone=BERLIN), "2026-01-14T06:59", "2026-01-14T07:00"),
        (DigestPlan(every="day", hour=8, zone=BERLIN), "2026-01-14T07:00", "2026-01-15T07:00"),
        (DigestPlan(every="week", hour=8, zone=BERLIN), "2026-01-14T07:00", "2026-01-19T07:00"),
        (DigestPlan(every="week", weekday="wednesday", hour=8, zone=BERLIN), "2026-01-14T07:00", "2026-01-21T07:00"),
        (DigestPlan(every="day", hour=8, zone=BERLIN), "2026-03-28T12:00", "2026-03-29T06:00"),
        (DigestPlan(every="day", hour=2, zone=BERLIN), "2026-03-28T12:00", "2026-03-29T01:00"),
        (DigestPlan(every="day", hour=2, zone=BERLIN), "2026-10-25T00:00", "2026-10-26T01:00"),
        (DigestPlan(every="day", hour=0, zone="Asia/Tokyo"), "2026-01-14T14:59", "2026-01-14T15:00"),
    ],
    ids=str,
)
def test_a_digest_goes_at_its_hour(plan: DigestPlan, now: str, expected: str) -> None:
    assert plan.next(utc(now)) == utc(expected)


@pytest.mark.parametrize("zone", [BERLIN, "America/New_York", "Australia/Lord_Howe"])
def test_a_daily_digest_goes_once_a_day_over_a_whole_year(zone: str) -> None:
    plan, at = DigestPlan(every="day", hour=2, zone=zone), utc("2026-01-01T00:00")
    times = [at := plan.next(at) for _ in range(366)]
    days = [each.astimezone(zoneinfo.ZoneInfo(zone)).date() for each in times]
    assert all(later - earlier == DAY for earlier, later in itertools.pairwise(days))
    assert WEEKDAYS[days[0].weekday()] == days[0].strftime("%A").lower()


def deliveries(shop: Shop) -> list[tuple[str, int]]:
    return [(each.state, len(each.alerts)) for each in shop.outbox.deliveries(shop.project_id)]


@pytest.mark.slow
def test_alerts_of_quiet_hours_come_as_one_message_afterwards_and_urgent_ones_at_once(
    shop: Shop, receiver: Receiver
) -> None:
    night = quiet("22:00", "07:00", "UTC")
    shop.now = utc("2026-03-20T23:00")
    shop.store.add_target(shop.project_id, "webhook", "hook", receiver.url, quiet=night)
    shop.store.add_rule(shop.project_id, "New", "new_topic", Filters(), None, urgent=False)
    shop.build(17, new_from=9)
    assert shop.run()["sent"] == 0 and deliveries(shop) == [("waiting", 1)]
    shop.store.add_rule(shop.project_id, "Fewer", "fading_topic", Filters(), None, urgent=False)
    shop.store.add_rule(shop.project_id, "Growing", "growing_topic", Filters(), None, urgent=True)
    shop.run(after=HOUR)
    urgent = [each for each in receiver.bodies if each["type"] == "alerts.found"]
    assert [[alert["rule"] for alert in each["data"]["alerts"]] for each in urgent] == [["Growing"]]
    held = [each for each in shop.outbox.deliveries(shop.project_id) if each.state == "waiting"]
    assert len(held) == 1 and held[0].next_at == utc("2026-03-21T07:00")
    assert shop.run(after=6 * HOUR)["sent"] == 0
    assert shop.run(after=HOUR)["sent"] == 1 and len(receiver.got) == 2


@pytest.mark.slow
def test_a_digest_has_the_words_and_numbers_of_its_route(shop: Shop, receiver: Receiver) -> None:
    plan = DigestPlan(every="day", hour=13, days=7)
    for kind in ("webhook", "slack"):
        shop.store.add_target(shop.project_id, kind, kind, f"{receiver.url}/{kind}", digest=plan, now=NOW)
    shop.build(17, new_from=9)
    assert shop.run()["sent"] == 0
    assert shop.run(after=HOUR)["sent"] == 2 and shop.run(after=HOUR)["sent"] == 0
    assert shop.run(after=DAY)["sent"] == 2
    told: dict[str, Any] = dict(zip((path for path, _, _ in receiver.got), receiver.bodies, strict=True))
    engine = Engine(shop.lake)
    asked = DigestOfField(days=7)
    assert told["/webhook"]["data"]["digest"] == orjson.loads(engine.ask(shop.project_id, asked).content or b"")
    words = (engine.ask(shop.project_id, asked, "text").content or b"").decode()
    said = "\n".join(block["text"]["text"] for block in told["/slack"]["blocks"] if "text" in block)
    for line in words.splitlines():
        assert line.strip("-= ") in said


def test_where_a_project_chose_so_a_digest_is_sent_without_what_few_users_have(shop: Shop, receiver: Receiver) -> None:
    privacy.set_rule(shop.accounts, shop.project_id, privacy.FEW, {"exports": 1000})
    plan = DigestPlan(every="day", hour=13, days=7)
    shop.store.add_target(shop.project_id, "webhook", "hook", receiver.url, digest=plan, now=NOW)
    shop.build(17, new_from=9)
    assert shop.run()["sent"] == 0 and shop.run(after=HOUR)["sent"] == 1
    digest = receiver.bodies[0]["data"]["digest"]
    assert (digest["messages"]["now"], digest["topics"], digest["changes"], digest["notes"]) == (0, [], [], [])


def test_a_target_that_is_disabled_gets_no_digest(shop: Shop, receiver: Receiver) -> None:
    target = shop.store.add_target(
        shop.project_id, "webhook", "hook", receiver.url, digest=DigestPlan(every="day", hour=13), now=NOW
    )
    receiver.statuses = [410]
    shop.run(after=HOUR)
    shop.run(after=DAY)
    assert len(receiver.got) == 1
    shop.store.change_target(
        shop.project_id,
        target.target_id,
        "h",
        has_texts=False,
        quiet=None,
        digest=DigestPlan(every="day"),
        now=shop.now,
    )
    shop.run(after=DAY)
    assert len(receiver.got) == 2
