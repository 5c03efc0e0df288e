"""What became of requests as the API tells it: equal to a plain count over the lake, under every filter and edit."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fastapi.testclient import TestClient

from tests.read.conftest import CHATS, SESSIONS, Api, write_lake
from tests.read.reading import read_app
from tests.read.replies import FAILED, FIXED, NO_REFUND, ON_ITS_WAY, TOPIC_OF_REPLY, answer
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import ANSWERS, JOURNEY_STEPS, MESSAGES, TOPIC_EDITS

SAID = SESSIONS | CHATS | {f"more {n}": SESSIONS["s/4"] + CHATS["c1"] for n in range(3)}

KIND_OF_REPLY = {ON_ITS_WAY: "answered", NO_REFUND: "refused", FAILED: "apologised", FIXED: "made_good"}
UNSERVED = ("refused", "apologised")
COUNTS = ("n_requests", "n_answered", "n_unanswered", "n_refused", "n_apologised", "n_made_good", "n_repeated")


@pytest.fixture(scope="module")
def answered_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(str(tmp_path_factory.mktemp("unserved") / "a lake"))
    write_lake(lake, "shop", SAID)
    answer(lake, "shop")
    return lake


@pytest.fixture
def api(answered_lake: Lake) -> Iterator[Api]:
    edits = store.read(answered_lake, TOPIC_EDITS, "shop")
    with TestClient(read_app(answered_lake)) as client:
        yield Api(answered_lake, client)
    store.replace(answered_lake, TOPIC_EDITS, edits, "shop")


def steps_of(api: Api) -> list[dict[str, Any]]:
    """The steps of the prompts, each with `reply` and `repeated`, read off the lake one by one."""
    table = store.read(api.lake, JOURNEY_STEPS, "shop").sort("session_id", "place")
    said = dict(store.read(api.lake, MESSAGES, "shop").filter(field="response").select("event_id", "text").rows())
    again = set(store.read(api.lake, ANSWERS, "shop").filter(pl.col("is_repeated"))["event_id"])
    rows = table.filter(field="prompt").to_dicts()
    return [row | {"reply": said.get(row["event_id"]), "repeated": row["event_id"] in again} for row in rows]


def plain(steps: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Counts by topic, request by request."""
    found: dict[str, Counter[str]] = {}
    for row in steps:
        kind = None if row["reply"] is None else KIND_OF_REPLY[row["reply"]]
        topic = row["topic_id"] or ("unassigned" if row["kind"] in ("request", "follow_up") else row["kind"])
        counts = found.setdefault(topic, Counter())
        counts["n_requests"] += 1
        counts["n_answered" if kind else "n_unanswered"] += 1
        for each in ("refused", "apologised", "made_good"):
            counts[f"n_{each}"] += kind == each
        counts["n_repeated"] += row["repeated"]
        counts["n_unserved"] += kind is None or kind in UNSERVED or row["repeated"]
    return {topic: {name: counts[name] for name in (*COUNTS, "n_unserved")} for topic, counts in found.items()}


def requests(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in steps if row["kind"] in ("request", "follow_up")]


def counted(row: dict[str, Any]) -> dict[str, int]:
    return {name: row[name] for name in (*COUNTS, "n_unserved")}


def test_each_topic_has_the_counts_of_its_requests(api: Api) -> None:
    found, wanted = api.get("/v1/answers"), plain(requests(steps_of(api)))
    assert {row["topic_id"]: counted(row) for row in found["data"]} == wanted
    assert found["answer_field"] == "response"
    assert any(row["n_repeated"] for row in wanted.values())
    unserved = [row["n_unserved"] for row in found["data"]]
    assert unserved == sorted(unserved, reverse=True)
    for row in found["data"]:
        assert row["share"] == pytest.approx(row["n_unserved"] / row["n_requests"])
        assert 0 <= row["low"] <= row["share"] <= row["high"] <= 1
    labels = {row["topic_id"]: row["label"] for row in found["data"]}
    assert labels["t_parcel"] == "Parcel tracking" and labels["unassigned"] == "No topic"


def test_all_numbers_add_up_to_the_requests(api: Api) -> None:
    for asked in ({}, {"kinds": "all"}, {"limit": 1}, {"level": 1}, {"segment.plan": "pro"}):
        found = api.get("/v1/answers", **asked)
        parts = [*found["data"], found["rest"]]
        for name in (*COUNTS, "n_unserved"):
            assert sum(row[name] for row in parts) == found[name], (asked, name)
        for row in parts:
            assert row["n_answered"] + row["n_unanswered"] == row["n_requests"]
        for row in found["data"]:
            shown = sum(topic["count"] for topic in row["answers"])
            assert shown + row["rest"]["count"] == row["n_answered"]
        assert sum(topic["count"] for topic in found["answers"]) == found["n_answered"]
        counts = api.get("/v1/topics", **{key: value for key, value in asked.items() if key != "limit"})
        assert counts["n_messages"] == found["n_requests"]


def test_with_all_kinds_moves_of_conversation_count_by_their_kind(api: Api) -> None:
    found = api.get("/v1/answers", kinds="all")
    assert {row["topic_id"]: counted(row) for row in found["data"]} == plain(steps_of(api))


def test_the_topics_of_a_topics_answers_are_those_of_the_field_of_answers(api: Api) -> None:
    found = {row["topic_id"]: row for row in api.get("/v1/answers")["data"]}
    wanted: dict[str, Counter[str]] = {}
    for row in requests(steps_of(api)):
        if row["reply"] is not None:
            topic = TOPIC_OF_REPLY[row["reply"]] or "unassigned"
            wanted.setdefault(row["topic_id"] or "unassigned", Counter())[topic] += 1
    assert {topic: {each["topic_id"]: each["count"] for each in row["answers"]} for topic, row in found.items()} == {
        topic: dict(counts) for topic, counts in wanted.items()
    }
    labels = {each["topic_id"]: each["label"] for row in found.values() for each in row["answers"]}
    assert labels["r_no"] == "No refund" and labels["unassigned"] == "No topic"


@pytest.mark.slow
@pytest.mark.parametrize("asked", [{}, {"segment.plan": "pro"}, {"name": "chat"}, {"from": "2026-03-03T00:00:00Z"}])
def test_the_messages_behind_each_count_can_be_had(api: Api, asked: dict[str, str]) -> None:
    found = api.get("/v1/answers", **asked)
    of = {"none": "n_unanswered"} | {name: f"n_{name}" for name in ("refused", "apologised", "made_good", "repeated")}
    for so, count in (of | {"unserved": "n_unserved"}).items():
        messages = api.get("/v1/messages", **asked, answer=so, limit=1000)["data"]
        assert len(messages) == found[count], so
        if so in KIND_OF_REPLY.values():
            assert {row["answer_kind"] for row in messages} <= {so}
            assert all(KIND_OF_REPLY[row["answer"]] == so for row in messages)
    topic = found["data"][0]
    behind = api.get("/v1/messages", **asked, answer="unserved", topic_id=topic["topic_id"], limit=1000)["data"]
    assert len(behind) == topic["n_unserved"] > 0


def test_a_message_in_a_list_has_its_whole_answer_as_in_its_session(api: Api) -> None:
    wanted = {row["event_id"]: row["reply"] for row in steps_of(api)}
    rows = api.get("/v1/messages", kinds="all", limit=1000)["data"]
    assert {row["event_id"]: row["answer"] for row in rows} == wanted
    assert {row["answer_kind"] for row in rows if row["answer"] is None} == {None}
    session = api.get("/v1/sessions", session_id="s/4", field="prompt")["data"]
    beside = {row["event_id"]: row for row in rows}
    for row in session:
        for name in ("answer", "answer_kind", "answer_is_repeated"):
            assert row[name] == beside[row["event_id"]][name]


def edit(api: Api, field: str, topic: str, action: str, value: str) -> None:
    row = ("shop", field, topic, action, value, dt.datetime.now(dt.UTC))
    store.append(api.lake, TOPIC_EDITS, pl.DataFrame([row], schema=TOPIC_EDITS.schema, orient="row"))


def test_merged_topics_count_as_one_and_hidden_ones_go_into_the_rest(api: Api) -> None:
    before = {row["topic_id"]: row["n_requests"] for row in api.get("/v1/answers")["data"]}
    edit(api, "prompt", "t_refund", "merge", "t_parcel")
    edit(api, "prompt", "t_card", "hide", "true")
    edit(api, "response", "r_card", "merge", "r_way")
    edit(api, "response", "r_no", "hide", "true")
    found = api.get("/v1/answers")
    after = {row["topic_id"]: row["n_requests"] for row in found["data"]}
    assert after["t_parcel"] == before["t_parcel"] + before["t_refund"]
    assert "t_card" not in after and found["rest"]["n_requests"] == before["t_card"]
    topics = {each["topic_id"] for row in found["data"] for each in row["answers"]}
    assert "r_way" in topics and not topics & {"r_card", "r_no"}
    for row in found["data"]:
        assert sum(each["count"] for each in row["answers"]) + row["rest"]["count"] == row["n_answered"]


@pytest.mark.slow
def test_without_a_field_of_answers_the_answer_is_an_ordinary_empty_one(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "a lake"))
    write_lake(lake, "shop", SESSIONS)
    with TestClient(read_app(lake)) as client:
        plain_api = Api(lake, client)
        found = plain_api.get("/v1/answers")
        assert (found["data"], found["answer_field"], found["n_requests"], found["share"]) == ([], None, 0, None)
        assert found["rest"]["n_requests"] == 0
        assert plain_api.get("/v1/messages", answer="none")["data"] == []
        assert {row["answer"] for row in plain_api.get("/v1/messages")["data"]} == {None}
