"""The SQL that the API shows counts what the API answers, number by number, under every filter, level and edit."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import polars as pl
import pytest
from fastapi.testclient import TestClient

from tests.duck import Rows, Run, run_sql
from tests.read.conftest import CHATS, SESSIONS, Api, read_app, write_lake
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FRICTION, JOURNEY_STEPS, TOPIC_EDITS
from turret_pipeline.semantics.friction import SIGNS

__all__ = ["run_sql"]

SAID = SESSIONS | CHATS | {f"more {n}": SESSIONS["s/4"] + CHATS["c1"] for n in range(3)}
HOUR = dt.timedelta(hours=1)
EDITED_AT = dt.datetime(2026, 3, 20, tzinfo=dt.UTC)


def edits(*rows: tuple[str, str, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"project_id": "shop", "field": "prompt", "topic_id": topic, "action": action, "value": value}
            | {"decided_at": EDITED_AT + n * HOUR}
            for n, (topic, action, value) in enumerate(rows)
        ],
        schema=TOPIC_EDITS.schema,
    )


EDITS = {
    "none": [],
    "renamed and hidden": [("t_refund", "rename", 'Money\'s "back"'), ("t_card", "hide", "true")],
    "merged": [("t_refund", "merge", "t_card"), ("t_card", "merge", "t_parcel"), ("t_parcel", "rename", "All")],
    "a ring, and one taken back": [
        ("t_refund", "merge", "t_parcel"),
        ("t_parcel", "merge", "t_refund"),
        ("t_card", "merge", "t_parcel"),
        ("t_card", "merge", None),
    ],
}


def with_friction(lake: Lake) -> None:
    steps = store.read(lake, JOURNEY_STEPS, "shop").sort("session_id", "place")
    rows = [
        {**{name: row.get(name) for name in FRICTION.schema}, "sign": sign, "strength": 0.75}
        | {"evidence_place": row["place"] - 1 if row["place"] else None}
        for n, row in enumerate(steps.iter_rows(named=True))
        for sign in {0: SIGNS[n % 7 : n % 7 + 1], 1: SIGNS[n % 5 : n % 5 + 2]}.get(n % 4, ())
    ]
    store.replace(lake, FRICTION, pl.DataFrame(rows, schema=FRICTION.schema), "shop")


@pytest.fixture(scope="module")
def apis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Api]]:
    """The API over a lake with friction and with one of `EDITS`, each written once."""
    with contextlib.ExitStack() as opened:

        @cache
        def with_edits(name: str) -> Api:
            lake = Lake(str(tmp_path_factory.mktemp("sql") / "a lake, isn't it"))
            write_lake(lake, "shop", SAID)
            write_lake(lake, "other", SESSIONS)
            with_friction(lake)
            if EDITS[name]:
                store.replace(lake, TOPIC_EDITS, edits(*EDITS[name]), "shop")
            return Api(lake, opened.enter_context(TestClient(read_app(lake))))

        yield with_edits


@pytest.fixture
def edited(request: pytest.FixtureRequest, apis: Callable[[str], Api]) -> Api:
    return apis(request.param)


FILTERS: dict[str, dict[str, Any]] = {
    "all": {},
    "moves too": {"kinds": "all"},
    "themes": {"level": 1},
    "a segment": {"segment.plan": "pro"},
    "a name": {"name": "chat", "level": 1},
    "a time, moves too": {"from": "2026-03-03T00:00:00Z", "to": "2026-03-09T23:54:00+02:00", "kinds": "all"},
    "a range": {"segment.tokens": ["10..30", "..3", "52"]},
    "nothing": {"segment.plan": "enter' OR 1=1 --"},
}

CASES = [
    *(("none", name) for name in FILTERS),
    ("renamed and hidden", "moves too"),
    ("merged", "all"),
    ("merged", "themes"),
    ("a ring, and one taken back", "all"),
]
each_case = pytest.mark.parametrize(("edited", "filters"), CASES, indirect=["edited"])
"""Every filter without edits, and each set of edits with filters that it meets."""


def statements(api: Api, path: str, **asked: Any) -> str:
    answer = api.client.get(path, params={**asked, "format": "sql"}, headers={"X-API-Key": "shop:read"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    return answer.text


def at(answer: Any, name: str) -> Any:
    for part in name.split("."):
        answer = answer[part]
    return answer


def plain(value: Any) -> Any:
    """A value of DuckDB's as JSON has it."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC)
    if isinstance(value, dt.date):
        return value.isoformat()
    return value


def same(told: Any, counted: Any) -> bool:
    counted = plain(counted)
    if isinstance(counted, dt.datetime):
        return dt.datetime.fromisoformat(told) == counted
    if isinstance(told, float) or isinstance(counted, float):
        return told == pytest.approx(counted, rel=1e-9, abs=1e-12)
    return told == counted


def check_rows(told: Rows, counted: Rows, left_out: set[str] = frozenset()) -> None:
    """Every number and word of the answer's rows is in the SQL's, but for those `left_out`, in the same order."""
    assert len(told) == len(counted)
    for answer, row in zip(told, counted, strict=True):
        assert set(answer) == set(row) | left_out
        for name, value in row.items():
            assert same(answer[name], value), (name, answer, row)


def check_totals(answer: dict[str, Any], rows: Rows) -> None:
    (row,) = rows
    for name, value in row.items():
        assert same(at(answer, name), value), (name, at(answer, name), value)


LISTS = (
    "/v1/journeys/starts",
    "/v1/journeys/drop-offs",
    "/v1/journeys/loops?limit=1",
    "/v1/journeys/loops",
    "/v1/journeys/paths",
    "/v1/journeys/paths?topic_id=t_parcel&depth=2&limit=3",
    "/v1/journeys/paths?topic_id=end&direction=to&depth=4",
    "/v1/journeys/paths?topic_id=unassigned&direction=to",
    "/v1/journeys/funnel?steps=t_parcel,t_refund",
    "/v1/journeys/funnel?steps=t_parcel,t_refund,t_parcel&within_s=150",
    "/v1/journeys/funnel?steps=t_card,theme_shop,nothing",
)


def asked_of(path: str, filters: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    path, _, query = path.partition("?")
    has_level = path != "/v1/messages" and not path.startswith("/v1/topics/")
    mine = {name: value for name, value in filters.items() if name != "level" or has_level}
    return path, mine | dict(each.split("=") for each in query.split("&") if each)


def asked_both(api: Api, run_sql: Run, path: str, filters: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Rows]]:
    """What the API answers, and what its SQL gives."""
    address, asked = asked_of(path, filters)
    return api.get(address, **asked), run_sql(statements(api, address, **asked))


@each_case
def test_lists_about_journeys(edited: Api, run_sql: Run, filters: str) -> None:
    for path in LISTS:
        answer, parts = asked_both(edited, run_sql, path, FILTERS[filters])
        check_rows(answer["data"], parts["data"])
        check_totals(answer, parts["totals"])


@each_case
def test_the_graph_of_journeys(edited: Api, run_sql: Run, filters: str) -> None:
    for path in ("/v1/journeys?number=tokens", "/v1/journeys?number=tokens&limit=3"):
        answer, parts = asked_both(edited, run_sql, path, FILTERS[filters])
        check_rows(answer["edges"], parts["edges"], {"number"})
        check_rows(answer["nodes"], parts["nodes"], {"kind"})
        check_totals(answer, parts["totals"])
        numbers = {(row["from"], row["to"]): row for row in parts["numbers"]}
        for edge in answer["edges"]:
            check_numbers(edge["number"], numbers[edge["from"], edge["to"]])


def check_numbers(told: dict[str, Any], row: dict[str, Any]) -> None:
    for name in ("count", "n_none", "min", "max", "mean"):
        assert same(told[name], row[name]), (name, told, row)
    for share, value in (told["quantiles"] or {}).items():
        assert same(value, row[f"quantiles.{share}"])


OF_TOPIC = {"trend", "lineage"}


def check_days(told: list[dict[str, Any]], counted: Rows) -> None:
    """The days of the answer that have messages are the SQL's."""
    shown = {
        (row["topic_id"], day["date"]): day["count"] for row in told for day in row["trend"]["days"] if day["count"]
    }
    there = {row["topic_id"] for row in told}
    assert shown == {(row["topic_id"], str(row["date"])): row["count"] for row in counted if row["topic_id"] in there}


@each_case
def test_topics(edited: Api, run_sql: Run, filters: str) -> None:
    answer, parts = asked_both(edited, run_sql, "/v1/topics", FILTERS[filters])
    check_rows(answer["data"], parts["data"], OF_TOPIC)
    check_rows(answer["hidden"], parts["hidden"])
    check_rows(answer["messages_per_day"], parts["messages_per_day"])
    check_totals(answer, parts["totals"])
    check_days(answer["data"], parts["trend.days"])


@each_case
def test_one_topic(edited: Api, run_sql: Run, filters: str) -> None:
    for name in ("t_parcel", "t_refund", "theme_shop", "thanks"):
        answer, parts = asked_both(edited, run_sql, f"/v1/topics/{name}", FILTERS[filters])
        check_totals(answer, parts["topic"])
        check_days([answer], parts["trend.days"])
        for part in ("series", "neighbours", "before", "after"):
            check_rows(answer[part], parts[part])
        flat = [{"field": each["field"], **row} for each in answer["segments"] for row in each["values"]]
        check_rows(flat, parts["segments"])
        without = {row["field"]: row["n_none"] for row in parts["segments.n_none"]}
        assert all(each["n_none"] == without.get(each["field"], 0) for each in answer["segments"])
        assert [each["field"] for each in answer["numbers"]] == [row["field"] for row in parts["numbers"]]
        for told, row in zip(answer["numbers"], parts["numbers"], strict=True):
            check_numbers(told, row)
            assert same(told["mean_of_all"], row["mean_of_all"])
            check_rows(
                [{"field": told["field"], **each} for each in told["bins"]],
                [each for each in parts["numbers.bins"] if each["field"] == told["field"]],
            )


@each_case
def test_messages(edited: Api, run_sql: Run, filters: str) -> None:
    paths = [
        "/v1/messages?limit=7",
        *(f"/v1/messages?topic_id={name}" for name in ("t_refund", "unassigned", "moves", "thanks")),
    ]
    for path in paths:
        answer, parts = asked_both(edited, run_sql, path, FILTERS[filters])
        check_rows(answer["data"], parts["data"], {"frames"})
    cursor = edited.get("/v1/messages", limit=7)["next"]
    answer, parts = asked_both(edited, run_sql, f"/v1/messages?limit=5&cursor={cursor}", {})
    assert len(answer["data"]) == 5
    check_rows(answer["data"], parts["data"], {"frames"})


@each_case
def test_the_map(edited: Api, run_sql: Run, filters: str) -> None:
    for path in ("/v1/topics/map", "/v1/topics/map?limit=4"):
        answer, parts = asked_both(edited, run_sql, path, FILTERS[filters])
        columns = ("x", "y", "topic_id", "text", "size")
        check_rows(
            [dict(zip(columns, row, strict=True)) for row in zip(*(answer[name] for name in columns), strict=True)],
            parts["data"],
        )
        assert answer["n_texts"] == (parts["totals"][0]["n_texts"] if answer["x"] else 0)


@pytest.mark.parametrize("edited", ["none", "merged"], indirect=True)
def test_events_fields_edits_and_fits(edited: Api, run_sql: Run) -> None:
    answer, parts = asked_both(edited, run_sql, "/v1/events", {})
    check_rows(answer["data"], parts["data"])
    check_rows(answer["received_per_day"], parts["received_per_day"])
    check_totals(answer, parts["totals"])
    answer, parts = asked_both(edited, run_sql, "/v1/fields", {})
    texts = ("examples", "values", "quantiles", "bins")
    rows = [row | {name: row[name] and json.loads(row[name]) for name in texts} for row in parts["data"]]
    check_rows(answer["data"], rows, {"failure"})
    for path in ("/v1/fields/history?field=prompt", "/v1/topics/edits?limit=2", "/v1/topics/fits"):
        answer, parts = asked_both(edited, run_sql, path, {})
        check_rows(answer["data"], parts["data"])
