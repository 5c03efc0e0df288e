"""Where a project chose so, targets without texts are told of no topic, move or segment that too few users have."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.alerts.conftest import HOUR, NOW, Receiver, Shop
from turret_api.accounts import privacy
from turret_api.alerts.rules import Filters
from turret_api.read.engine.engine import Engine
from turret_api.read.questions.changes.findings import ChangesOfField
from turret_api.read.questions.changes.users import is_of_enough
from turret_pipeline.lake.parts import PART_SCHEMA, write_part

N_USERS = 3
"""Who sent the planted days."""


@pytest.mark.slow
@pytest.mark.parametrize(("exports", "is_told"), [(0, True), (N_USERS, True), (N_USERS + 1, False)])
def test_an_alert_of_few_users_is_sent_only_to_targets_with_texts(
    shop: Shop, receiver: Receiver, exports: int, is_told: bool
) -> None:
    privacy.set_rule(shop.accounts, shop.project_id, privacy.FEW, {"exports": exports})
    shop.store.add_target(shop.project_id, "webhook", "without", f"{receiver.url}/without")
    shop.store.add_target(shop.project_id, "webhook", "with", f"{receiver.url}/with", has_texts=True)
    shop.store.add_rule(shop.project_id, "New", "new_topic", Filters(), None, urgent=False)
    shop.build(17, new_from=9)
    assert len(shop.run()["new"][shop.project_id]) == 1
    assert {path for path, _, _ in receiver.got} == ({"/with", "/without"} if is_told else {"/with"})


def test_silence_is_told_however_few_users_there_are(shop: Shop, receiver: Receiver) -> None:
    privacy.set_rule(shop.accounts, shop.project_id, privacy.FEW, {"exports": 1000})
    shop.store.add_target(shop.project_id, "webhook", "without", receiver.url)
    shop.store.add_rule(shop.project_id, "Silent", "silence", Filters(hours=1), None, urgent=False)
    write_part(shop.lake, shop.project_id, NOW.date(), "a-1.parquet", PART_SCHEMA.to_frame())
    part = next(path for path in (shop.settings.home / "lake" / "events").rglob("a-1.parquet"))
    os.utime(part, (NOW.timestamp(), NOW.timestamp()))
    shop.run(after=HOUR)
    assert len(receiver.got) == 1


def finding(kind: str, **about: Any) -> dict[str, Any]:
    return {"topic_id": "t_card", "to_topic": None, "segment": None, "value": None} | {"kind": kind} | about


@pytest.mark.parametrize(
    ("found", "least", "is_enough"),
    [
        (finding("topic"), N_USERS, True),
        (finding("topic"), N_USERS + 1, False),
        (finding("topic", topic_id="t_gone"), 1, False),
        (finding("volume", topic_id=None), N_USERS, True),
        (finding("volume", topic_id=None), N_USERS + 1, False),
        (finding("topic_of_new_users"), 1, False),  # all of them have been there since the first days
        (finding("move", topic_id="t_parcel", to_topic="t_refund"), N_USERS - 1, True),
        (finding("move", topic_id="t_parcel", to_topic="t_refund"), N_USERS, False),
        (finding("friction_of_topic"), 1, False),
        (finding("sentiment_of_topic"), 1, False),
        (finding("outcome_of_topic"), 1, False),
    ],
    ids=lambda each: each["kind"] if isinstance(each, dict) else str(each),
)
def test_users_are_counted_of_what_a_change_is_about(
    shop: Shop, found: dict[str, Any], least: int, is_enough: bool
) -> None:
    shop.build(17, new_from=9)
    snapshot = Engine(shop.lake).library.snapshot(shop.project_id)
    scene = ChangesOfField("prompt", days=7).scene(snapshot, "prompt")
    assert scene is not None and is_of_enough(scene, found, least) is is_enough
