"""Moves of conversation are left out or counted, as is asked for; either way all numbers add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.read.conftest import CHATS, HI, MORE, OK, Api, write_lake
from tests.read.reading import read_app
from turret_api.command.export import rows_of
from turret_api.read.engine.library import Library
from turret_pipeline.lake.paths import Lake

ALL = sum(len(said) for said in CHATS.values())
MOVES = {"greeting": 3, "thanks": 6}
FILTERS = [{}, {"name": "voice"}, {"segment.plan": "pro"}, {"segment.tokens": "..13"}, {"from": "2026-03-03T23:51:00Z"}]


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    lake = Lake(str(tmp_path_factory.mktemp("chats") / "lake"))
    write_lake(lake, "shop", CHATS)
    with TestClient(read_app(lake)) as client:
        yield Api(lake, client)


def sizes(found: dict) -> dict[str, int]:
    return {row["topic_id"]: row["size"] for row in found["data"]}


@pytest.mark.slow
def test_topics_count_requests_and_follow_ups_and_say_how_many_moves_there_are_beside(chats: Api) -> None:
    found = chats.get("/v1/topics")
    assert sizes(found) == {"t_parcel": 4, "t_card": 3, "t_refund": 2}
    assert (found["n_messages"], found["n_unassigned"], found["n_moves"]) == (11, 2, 9)
    everything = chats.get("/v1/topics", kinds="all")
    assert sizes(everything) == sizes(found) | MOVES
    assert (everything["n_messages"], everything["n_unassigned"], everything["n_moves"]) == (ALL, 2, 0)
    (thanks,) = [row for row in everything["data"] if row["topic_id"] == "thanks"]
    assert (thanks["label"], thanks["level"], thanks["parent_id"], thanks["x"], thanks["n_texts"]) == (
        "Thanks",
        0,
        None,
        None,
        6,
    )
    assert thanks["keywords"] == [] and len(thanks["examples"]) == 5
    assert all(text.startswith(OK) for text in thanks["examples"])


@pytest.mark.parametrize("kinds", ["requests", "all"])
@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_numbers_add_up_with_moves_and_without(chats: Api, filters: dict, level: int, kinds: str) -> None:
    asked = {**filters, "kinds": kinds, "level": level}
    found = chats.get("/v1/topics", **asked)
    assert sum(sizes(found).values()) + found["n_unassigned"] + found["n_hidden"] == found["n_messages"]
    assert sum(day["count"] for day in found["messages_per_day"]) == found["n_messages"]
    passing = chats.get("/v1/messages", limit=1000, **filters, kinds="all")["data"]
    assert found["n_messages"] + found["n_moves"] == len(passing)
    if level == 0:
        for topic_id, size in sizes(found).items():
            some = chats.get("/v1/messages", limit=1000, topic_id=topic_id, **filters)["data"]
            assert len(some) == size, topic_id
            one = chats.get(f"/v1/topics/{topic_id}", **filters, kinds=kinds)
            assert one["size"] == size == sum(day["size"] for day in one["series"])
            for segment in one["segments"]:
                listed = sum(value["size"] for value in segment["values"])
                assert listed + segment["n_rest"] + segment["n_none"] == size

    graph = chats.get("/v1/journeys", **asked)
    into, out = Counter[str](), Counter[str]()
    for edge in graph["edges"]:
        out[edge["from"]] += edge["count"]
        into[edge["to"]] += edge["count"]
    n_sessions = len({row["session_id"] for row in passing})
    assert out.pop("start", 0) == into.pop("end", 0) == n_sessions == graph["n_sessions"]
    assert out == into and sum(out.values()) == graph["n_visits"]
    for path in ("starts", "drop-offs"):
        ends = chats.get(f"/v1/journeys/{path}", **asked)
        assert sum(row["sessions"] for row in ends["data"]) == n_sessions
    paths = chats.get("/v1/journeys/paths", **asked)
    assert sum(row["count"] for row in paths["data"]) + paths["rest"]["count"] == n_sessions
    moved = chats.get("/v1/journeys/sessions", **asked, from_topic="start", limit=1000)
    assert (moved["n_moves"], len(moved["data"])) == (n_sessions, n_sessions)
    assert chats.get("/v1/journeys/returns", **asked)["n_sessions"] == n_sessions
    numbered = chats.get("/v1/journeys", **asked, number="tokens")["edges"]
    assert [edge["number"]["count"] + edge["number"]["n_none"] for edge in numbered] == [e["count"] for e in numbered]


def test_journeys_go_from_request_to_request_and_moves_are_part_of_the_visit_before_them(chats: Api) -> None:
    edges = {(edge["from"], edge["to"]): edge["count"] for edge in chats.get("/v1/journeys")["edges"]}
    assert edges == {
        ("start", "t_parcel"): 2,
        ("start", "t_card"): 1,
        ("start", "moves"): 1,
        ("start", "unassigned"): 1,
        ("t_parcel", "t_refund"): 2,
        ("t_refund", "t_parcel"): 1,
        ("t_refund", "end"): 1,
        ("t_parcel", "end"): 1,
        ("t_card", "end"): 1,
        ("moves", "end"): 1,
        ("unassigned", "end"): 1,
    }
    nodes = {node["topic_id"]: node["kind"] for node in chats.get("/v1/journeys")["nodes"]}
    assert (nodes["moves"], nodes["t_card"], nodes["unassigned"]) == ("moves", "topic", "unassigned")
    everything = {(edge["from"], edge["to"]) for edge in chats.get("/v1/journeys", kinds="all")["edges"]}
    assert {("start", "greeting"), ("thanks", "t_card"), ("start", "thanks")} <= everything
    assert not any("moves" in ends for ends in everything)
    funnel = chats.get("/v1/journeys/funnel", steps="t_parcel,thanks,t_refund", kinds="all")
    assert [step["sessions"] for step in funnel["data"]] == [2, 2, 2]
    assert [step["sessions"] for step in chats.get("/v1/journeys/funnel", steps="thanks")["data"]] == [0]


def test_messages_say_their_kind_and_follow_ups_stand_under_the_topic_that_they_continue(chats: Api) -> None:
    parcels = chats.get("/v1/messages", topic_id="t_parcel")["data"]
    assert Counter(row["kind"] for row in parcels) == {"request": 3, "follow_up": 1}
    (more,) = [row for row in parcels if row["kind"] == "follow_up"]
    assert more["text"].startswith(MORE) and more["topic_label"] == "Parcel tracking" and more["similarity"] is None
    assert {row["kind"] for row in chats.get("/v1/messages")["data"]} == {"request", "follow_up"}
    assert len(chats.get("/v1/messages", kinds="all", limit=1000)["data"]) == ALL
    assert len(chats.get("/v1/messages", topic_id="moves")["data"]) == 9
    unassigned = chats.get("/v1/messages", topic_id="unassigned", kinds="all")["data"]
    assert Counter(row["kind"] for row in unassigned) == {"request": 1, "follow_up": 1}
    told = chats.get("/v1/sessions/c1")["data"]
    assert [row["kind"] for row in told] == ["greeting", "request", "follow_up", "thanks", "request", "thanks"]
    assert [row["topic_id"] for row in told] == [None, "t_parcel", "t_parcel", None, "t_refund", None]


def test_the_map_shows_moves_only_where_they_are_asked_for(chats: Api) -> None:
    folded, everything = chats.get("/v1/topics/map"), chats.get("/v1/topics/map", kinds="all")
    assert not [text for text in folded["text"] if text.startswith((HI, OK))]
    assert sum(folded["size"]) == folded["n_texts"] == ALL - 9
    assert everything["n_texts"] == ALL
    places = dict(zip(folded["text"], folded["topic_id"], strict=True))
    assert places[f"{MORE} My order is 02."] == "t_parcel"


def test_a_kind_that_no_message_has_is_404_and_a_made_up_choice_is_refused(chats: Api) -> None:
    assert chats.get("/v1/topics/goodbye", status=404)["field"] == "topic_id"
    assert chats.get("/v1/topics/thanks")["size"] == 6
    assert chats.get("/v1/topics", kinds="some", status=400)["code"] == "INVALID_REQUEST"


def test_the_export_has_every_message_with_its_kind(chats: Api, tmp_path: Path) -> None:
    rows = rows_of(Library(chats.lake).snapshot("shop"), "messages", None)
    assert rows.height == ALL
    kinds = dict(rows["kind"].value_counts().iter_rows())
    assert kinds == {"request": 8, "follow_up": 3, **MOVES}
