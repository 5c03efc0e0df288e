"""What a viewer is shown: counts of enough users that add up, and no text of an event."""

from __future__ import annotations

import dataclasses
import datetime as dt
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fastapi.testclient import TestClient
from typing_extensions import is_typeddict

from tests.read.conftest import CHATS, SESSIONS, Api, C, N, P, R, write_lake
from tests.read.reading import read_app
from turret_api.read.engine.question import OF_TEXTS
from turret_api.read.http.questions import JOURNEYS, READ
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FIELD_TYPES, JOURNEY_STEPS, TOPICS

VIEWER = "shop:viewer"
WORD = "zyzzyva"
"""Stands in every id and value that users sent."""
SENT = (WORD, "My order")
"""One of these stands in whatever users sent, and the second in every text."""
RARE = {C: (R, (0,)), N: (P, (0, 1))}
"""Texts that only some sessions have, and what the others have instead."""
MANY = {
    f"{WORD} {name} {n}": [RARE[text][0] if text in RARE and n not in RARE[text][1] else text for text in said]
    for n in range(6)
    for name, said in (SESSIONS | CHATS).items()
}
OPEN = {path: kind for path, (_, kind) in (READ | JOURNEYS).items() if kind.is_open}


def over(folder: Path, few: int) -> Iterator[Api]:
    """The API over a lake of 12 users, some of whom said what nobody else did."""
    lake = Lake(str(folder / "a lake"))
    write_lake(lake, "shop", MANY, n_users=12, per_day=3)
    rows = store.read(lake, JOURNEY_STEPS, "shop")
    rows = rows.with_columns(user_id=pl.format("{} {}", pl.lit(WORD), "user_id"))
    store.replace(lake, JOURNEY_STEPS, rows, "shop")
    topics = store.read(lake, TOPICS, "shop")
    said = pl.concat_list(pl.lit(WORD))
    topics = topics.with_columns(examples=said, keywords=said, summary=pl.lit(WORD))
    store.replace(lake, TOPICS, topics, "shop")
    found = store.read(lake, FIELD_TYPES, "shop")
    valued = pl.col("summary").str.replace_all('"(free|pro)"', f'"{WORD}"')
    store.replace(lake, FIELD_TYPES, found.with_columns(summary=valued, reason=pl.lit(WORD)), "shop")
    with TestClient(read_app(lake, few=few)) as client:
        yield Api(lake, client)


@pytest.fixture(scope="module", params=[0, 5])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    yield from over(tmp_path_factory.mktemp("viewers"), request.param)


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    yield from over(tmp_path_factory.mktemp("five"), 5)


VARIANTS: list[dict[str, Any]] = [
    {},
    {"unit": "users"},
    {"unit": "sessions", "kinds": "all"},
    {"level": 1},
    {"from": "2026-03-05", "to": "2026-03-12"},
    {"segment.plan": "pro"},
    {"name": "chat"},
]


def asked(api: Api, path: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    known = {each["name"] for each in api.client.app.openapi()["paths"][f"/v1{path}"]["get"].get("parameters", [])}  # type: ignore[attr-defined]
    for topic in ("t_parcel", "t_refund", "t_card", "theme_shop", "thanks") if "{topic_id}" in path else ("",):
        for variant in VARIANTS:
            if {key for key in variant if not key.startswith("segment.")} <= known:
                for form in ("json", "csv", "text", "markdown"):
                    yield path.replace("{topic_id}", topic), variant, form


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(OPEN))
def test_no_text_id_or_value_that_users_sent_is_in_any_answer_to_a_viewer(api: Api, path: str) -> None:
    n_answers = 0
    for place, variant, form in asked(api, path):
        answer = api.client.get(f"/v1{place}", params={**variant, "format": form}, headers={"X-API-Key": VIEWER})
        assert answer.status_code in (200, 400, 404), answer.text
        assert not any(word in answer.text for word in SENT), (place, variant, form)
        n_answers += answer.status_code == 200
    assert n_answers


def test_an_analyst_sees_the_texts_that_a_viewer_does_not(five: Api) -> None:
    for path in ("/v1/topics", "/v1/fields", "/v1/topics/t_parcel"):
        assert WORD in str(five.get(path)) and WORD not in str(five.get(path, key=VIEWER))


HARMLESS = {
    *("topic_id", "parent_id", "label", "field", "default_field", "name", "next"),
    *("annotation_id", "text", "author", "view_id", "address", "value", "from", "to"),
}
"""Parts of a viewer's answers that hold texts which are none of an event: ids and labels of topics, names of fields and
events, what the team wrote; and values of enum fields, each of enough users."""


@pytest.mark.parametrize("path", sorted(OPEN))
def test_each_string_of_a_viewers_answer_is_marked_or_known_to_be_harmless(path: str) -> None:
    found = set(strings(OPEN[path].answers, ""))
    assert found <= HARMLESS, f"mark {found - HARMLESS} with OF_TEXTS, or say here why they are harmless"


def strings(hint: Any, name: str) -> Iterator[str]:
    """The names of the parts of an answer's type that hold strings and are not marked."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        if OF_TEXTS not in inside:
            yield from strings(inside[0], name)
    elif origin in (typing.Union, types.UnionType, list, dict):
        for each in inside[-1:] if origin is dict else inside:
            yield from strings(each, name)
    elif dataclasses.is_dataclass(hint) or is_typeddict(hint):
        for part, of in typing.get_type_hints(hint, include_extras=True).items():
            yield from strings(of, part)
    elif origin is typing.ClassVar:
        return
    elif hint in (str, typing.Any, object):
        yield name
    elif origin is not typing.Literal:
        assert hint in (int, float, bool, dt.date, dt.datetime, type(None)), (hint, name)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_a_viewer_is_shown_of_topics_is_of_enough_users_and_adds_up_to_what_an_analyst_sees(
    five: Api, variant: dict[str, Any]
) -> None:
    shown, all_ = (five.get("/v1/topics", key=key, **variant) for key in (VIEWER, "shop:read"))
    for total in ("n_messages", "n_sessions", "n_users"):
        assert shown[total] == all_[total]
    sizes = {row["topic_id"]: row["size"] for row in shown["data"]}
    assert sum(sizes.values()) + shown["n_unassigned"] == shown["n_messages"]
    assert all(row["n_users"] >= 5 for row in shown["data"])
    before = {row["topic_id"]: row["size"] for row in all_["data"]}
    assert all(size == before[name] for name, size in sizes.items() if name != "few")
    assert sum(day["count"] for day in shown["messages_per_day"]) == shown["n_messages"]


def test_a_topic_of_few_users_is_nowhere_but_in_few(five: Api) -> None:
    rows = {row["topic_id"]: row for row in five.get("/v1/topics")["data"]}
    assert rows["t_card"]["n_users"] < 5
    shown = {row["topic_id"]: row for row in five.get("/v1/topics", key=VIEWER)["data"]}
    assert "t_card" not in shown and shown["few"]["label"] == "Few users" and shown["few"]["n_users"] >= 5
    five.get("/v1/topics/t_card", key=VIEWER, status=404)
    for path in ("/v1/journeys", "/v1/journeys/starts", "/v1/journeys/drop-offs", "/v1/digest"):
        assert "t_card" not in str(five.get(path, key=VIEWER))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_graph_of_a_viewer_has_moves_of_enough_users_alone_and_its_flow_adds_up(
    five: Api, variant: dict[str, Any]
) -> None:
    params = {**variant, "unit": "users"}
    shown, all_ = (five.get("/v1/journeys", key=key, **params) for key in (VIEWER, "shop:read"))
    assert shown["n_sessions"] == all_["n_sessions"] and shown["n_users"] == all_["n_users"]
    assert all(edge["users"] >= 5 for edge in shown["edges"]) and all(node["users"] >= 5 for node in shown["nodes"])
    for node in shown["nodes"]:
        out, into = (
            sum(edge["count"] for edge in shown["edges"] if edge[end] == node["topic_id"]) for end in ("from", "to")
        )
        assert node["topic_id"] == "end" or out == node["count"]
        assert node["topic_id"] == "start" or into == node["count"]
    ends = {node["topic_id"]: node["count"] for node in shown["nodes"]}
    assert ends["start"] == ends["end"] == shown["n_sessions"]
    for path, end, other in (("starts", "start", "from"), ("drop-offs", "end", "to")):
        rows = five.get(f"/v1/journeys/{path}", key=VIEWER, **params)["data"]
        told = {row["topic_id"]: (row["sessions"], row["users"]) for row in rows}
        there = "to" if other == "from" else "from"
        assert told == {e[there]: (e["count"], e["users"]) for e in shown["edges"] if e[other] == end}


@pytest.mark.parametrize("variant", VARIANTS[:3])
@pytest.mark.parametrize("topic", ["t_parcel", "t_refund"])
def test_the_segments_days_and_moves_of_a_topic_are_of_enough_users_and_add_up(
    five: Api, topic: str, variant: dict[str, Any]
) -> None:
    shown = five.get(f"/v1/topics/{topic}", key=VIEWER, **variant)
    by_user = five.get(f"/v1/topics/{topic}", key=VIEWER, **{**variant, "unit": "users"})
    for segment, of_users in zip(shown["segments"], by_user["segments"], strict=True):
        if variant.get("unit", "messages") == "messages":
            sizes = [value["size"] for value in segment["values"]]
            assert sum(sizes) + segment["n_rest"] + segment["n_none"] == shown["size"]
        assert all(value["size"] >= 5 for value in of_users["values"])
        assert all(of_users[rest] == 0 or of_users[rest] >= 5 for rest in ("n_rest", "n_none"))
    if "unit" not in variant:
        assert sum(day["size"] for day in shown["series"]) == shown["size"]
    assert all(day["size"] == 0 or day["size"] >= 5 for day in by_user["series"])
    assert all(move["count"] >= 5 for side in ("before", "after") for move in by_user[side])


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("topics", {"from": "2026-03-05T12:00:00"}, "from"),
        ("topics", {"to": "2026-03-05T00:00:01"}, "from"),
        ("topics", {"cohort": "topic:t_card"}, "cohort"),
        ("journeys", {"segment.tokens": "10..11"}, "segment"),
        ("journeys", {"segment.prompt": "Hi"}, "segment"),
        ("topics/t_parcel", {"segment.absent": "1"}, "segment"),
        ("topics", {"number": "tokens"}, "number"),
        ("journeys", {"number": "tokens"}, "number"),
        ("topics", {"as_of": "2026-03-05"}, "as_of"),
        ("topics", {"format": "sql"}, "format"),
    ],
)
def test_a_viewer_cannot_ask_for_what_singles_out_users(
    five: Api, path: str, query: dict[str, str], field: str
) -> None:
    assert five.get(f"/v1/{path}", key=VIEWER, status=400, **query)["field"] == field


@pytest.mark.slow
def test_of_fewer_users_than_that_nothing_is_counted(tmp_path: Path) -> None:
    for api in over(tmp_path, 13):
        shown = api.get("/v1/topics", key=VIEWER)
        assert (shown["n_messages"], shown["n_users"], shown["data"], shown["messages_per_day"]) == (0, 0, [], [])
        graph = api.get("/v1/journeys", key=VIEWER)
        assert (graph["n_sessions"], graph["nodes"], graph["edges"]) == (0, [], [])


@pytest.mark.slow
def test_segments_of_one_to_forty_users_have_as_many_sessions_in_journeys_as_in_topics(tmp_path: Path) -> None:
    said = ([P], [R], [P, R], [P], [R, P], [P, C])  # sometimes no move can be told without those of few users
    sizes = (*range(1, 9), 15, 20, 28, 40)
    of_size = {f"{n}-{user}": said[user * 5 % (1 + n % len(said))] for n in sizes for user in range(n)}
    write_lake(lake := Lake(str(tmp_path / "a lake")), "shop", of_size, n_users=len(of_size), per_day=50)
    rows = store.read(lake, JOURNEY_STEPS, "shop").with_columns(name=pl.col("session_id").str.split("-").list.first())
    store.replace(lake, JOURNEY_STEPS, rows, "shop")
    with TestClient(read_app(lake)) as client:
        for n in sizes:
            topics, graph = (
                Api(lake, client).get(f"/v1/{path}", key=VIEWER, name=n) for path in ("topics", "journeys")
            )
            assert topics["n_sessions"] == topics["n_users"] == graph["n_sessions"] == (n if n >= 5 else 0)
            assert sum(edge["count"] for edge in graph["edges"] if edge["from"] == "start") == graph["n_sessions"]


@pytest.mark.slow
def test_a_session_without_user_ids_counts_as_one_user_however_many_messages_it_has(tmp_path: Path) -> None:
    for api in over(tmp_path, 5):
        rows = store.read(api.lake, JOURNEY_STEPS, "shop")
        made = pl.format("usr_{}", pl.col("event_id").hash(1).cast(pl.String).str.pad_start(30, "0"))
        store.replace(api.lake, JOURNEY_STEPS, rows.with_columns(user_id=made), "shop")
        with TestClient(read_app(api.lake)) as client:
            anonymous = Api(api.lake, client)
            users = {row["topic_id"]: row["n_users"] for row in anonymous.get("/v1/topics")["data"]}
            assert users["t_card"] == 6  # of four sessions
            assert "t_card" not in {row["topic_id"] for row in anonymous.get("/v1/topics", key=VIEWER)["data"]}


def test_a_viewer_sees_the_saved_views_whose_addresses_hold_nothing_that_users_sent(own_api: Api) -> None:
    addresses = {
        "Plain": "/topics?from=2026-03-01&unit=users",
        "A search": "/topics?q=my+parcel",
        "A value": "/journeys?segment.plan=pro",
        "A session": "/sessions/s1",
    }
    for name, address in addresses.items():
        body = {"name": name, "address": address}
        assert own_api.client.post("/v1/views", json=body, headers={"X-API-Key": "shop:admin"}).status_code == 200
    assert [view["name"] for view in own_api.get("/v1/views", key=VIEWER)["data"]] == ["Plain"]
    assert len(own_api.get("/v1/views")["data"]) == 4
