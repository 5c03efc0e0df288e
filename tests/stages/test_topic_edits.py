"""People's edits of topics hold through real fits that would otherwise end these topics, until they are undone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import polars as pl
import pytest
from fastapi.testclient import TestClient

from tests.read.reading import read_app
from tests.small_lake import FRAMES, PROJECT, THEMES, bring, event, put
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TOPIC_ASSIGNMENTS, TOPIC_LINEAGE, TOPICS
from turret_pipeline.stages.work import Work

LATER = dt.date(2026, 10, 5)
BY_HAND = "t_by_hand"


@pytest.fixture
def uneven(lake_before: Callable[[str], Lake]) -> Lake:
    """A lake with a topic of two thirds of the texts of another one: a fit from scratch would find them to be one.

    Twice as many texts have come since, so the next fit is one.
    """
    lake = lake_before("end")
    work = Work(lake, PROJECT)
    topics, assignments = work.open(TOPICS), work.open(TOPIC_ASSIGNMENTS)
    rows = assignments.scan().collect().sort("text_id")
    largest = rows["topic_id"].drop_nulls().value_counts().sort("count", "topic_id")["topic_id"][-1]
    third = pl.col("topic_id") == largest, pl.int_range(pl.len()).over("topic_id") % 3 > 0
    assignments.replace(
        rows.with_columns(topic_id=pl.when(third[0] & third[1]).then(pl.lit(BY_HAND)).otherwise("topic_id"))
    )
    old = topics.scan().collect()
    own = old.filter(pl.col("topic_id") == largest).with_columns(topic_id=pl.lit(BY_HAND), label=pl.lit("made by hand"))
    topics.replace(pl.concat([old, own]).sort(*TOPICS.key))
    return lake


def grow(lake: Lake, start: int = 1000, each: int = 75) -> None:
    """Bring `each` more texts of each theme: with them, twice the texts that there were."""
    for number, words in enumerate(THEMES.values()):
        first = start + each * number
        texts = [FRAMES[n % 4].format(words[n % 5], first + n) for n in range(each)]
        put(lake, LATER, f"more{first}", [event(first + n, LATER, text) for n, text in enumerate(texts)])
    bring(lake)


def assigned(lake: Lake) -> pl.DataFrame:
    return store.read(lake, TOPIC_ASSIGNMENTS, PROJECT).select("text_id", "topic_id")


def say(client: TestClient, topic_id: str, action: str, value: str | None) -> None:
    body = {"topic_id": topic_id, "action": action, "value": value}
    answer = client.post("/v1/topics/edits", json=body, headers={"X-API-Key": f"{PROJECT}:admin"})
    assert answer.status_code == 200, answer.text


def shown(client: TestClient) -> dict[str, dict]:
    answer = client.get("/v1/topics", headers={"X-API-Key": f"{PROJECT}:read"})
    return {row["topic_id"]: row for row in answer.json()["data"]}


@pytest.mark.slow
def test_a_topic_without_edits_may_end_and_it_is_told_what_it_became(uneven: Lake) -> None:
    grow(uneven)
    assert BY_HAND not in set(store.read(uneven, TOPICS, PROJECT)["topic_id"]) or (
        store.read(uneven, TOPIC_LINEAGE, PROJECT).filter(pl.col("kind") == "merge").height == 1
    )
    with TestClient(read_app(uneven)) as client:
        ended = store.read(uneven, TOPIC_LINEAGE, PROJECT).filter(pl.col("kind") == "merge").row(0, named=True)
        answer = client.get(f"/v1/topics/{ended['from_topic']}", headers={"X-API-Key": f"{PROJECT}:read"})
        assert answer.status_code == 404
        assert f"became {ended['to_topic']}" in answer.json()["error"]
        heir = client.get(f"/v1/topics/{ended['to_topic']}", headers={"X-API-Key": f"{PROJECT}:read"}).json()
        assert ended["from_topic"] in [way["from_topic"] for way in heir["lineage"]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("action", "value"),
    [
        ("merge", None),
        pytest.param("rename", "Ours", marks=pytest.mark.long),
        pytest.param("pin", "true", marks=pytest.mark.long),
        pytest.param("hide", "true", marks=pytest.mark.long),
    ],
)
def test_an_edit_holds_through_a_fit_from_scratch(uneven: Lake, action: str, value: str | None) -> None:
    before = assigned(uneven)
    other = before.filter(pl.col("topic_id") != BY_HAND)["topic_id"].drop_nulls().mode().sort()[0]
    with TestClient(read_app(uneven)) as client:
        say(client, BY_HAND, action, value or other)
        grow(uneven)
        both = before.filter(pl.col("topic_id") == BY_HAND).join(assigned(uneven), on="text_id")
        assert (both["topic_id_right"] == BY_HAND).mean() > 0.9
        topics = store.read(uneven, TOPICS, PROJECT).filter(pl.col("topic_id") == BY_HAND)
        assert topics["label"].to_list() == ["made by hand"]
        assert topics["model_version"].to_list() == [2]
        topic = shown(client).get(BY_HAND, {})
        assert {"pin": topic.get("pinned"), "rename": topic.get("label") == "Ours"}.get(action, topic == {})
        say(client, BY_HAND, action, None)
        back = shown(client)[BY_HAND]
        assert (back["label"], back["pinned"]) == ("made by hand", False)
        assert back["size"] == (assigned(uneven)["topic_id"] == BY_HAND).sum()
