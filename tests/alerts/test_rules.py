"""Rules on planted days: what changes is told once, and what does not is not told."""

from __future__ import annotations

import datetime as dt
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest

from tests.alerts.conftest import DAY, HOUR, NOW, Receiver, Shop
from turret_api.alerts.rules import KINDS, Filters, Rule
from turret_api.read.engine.engine import Engine
from turret_api.read.questions.changes.findings import ChangesOfField
from turret_pipeline.lake.parts import PART_SCHEMA, write_part
from turret_pipeline.lake.waiting import Seen, Wait, write

ANY = Filters()


@pytest.mark.slow
def test_a_topic_that_is_new_is_told_once_with_the_numbers_of_the_page(shop: Shop, receiver: Receiver) -> None:
    shop.store.add_target(shop.project_id, "webhook", "hook", receiver.url)
    for kind in ("new_topic", "growing_topic"):
        shop.store.add_rule(shop.project_id, kind, kind, ANY, None, urgent=False)
    shop.build(17)
    assert shop.run()["problems"] == shop.run()["new"] == {} and receiver.got == []
    shop.build(17, new_from=9, after=HOUR)
    assert shop.run()["sent"] == 1
    (body,) = receiver.bodies
    page = orjson.loads(Engine(shop.lake).ask(shop.project_id, ChangesOfField(days=7)).content or b"")
    (finding,) = (each for each in page["data"] if each["kind"] == "topic" and each["direction"] == "new")
    assert (finding["topic_id"], finding["now"], finding["before"]) == ("t_card", 42, 0)
    assert body["type"] == "alerts.found"
    (alert,) = body["data"]["alerts"]
    assert alert["sentence"] == finding["sentence"] == "“Declined cards” is new: 50% of sessions, 0% before."
    assert alert["finding"] == {"field": "prompt", **finding}
    assert {each.kind for each in shop.book.alerts(shop.project_id, is_open=True)} == {"new_topic", "growing_topic"}
    for days in (18, 19):
        shop.build(days, new_from=9, after=DAY)
        assert shop.run()["new"] == {}
    assert len(receiver.got) == 1


@pytest.mark.slow
def test_what_ends_and_comes_back_within_its_days_is_the_same_alert_and_later_a_new_one(shop: Shop) -> None:
    shop.store.add_rule(shop.project_id, "New", "new_topic", ANY, None, urgent=False)
    shop.build(17, new_from=9)
    assert len(shop.run()["new"][shop.project_id]) == 1
    shop.build(17, after=DAY)
    shop.run()
    assert shop.sentences(is_open=True) == [] and len(shop.sentences(is_open=False)) == 1
    shop.build(20, new_from=12, after=DAY)
    assert shop.run()["new"] == {} and len(shop.sentences(is_open=True)) == 1
    shop.build(20, after=DAY)
    shop.run()
    shop.build(35, new_from=27, after=DAY)
    assert len(shop.run()["new"][shop.project_id]) == 1 and len(shop.sentences()) == 2


@pytest.mark.parametrize(
    ("filters", "is_told"),
    [
        ({"topic_id": "t_card"}, True),
        ({"topic_id": "t_parcel"}, False),
        ({"field": "prompt"}, True),
        ({"least_sessions": 42}, True),
        ({"least_sessions": 43}, False),
        ({"least_change": 100.0}, True),  # from nothing, which is more than any change
    ],
    ids=str,
)
def test_a_filter_leaves_out_what_it_says(shop: Shop, filters: dict[str, Any], is_told: bool) -> None:
    shop.store.add_rule(shop.project_id, "New", "new_topic", Filters(**filters), None, urgent=False)
    shop.build(17, new_from=9)
    assert bool(shop.run()["new"]) is is_told


def test_a_rule_about_a_field_that_is_not_there_is_a_problem_and_holds_up_no_other(shop: Shop) -> None:
    shop.store.add_rule(shop.project_id, "Lost", "new_topic", Filters(field="absent"), None, urgent=False)
    shop.store.add_rule(shop.project_id, "New", "new_topic", ANY, None, urgent=False)
    shop.build(17, new_from=9)
    found = shop.run()
    assert "absent" in found["problems"][shop.project_id][0]
    assert found["new"][shop.project_id][0].startswith("New: “Declined cards” is new")


FINDING: dict[str, Any] = {
    "kind": "topic", "direction": "up", "topic_id": "t", "to_topic": None, "segment": None, "value": None,
    "outcome": None, "now": 30, "change": 0.5,
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "filters", "finding", "wants"),
    [
        ("growing_topic", {}, {}, True),
        ("growing_topic", {}, {"direction": "new"}, True),
        ("growing_topic", {}, {"direction": "down"}, False),
        ("new_topic", {}, {}, False),
        ("growing_topic", {"least_change": 0.5}, {}, True),
        ("growing_topic", {"least_change": 0.51}, {}, False),
        ("fading_topic", {}, {"direction": "gone"}, True),
        ("fading_topic", {"least_change": 0.5}, {"direction": "down", "change": -0.6}, True),
        ("friction", {}, {"kind": "friction_of_move", "to_topic": "u"}, True),
        ("move", {"topic_id": "u"}, {"kind": "move", "to_topic": "u"}, True),
        ("move", {}, {"kind": "move", "to_topic": "u", "direction": "down"}, False),
        ("friction", {"topic_id": "u"}, {"kind": "friction_of_move", "to_topic": "u"}, True),
        ("friction", {"topic_id": "v"}, {"kind": "friction_of_move", "to_topic": "u"}, False),
        ("friction", {}, {"kind": "friction_of_topic", "direction": "down"}, False),
        ("segment", {}, {"kind": "topic_of_segment"}, True),
        ("sentiment", {}, {"kind": "sentiment_of_topic"}, True),
        ("outcome", {}, {"kind": "outcome", "outcome": "paid"}, True),
        ("outcome", {"outcome": "paid"}, {"kind": "outcome_of_topic", "outcome": "paid"}, True),
        ("outcome", {"outcome": "stars"}, {"kind": "outcome", "outcome": "paid"}, False),
        ("outcome", {"direction": "down"}, {"kind": "outcome", "outcome": "paid"}, False),
        ("volume", {}, {"kind": "volume", "direction": "down", "topic_id": None}, True),
        ("volume", {"direction": "up"}, {"kind": "volume", "direction": "down", "topic_id": None}, False),
        ("silence", {}, {}, False),
    ],
    ids=str,
)
def test_a_rule_wants_findings_of_its_kind_and_filters(
    kind: str, filters: dict[str, Any], finding: dict[str, Any], wants: bool
) -> None:
    rule = Rule("r", "p", "n", kind, Filters(**filters), None, False, NOW)
    assert rule.filters.misfit(kind) is None
    assert rule.wants(FINDING | finding) is wants


def test_every_filter_belongs_to_some_kind() -> None:
    assert set(Filters.model_fields) == {name for kind in KINDS.values() for name in kind.filters}


def test_silence_is_told_when_the_clock_says_so_and_ends_with_the_next_event(shop: Shop) -> None:
    day = dt.date(2026, 3, 20)
    shop.store.add_rule(shop.project_id, "Quiet", "silence", Filters(hours=2), None, urgent=True)
    assert shop.run()["new"] == {}
    write_part(shop.lake, shop.project_id, day, "a-1.parquet", PART_SCHEMA.to_frame())
    part = next(path for path in (shop.settings.home / "lake" / "events").rglob("a-1.parquet"))
    os.utime(part, (NOW.timestamp(), NOW.timestamp()))
    assert shop.run(after=HOUR)["new"] == {}
    (sentence,) = shop.run(after=HOUR)["new"][shop.project_id]
    assert sentence == "Quiet: No event has come for 2 hours: the last one came at 2026-03-20 12:00 UTC."
    assert shop.run(after=HOUR)["new"] == {}
    os.utime(part, (shop.now.timestamp(), shop.now.timestamp()))
    shop.run()
    assert shop.sentences(is_open=True) == []


def test_events_that_wait_too_long_are_told_though_nothing_is_built(shop: Shop) -> None:
    shop.now = dt.datetime.now(dt.UTC)
    shop.store.add_rule(shop.project_id, "Late", "freshness", ANY, None, urgent=True)
    shop.lake.make()
    assert shop.run()["new"] == {}
    since = time.time() - 700
    write(shop.lake, Seen(time.time(), {shop.project_id: {"topics": Wait(since, None, since)}}))
    (sentence,) = shop.run()["new"][shop.project_id]
    assert sentence.startswith("Late: Events have waited to be built into the table topics since")
    write(shop.lake, Seen(time.time(), {}))
    shop.run()
    assert shop.sentences(is_open=True) == []


def test_of_several_processes_that_look_at_once_one_tells(shop: Shop, receiver: Receiver) -> None:
    shop.store.add_target(shop.project_id, "webhook", "hook", receiver.url)
    shop.store.add_rule(shop.project_id, "New", "new_topic", ANY, None, urgent=False)
    shop.build(17, new_from=9)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: shop.run(), range(4)))
    assert sum(len(each["new"]) for each in found) == 1
    assert len(receiver.got) == 1 and len(shop.sentences()) == 1


def test_a_rule_that_comes_while_another_is_looked_at_is_not_forgotten(shop: Shop) -> None:
    shop.build(17, new_from=9)
    rule = shop.store.add_rule(shop.project_id, "New", "new_topic", ANY, None, urgent=False)
    seen = shop.store.rules(shop.project_id)
    shop.store.add_rule(shop.project_id, "Too", "new_topic", ANY, None, urgent=False)
    shop.book.note(shop.project_id, seen, {rule.rule_id: []}, shop.now, built_at=shop.now)
    assert shop.book.last_look(shop.project_id).looked_at is None
    assert len(shop.run()["new"][shop.project_id]) == 2


def test_with_its_project_all_that_is_known_of_its_alerts_goes(shop: Shop, receiver: Receiver) -> None:
    from turret_api.accounts.deletion import delete_project

    shop.store.add_target(shop.project_id, "webhook", "hook", receiver.url)
    shop.store.add_rule(shop.project_id, "New", "new_topic", ANY, None, urgent=False)
    shop.build(17, new_from=9)
    shop.run()
    delete_project(shop.accounts, shop.project_id)
    assert shop.store.rules(shop.project_id) == shop.store.targets(shop.project_id) == []
    assert shop.sentences() == shop.outbox.deliveries(shop.project_id) == []
    assert shop.run()["problems"] == {}
