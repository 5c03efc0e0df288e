"""The SQL that the API shows counts what the API answers, number by number, under every filter, level and edit."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fastapi.testclient import TestClient

from tests.duck import Rows, Run, put_delta, run_sql
from tests.read.conftest import CHATS, SESSIONS, Api, read_app, write_lake
from turret_api.read.engine.question import Question
from turret_api.read.http.questions import JOURNEYS, READ
from turret_api.read.questions.of_field import OfField
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    ANSWERS,
    EVENTS,
    FIELD_OUTCOMES,
    FIELD_TYPES,
    FRICTION,
    JOURNEY_STEPS,
    TOPIC_EDITS,
)
from turret_pipeline.semantics.friction import SIGNS

__all__ = ["run_sql"]

SAID = SESSIONS | CHATS | {f"more {n}": SESSIONS["s/4"] + CHATS["c1"] for n in range(10)}
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


def with_outcomes(lake: Lake) -> None:
    rows = [
        {"project_id": "shop", "field": "plan", "decided_at": EDITED_AT, "better": None, "good": ["pro"]},
        {"project_id": "shop", "field": "tokens", "decided_at": EDITED_AT, "better": "lower", "good": None},
    ]
    store.replace(lake, FIELD_OUTCOMES, pl.DataFrame(rows, schema=FIELD_OUTCOMES.schema), "shop")


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
            with_outcomes(lake)
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
    *(("none", name) for name in ("all", "a name", "a time, moves too", "a range", "nothing")),
    ("renamed and hidden", "moves too"),
    ("merged", "themes"),
    ("a ring, and one taken back", "all"),
]
each_case = pytest.mark.parametrize(("edited", "filters"), CASES, indirect=["edited"])
"""Filters without edits, and each set of edits with one that it meets."""


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


NOT_YET = {
    *("users", "n_users", "n_sessions", "share_of_users", "share_of_users_low", "share_of_users_high"),
    *("sentiment", "n_positive", "n_neutral", "n_negative", "answer", "answer_kind", "answer_is_repeated"),
}
"""Columns that the SQL of some lists does not have yet: users beside messages, sentiment, and answers."""


def check_rows(told: Rows, counted: Rows, left_out: set[str] = frozenset()) -> None:
    """Every number and word of the answer's rows is in the SQL's, but for those `left_out`, in the same order."""
    assert len(told) == len(counted)
    for answer, row in zip(told, counted, strict=True):
        assert set(answer) == set(row) | left_out | (NOT_YET & set(answer))
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
    "/v1/journeys/loops?unit=users",
    "/v1/journeys/paths",
    "/v1/journeys/paths?topic_id=t_parcel&depth=2&limit=3",
    "/v1/journeys/paths?topic_id=end&direction=to&depth=4",
    "/v1/journeys/paths?topic_id=unassigned&direction=to",
    "/v1/journeys/funnel?steps=t_parcel,t_refund",
    "/v1/journeys/funnel?steps=t_parcel,t_refund,t_parcel&within_s=150",
    "/v1/journeys/funnel?steps=t_card,theme_shop,nothing",
    "/v1/journeys/funnel?steps=t_parcel,t_refund,t_card&unit=users",
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
        check_rows(answer["edges"], parts["edges"], {"number", "share"})
        check_rows(answer["nodes"], parts["nodes"], {"kind", "sessions"})
        check_totals(answer, parts["totals"])
        numbers = {(row["from"], row["to"]): row for row in parts["numbers"]}
        for edge in answer["edges"]:
            check_numbers(edge["number"], numbers[edge["from"], edge["to"]])


def check_numbers(told: dict[str, Any], row: dict[str, Any]) -> None:
    for name in ("count", "n_none", "min", "max", "mean"):
        assert same(told[name], row[name]), (name, told, row)
    for share, value in (told["quantiles"] or {}).items():
        assert same(value, row[f"quantiles.{share}"])


OF_TOPIC = {"trend", "lineage", "number"}


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
    check_rows(answer["per_day"], parts["per_day"])
    check_totals(answer, parts["totals"])
    check_days(answer["data"], parts["trend.days"])
    answer, parts = asked_both(edited, run_sql, "/v1/topics?number=tokens", FILTERS[filters])
    sums = {row.pop("topic_id"): row for row in parts["number"]}
    nothing = {"sum": 0, "mean": None, "median": None, "n": 0}
    for told, counted in [
        (answer["number"]["all"], sums[None]),
        (answer["number"]["unassigned"], sums.get("unassigned", nothing)),
        *((row["number"], sums.get(row["topic_id"], nothing)) for row in answer["data"]),
    ]:
        check_rows([told], [counted])


@each_case
def test_topics_in_sessions_and_users(edited: Api, run_sql: Run, filters: str) -> None:
    for unit in ("sessions", "users"):
        answer, parts = asked_both(edited, run_sql, f"/v1/topics?unit={unit}", FILTERS[filters])
        check_rows(answer["data"], parts["data"], OF_TOPIC)
        check_rows(answer["per_day"], parts["per_day"])
        check_totals(answer, parts["totals"])
        check_days(answer["data"], parts["trend.days"])


@each_case
def test_one_topic(edited: Api, run_sql: Run, filters: str) -> None:
    for name in ("t_parcel", "t_refund?unit=sessions", "theme_shop?unit=users", "thanks"):
        answer, parts = asked_both(edited, run_sql, f"/v1/topics/{name}", FILTERS[filters])
        check_totals(answer, parts["topic"])
        check_days([answer], parts["trend.days"])
        for part in ("series", "neighbours", "before", "after"):
            check_rows(answer[part], parts[part])
        for part, ends in (("data", {"low", "high"}), ("days", {"low", "high"})):
            check_rows(answer["mood"][part], parts[f"mood.{part}"], ends)
        flat = [{"field": each["field"], **row} for each in answer["segments"] for row in each["values"]]
        check_rows(flat, parts["segments"])
        without = {row["field"]: row["n_none"] for row in parts["segments.n_none"]}
        assert all(each["n_none"] == without.get(each["field"], 0) for each in answer["segments"])
        assert [each["field"] for each in answer["numbers"]] == [row["field"] for row in parts["numbers"]]
        for told, row in zip(answer["numbers"], parts["numbers"], strict=True):
            check_numbers(told, row)
            assert same(told["mean_of_all"], row["mean_of_all"]) and same(told["sum"], row["sum"])
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
    check_rows(answer["data"], rows, {"failure", "outcome"})
    for path in ("/v1/fields/history?field=prompt", "/v1/topics/edits?limit=2", "/v1/topics/fits"):
        answer, parts = asked_both(edited, run_sql, path, {})
        check_rows(answer["data"], parts["data"])


SHARES = {f"share_of_{unit}_{end}" for unit in ("messages", "sessions") for end in ("low", "high")}


@each_case
def test_friction(edited: Api, run_sql: Run, filters: str) -> None:
    for path in ("/v1/friction", "/v1/friction?limit=2"):
        answer, parts = asked_both(edited, run_sql, path, FILTERS[filters])
        check_rows(answer["data"], parts["data"], SHARES)
        check_rows(answer["topics"], parts["topics"], {"low", "high"})
        check_rows(answer["moves"], parts["moves"], {"low", "high"})
        check_totals(answer, parts["totals"])


@each_case
def test_returns(edited: Api, run_sql: Run, filters: str) -> None:
    for unit in ("messages", "users"):
        answer, parts = asked_both(edited, run_sql, f"/v1/journeys/returns?unit={unit}", FILTERS[filters])
        for part in ("data", "topics", "intervals"):
            check_rows(answer[part], parts[part])
        check_totals(answer, parts["totals"])
        (quantiles,) = parts["interval_quantiles_s"]
        assert set(quantiles) == set(answer["interval_quantiles_s"])
        assert all(same(answer["interval_quantiles_s"][share], value) for share, value in quantiles.items())


TESTED = {"low", "high", "p_value", "q_value", "gap_low_s", "gap_high_s", "gap_p_value", "gap_q_value"}


@each_case
def test_two_segments(edited: Api, run_sql: Run, filters: str) -> None:
    for sides in ("a.segment.plan=pro&b.segment.plan=free", "a.segment.tokens=..20&b.segment.tokens=10.."):
        answer, parts = asked_both(edited, run_sql, f"/v1/journeys/compare?limit=1000&{sides}", FILTERS[filters])

        def by_edge(rows: Rows) -> Rows:
            return sorted(rows, key=lambda row: (row["from"], row["to"]))

        check_rows(by_edge(answer["data"]), by_edge(parts["data"]), TESTED)
        check_totals(answer, parts["totals"])


@each_case
def test_two_sides_by_topic(edited: Api, run_sql: Run, filters: str) -> None:
    for sides in ("a.segment.plan=pro&b.segment.plan=free", "a.segment.tokens=..20&b.segment.tokens=10.."):
        answer, parts = asked_both(edited, run_sql, f"/v1/topics/compare?limit=1000&{sides}", FILTERS[filters])

        def by_topic(rows: Rows) -> Rows:
            return sorted(rows, key=lambda row: row["topic_id"])

        check_rows(by_topic(answer["data"]), by_topic(parts["data"]), {"low", "high", "p_value", "q_value", "mark"})
        check_totals(answer, parts["totals"])


@each_case
def test_sessions_behind_an_edge(edited: Api, run_sql: Run, filters: str) -> None:
    for asked in (
        "limit=3",
        "from_topic=start&to_topic=t_parcel",
        "from_topic=t_refund",
        "to_topic=end&friction=any",
        "from_topic=t_parcel&to_topic=t_refund&friction=repeated",
        "from_topic=t_parcel&outcome=plan",
        "to_topic=t_refund&friction=any&outcome=tokens",
    ):
        answer, parts = asked_both(edited, run_sql, f"/v1/journeys/sessions?{asked}", FILTERS[filters])
        check_rows(answer["data"], parts["data"])
        check_totals(answer, parts["totals"])


PERIOD = ("period", "n_users", "n_back", "share")


@each_case
def test_retention(edited: Api, run_sql: Run, filters: str) -> None:
    for asked in ("by=day", "by=week&topic_id=t_refund"):
        answer, parts = asked_both(edited, run_sql, f"/v1/retention?{asked}", FILTERS[filters])
        check_totals(answer, parts["totals"])
        check_rows(answer["data"], parts["data"], {"periods"})
        check_rows([{name: row[name] for name in PERIOD} for row in answer["all"]], parts["all"])
        for row in answer["data"]:
            mine = [each for each in parts["data.periods"] if each["topic_id"] == row["topic_id"]]
            ends = {"low", "high", "low_same", "high_same"}
            check_rows([{"topic_id": row["topic_id"], **each} for each in row["periods"]], mine, ends)
        for row in answer["starts"]:
            mine = [each for each in parts["starts"] if str(each["start"]) == row["start"]]
            assert mine[0]["n_users"] == row["n_users"]
            told = [(n, again) for n, again in zip(row["n_back"], row["n_same"], strict=True) if n is not None]
            assert told == [(each["n_back"], each["n_same"]) for each in mine if each["period"]]


def with_answers(lake: Lake) -> None:
    """Every other message has an answer in a field of its own, of one kind or another."""
    steps = store.read(lake, JOURNEY_STEPS, "shop")
    answered = steps.filter(pl.col("place") % 2 == 0).with_columns(field=pl.lit("answer"), kind=pl.lit("request"))
    kinds = ["refused", "apologised", "made_good", "answered"]
    rows = [
        {**{name: row.get(name) for name in ANSWERS.schema}, "field": "prompt", "answer_field": "answer"}
        | {"kind": kinds[n % 4], "sureness": 1.0, "is_repeated": n % 3 == 0}
        for n, row in enumerate(answered.sort("session_id", "place").iter_rows(named=True))
    ]
    store.replace(lake, JOURNEY_STEPS, pl.concat([steps, answered]), "shop")
    store.replace(lake, ANSWERS, pl.DataFrame(rows, schema=ANSWERS.schema), "shop")
    types = store.read(lake, FIELD_TYPES, "shop")
    of_prompt = types.filter(pl.col("field") == "prompt")
    store.replace(lake, FIELD_TYPES, pl.concat([types, of_prompt.with_columns(field=pl.lit("answer"))]), "shop")


@pytest.mark.parametrize("filters", ["all", "moves too", "a segment"])
def test_answers(tmp_path: Path, run_sql: Run, filters: str) -> None:
    lake = Lake(str(tmp_path / "lake"))
    write_lake(lake, "shop", SAID)
    with_answers(lake)
    with TestClient(read_app(lake)) as client:
        api = Api(lake, client)
        answer, parts = asked_both(api, run_sql, "/v1/answers?limit=100", FILTERS[filters])
        assert answer["n_refused"] and answer["n_repeated"] and answer["n_unanswered"]
        check_totals(answer, parts["totals"])
        check_rows(answer["data"], parts["data"], {"answers", "rest", "low", "high"})
        check_rows(answer["answers"], parts["answers"])
        for row in answer["data"]:
            mine = [each for each in parts["data.answers"] if each["topic_id"] == row["topic_id"]]
            assert [(each["topic_id"], each["count"]) for each in row["answers"]] == [
                (each["answer_topic"], each["count"]) for each in mine[:5]
            ]
        for asked in ("answer=unserved", "answer=none&sentiment=negative", "answer=repeated&topic_id=t_parcel"):
            answer, parts = asked_both(api, run_sql, f"/v1/messages?{asked}", FILTERS[filters])
            check_rows(answer["data"], parts["data"], {"frames"})


LEFT_TO_TESTS = {"low", "high", "superiority", "p_value", "q_value", "effect"}


@each_case
def test_outcomes(edited: Api, run_sql: Run, filters: str) -> None:
    for asked in ("outcome=plan", "outcome=tokens", "outcome=tokens&topic_id=t_refund"):
        answer, parts = asked_both(edited, run_sql, f"/v1/outcomes?limit=1000&{asked}", FILTERS[filters])
        check_totals(answer, parts["totals"])

        def by_thing(rows: Rows) -> Rows:
            return sorted(rows, key=lambda row: (row["kind"], *(row[name] or "" for name in THING)))

        check_rows(by_thing(answer["data"]), by_thing(parts["data"]), LEFT_TO_TESTS)


THING = ("topic_id", "from", "to", "sign")


@pytest.mark.parametrize("edited", ["none", "merged"], indirect=True)
def test_one_session(edited: Api, run_sql: Run) -> None:
    for session in ("c1", "c4", "s1", "c2"):
        answer, parts = asked_both(edited, run_sql, f"/v1/sessions/{session}", {})
        check_rows(answer["data"], parts["data"], {"frames", "signs"})
        check_totals(answer, parts["totals"])
        told = [
            {"field": row["field"], "event_id": row["event_id"], **sign}
            for row in answer["data"]
            for sign in row["signs"]
        ]
        check_rows(sorted(told, key=lambda row: (row["event_id"], row["sign"])), parts["data.signs"])


NO_SQL = {"/digest", "/topics/notes", "/topics/{topic_id}/notes"}
"""Routes whose answers have no SQL yet."""


def test_every_answer_has_its_sql() -> None:
    asked = {**READ, **JOURNEYS}
    lacking = {path for path, (_, kind) in asked.items() if kind.queries is Question.queries}
    lacking |= {
        path
        for path, (_, kind) in asked.items()
        if issubclass(kind, OfField) and kind.queries is OfField.queries and kind.queries_of is OfField.queries_of
    }
    assert lacking == NO_SQL


def test_sql_is_of_the_tables_as_they_are_now(api: Api) -> None:
    assert "as_of" in api.get("/v1/topics", format="sql", as_of="2026-03-20T00:00:00Z", status=400)["error"]


def test_what_the_sql_does_not_count_yet_is_refused(api: Api) -> None:
    assert "cohort" in api.get("/v1/topics", format="sql", cohort="topic:t_parcel", status=400)["error"]
    for path in ("/v1/journeys", "/v1/friction"):
        assert "unit" in api.get(path, format="sql", unit="users", status=400)["error"]


def test_what_has_no_answer_has_no_sql(api: Api) -> None:
    api.get("/v1/topics/t_nothing", format="sql", status=404)
    api.get("/v1/journeys", format="sql", field="plan", status=400)
    api.get("/v1/messages", format="sql", q=" ", status=400)


@pytest.mark.parametrize(
    "name", ["it's", 'a "quoted" one', "a/b~1c", "$.x", "0", "naïve 日本", "back\\slash", "--", "%s {}"]
)
def test_any_name_of_a_field_is_a_name_and_no_statement(tmp_path: Path, run_sql: Run, name: str) -> None:
    lake = Lake(str(tmp_path / "lake"))
    write_lake(lake, "shop", SESSIONS)
    events = store.read(lake, EVENTS, "shop")
    sent = [json.dumps(json.loads(text) | {name: name * 2}) for text in events["metadata"][::2]]
    changed = pl.concat([events[::2].with_columns(metadata=pl.Series(sent)), events[1::2]])
    store.replace(lake, EVENTS, changed, "shop")
    with TestClient(read_app(lake)) as client:
        asked = {f"segment.{name}": name * 2}
        answer, parts = asked_both(Api(lake, client), run_sql, "/v1/topics", asked)
    assert answer["n_messages"] == len(sent)
    check_totals(answer, parts["totals"])
    check_rows(answer["data"], parts["data"], OF_TOPIC)


def test_the_example_of_the_docs_runs_as_it_stands(api: Api, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "read.md").read_text()
    found = re.search(r"<!-- run: show the query -->\n```python\n(.*?)```", page, re.DOTALL)
    assert found is not None
    put_delta(tmp_path / ".duckdb" / "extensions")
    (tmp_path / "topics.sql").write_text(statements(api, "/v1/topics"))
    environment = {**os.environ, "HOME": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "-c", found[1]], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    assert "messages_per_day" in told.stdout and "Parcel tracking" in told.stdout
