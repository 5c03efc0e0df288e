"""Messages say how they sound; the counts by topic and day add up, whatever is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient

from tests.read.conftest import CHATS, Api, write_lake
from tests.read.reading import read_app
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TEXT_SENTIMENT, TOPIC_EDITS

FILTERS = [{}, {"name": "voice"}, {"segment.plan": "pro"}, {"segment.tokens": "..13"}, {"from": "2026-03-03T23:51:00Z"}]
SENTIMENTS = ("negative", "neutral", "positive")


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    lake = Lake(str(tmp_path_factory.mktemp("chats") / "lake"))
    write_lake(lake, "shop", CHATS)
    with TestClient(read_app(lake)) as client:
        yield Api(lake, client)


def counted(row: dict) -> dict[str, int]:
    return {each: row[f"n_{each}"] for each in SENTIMENTS if row[f"n_{each}"]}


@pytest.mark.parametrize("kinds", ["requests", "all"])
@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_counts_by_topic_are_those_of_the_messages_and_add_up_to_its_size(
    chats: Api, filters: dict, kinds: str
) -> None:
    for row in chats.get("/v1/topics", **filters, kinds=kinds)["data"]:
        assert row["n_negative"] + row["n_neutral"] + row["n_positive"] == row["size"]
        said = chats.get("/v1/messages", **filters, topic_id=row["topic_id"], limit=1000)["data"]
        assert counted(row) == Counter(each["sentiment"] for each in said), row["topic_id"]
        one = chats.get(f"/v1/topics/{row['topic_id']}", **filters, kinds=kinds)
        assert counted(one) == counted(row)
        assert {each["sentiment"]: each["n_messages"] for each in one["mood"]["data"] if each["n_messages"]} == counted(
            row
        )
        for each in one["mood"]["data"]:
            assert 0 <= each["low"] <= each["share"] <= each["high"] <= 1
            assert each["share"] == pytest.approx(each["n_messages"] / row["size"])
            sessions = {message["session_id"] for message in said if message["sentiment"] == each["sentiment"]}
            assert each["n_sessions"] == len(sessions)
        days = one["mood"]["days"]
        by_day = Counter(message["timestamp"][:10] for message in said)
        assert {each["date"]: each["size"] for each in days} == by_day
        assert sum(each["n_negative"] for each in days) == row["n_negative"]
        assert sum(each["n_positive"] for each in days) == row["n_positive"]


def test_themes_count_what_their_topics_do(chats: Api) -> None:
    topics = {row["topic_id"]: row for row in chats.get("/v1/topics")["data"]}
    themes = {row["topic_id"]: row for row in chats.get("/v1/topics", level=1)["data"]}
    for count in ("n_negative", "n_neutral", "n_positive"):
        assert themes["theme_shop"][count] == topics["t_parcel"][count] + topics["t_refund"][count]
        assert themes["t_card"][count] == topics["t_card"][count]


def test_messages_say_how_they_sound_and_are_found_by_it(chats: Api) -> None:
    everything = chats.get("/v1/messages", limit=1000, kinds="all")["data"]
    planted = Counter(each["sentiment"] for each in everything)
    assert planted == {"negative": 2, "neutral": 10, "positive": 8}
    for sentiment, n in planted.items():
        found = chats.get("/v1/messages", sentiment=sentiment, limit=1000, kinds="all")["data"]
        assert found == [each for each in everything if each["sentiment"] == sentiment] and len(found) == n
        # A page at a time they are the same.
        first = chats.get("/v1/messages", sentiment=sentiment, limit=1, kinds="all")
        after = chats.get("/v1/messages", sentiment=sentiment, limit=1000, kinds="all", cursor=first["next"])
        assert first["data"] + after["data"] == found
    refused = chats.get("/v1/messages", sentiment="glum", status=400)
    assert (refused["code"], refused["field"]) == ("INVALID_REQUEST", "sentiment")
    told = {each["event_id"]: each["sentiment"] for each in everything}
    for message in chats.get("/v1/sessions/c3")["data"]:
        assert message["sentiment"] == told[message["event_id"]]


@pytest.mark.slow
def test_texts_that_were_not_looked_at_yet_count_as_neutral(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    write_lake(lake, "shop", CHATS)
    store.replace(lake, TEXT_SENTIMENT, TEXT_SENTIMENT.empty(), "shop")
    with TestClient(read_app(lake)) as client:
        api = Api(lake, client)
        for row in api.get("/v1/topics", name="chat")["data"]:
            assert counted(row) == {"neutral": row["size"]}
        messages = api.get("/v1/messages", sentiment="neutral", limit=1000, kinds="all")["data"]
        assert len(messages) == sum(map(len, CHATS.values()))
        assert {each["sentiment"] for each in messages} == {"neutral"}


@pytest.mark.slow
def test_a_topic_that_others_were_merged_into_sounds_as_all_their_messages(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    write_lake(lake, "shop", CHATS)
    with TestClient(read_app(lake)) as client:
        api = Api(lake, client)
        before = {row["topic_id"]: row for row in api.get("/v1/topics")["data"]}
        at = pl.datetime(2026, 3, 20, time_unit="us", time_zone="UTC")
        edit = {"project_id": "shop", "field": "prompt", "topic_id": "t_card", "action": "merge", "value": "t_refund"}
        rows = pl.select(**{name: pl.lit(value) for name, value in edit.items()}, decided_at=at)
        store.append(lake, TOPIC_EDITS, rows.select(TOPIC_EDITS.schema.names()))
        after = {row["topic_id"]: row for row in api.get("/v1/topics")["data"]}
        for count in ("size", "n_negative", "n_neutral", "n_positive"):
            assert after["t_refund"][count] == before["t_refund"][count] + before["t_card"][count]
        assert api.get("/v1/topics/t_refund")["mood"]["data"][0]["n_messages"] == after["t_refund"]["n_negative"] == 2
