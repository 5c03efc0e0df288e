"""Answers add up between any two commits of a build: no answer mixes the steps of now with the counts of before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl
import pytest
from fastapi.testclient import TestClient

from tests.read.conftest import Api
from tests.read.reading import read_app
from tests.small_lake import DAYS, FRAMES, PROJECT, THEMES, bring, event, put
from tests.small_lake import before as before
from tests.small_lake import lake_before as lake_before
from turret_api.read.engine.library import Library
from turret_pipeline.lake import store, sums
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import JOURNEY_EDGES, JOURNEY_STEPS, TOPIC_DAYS, TOPICS, Table
from turret_pipeline.orchestration import erase
from turret_pipeline.stages import STAGE_OF
from turret_pipeline.stages.work import Work

ALL = {"from": "1970-01-01"}
"""A filter that every message passes: under filters the steps are counted."""
UNITS = ("n_sessions", "n_users")
KEYS = ("shop:read", "shop:viewer")


def laws(api: Api, key: str, **filters: object) -> None:
    """Fail where an answer about topics or journeys does not add up, or is of other steps than those under filters."""
    topics, graph = (api.get(f"/v1/{path}", key=key, unit="users", **filters) for path in ("topics", "journeys"))
    n, sizes = topics["n_messages"], [row["size"] for row in topics["data"]]
    assert n == sum(sizes) + topics["n_unassigned"] + topics["n_hidden"]
    assert n == sum(day["count"] for day in topics["messages_per_day"])
    assert all(
        row[name] <= size for row, size in [(topics, n), *zip(topics["data"], sizes, strict=True)] for name in UNITS
    )
    out, into = (Counter[str](), Counter[str]())
    for edge in graph["edges"]:
        assert 0 < edge["users"] <= edge["sessions"] <= edge["count"] and 0 < edge["share"] <= 1
        out[edge["from"]] += edge["count"]
        into[edge["to"]] += edge["count"]
    assert graph["n_sessions"] == out["start"] == into["end"] >= topics["n_sessions"]
    for node in graph["nodes"]:
        name = node["topic_id"]
        assert node["users"] <= node["sessions"] <= node["count"] == (out if name == "start" else into)[name]
        assert name in ("start", "end") or out[name] == into[name]
    assert {node["topic_id"] for node in graph["nodes"]} <= {
        *(row["topic_id"] for row in topics["data"]),
        *("start", "end", "unassigned", "moves", "few"),
    }
    counted, moved = (api.get(f"/v1/{path}", key=key, **(ALL | filters)) for path in ("topics", "journeys"))
    assert {row["topic_id"]: row["size"] for row in counted["data"]} == {
        row["topic_id"]: row["size"] for row in topics["data"] if row["size"]
    }
    assert (counted["n_messages"], moved["n_sessions"]) == (n, graph["n_sessions"])


def add_up(api: Api) -> None:
    for key in KEYS:
        for filters in ({}, {"segment.plan": "free"}, {"kinds": "all"}):
            laws(api, key, **filters)


@contextmanager
def at_each_commit(monkeypatch: pytest.MonkeyPatch, look: Callable[[], object], of: set[str]) -> Iterator[list[str]]:
    """After each commit to one of the tables `of` in the block, `look` is called; yield the tables, as they come."""
    seal, seen = sums.seal_commits, list[str]()

    def sealed(lake: Lake, table: Table, before: int, version: int) -> None:
        seal(lake, table, before, version)
        if table.name in of:
            seen.append(table.name)
            look()

    with monkeypatch.context() as patch:
        patch.setattr(sums, "seal_commits", sealed)
        yield seen


@contextmanager
def opened(lake: Lake) -> Iterator[Api]:
    with TestClient(read_app(lake, few=2)) as client:
        yield Api(lake, client)


@pytest.mark.parametrize("table", ["topic_days", "journey_edges"])
def test_the_first_build_adds_up_before_its_counts_are_there(lake_before: Callable[[str], Lake], table: str) -> None:
    with opened(lake_before(table)) as api:
        laws(api, "shop:read")
        assert api.get("/v1/topics")["n_messages"] == 240 and api.get("/v1/journeys")["n_sessions"] == 48


def test_the_counts_of_a_build_that_is_done_are_of_its_steps(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("topic_days")
    library = Library(lake)
    assert not any(library.snapshot(PROJECT).is_of_steps(table) for table in (TOPIC_DAYS, JOURNEY_EDGES))
    for table in ("topic_days", "journey_moves", "journey_edges"):
        STAGE_OF[table].bring(Work(lake, PROJECT))
    assert all(library.snapshot(PROJECT).is_of_steps(table) for table in (TOPIC_DAYS, JOURNEY_EDGES))


def test_messages_of_a_topic_that_is_there_no_more_count_as_without_a_topic(
    lake_before: Callable[[str], Lake],
) -> None:
    lake = lake_before("end")
    rows = store.read(lake, TOPICS, PROJECT)
    gone = rows.filter(pl.col("level") == 0)["topic_id"][0]
    store.replace(lake, TOPICS, rows.filter(pl.col("topic_id") != gone), PROJECT)
    with opened(lake) as api:
        add_up(api)
        assert gone not in str(api.get("/v1/journeys"))


COUNTED = {"events", "field_types", "messages", "topics", "topic_assignments", "journey_steps", "step_values"}
COUNTED |= {"topic_days", "journey_moves", "journey_edges", "friction", "text_kinds"}


@pytest.mark.slow
def test_new_events_add_up_at_each_commit_of_their_build(
    lake_before: Callable[[str], Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, words = lake_before("end"), [words for theme in THEMES.values() for words in theme]
    rows: list[dict[str, Any]] = [
        event(n, DAYS[2], FRAMES[n % 4].format(words[n % 20], n), session_id=f"s{n % 30 + 20}", user_id=f"u{n % 40}")
        for n in range(240, 300)
    ]
    put(lake, DAYS[2], "c-2", rows)
    with opened(lake) as api, at_each_commit(monkeypatch, lambda: add_up(api), COUNTED) as seen:
        bring(lake)
    assert {"journey_steps", "topic_days", "journey_edges"} <= {*seen}


@pytest.mark.slow
def test_an_erasure_adds_up_at_each_commit_of_its_removal_its_build_and_its_forgetting(
    lake_before: Callable[[str], Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake: Lake = lake_before("end")
    asked = erase.Asked(PROJECT, tuple(erase.Named(f"era_{n}", "user", f"u{n}") for n in range(8)))
    with opened(lake) as api, at_each_commit(monkeypatch, lambda: add_up(api), COUNTED) as seen:
        erase.remove(lake, asked)
        bring(lake)
        erase.forget(lake, asked)
        add_up(api)
        assert api.get("/v1/topics")["n_messages"] == 160
    assert {"events", "messages", "journey_steps", "topic_days", "journey_edges"} <= {*seen}


def test_answers_have_one_state_until_the_messages_change(lake_before: Callable[[str], Lake]) -> None:
    lake = lake_before("end")
    with opened(lake) as api:
        paths = ("topics", "journeys", "journeys/starts", "messages", "friction", "topics/map")

        def states() -> list[str | None]:
            headers = {"X-API-Key": "shop:read"}
            return [api.client.get(f"/v1/{path}", headers=headers).headers.get("State") for path in paths]

        (before,) = {*states()}
        assert before is not None
        assert "State" not in api.client.get("/v1/fields", headers={"X-API-Key": "shop:read"}).headers
        rows = store.read(lake, JOURNEY_STEPS, PROJECT)
        store.replace(lake, JOURNEY_STEPS, rows.filter(pl.col("session_id") != "s1"), PROJECT)
        (after,) = {*states()}
        assert after not in (None, before)
