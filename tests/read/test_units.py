"""Sessions and users beside messages: equal to a plain count over the messages, and cohorts that split all there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fastapi.testclient import TestClient

from tests.read.conftest import CHATS, SESSIONS, THEME, Api, write_lake
from tests.read.reading import read_app
from tests.read.test_friction import edit
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import JOURNEY_STEPS

MANY = {f"{name} {n}": said for n in range(3) for name, said in (SESSIONS | CHATS).items()}
FILTERS: list[dict[str, Any]] = [
    {},
    {"kinds": "all"},
    {"segment.plan": "pro"},
    {"from": "2026-03-06", "to": "2026-03-20"},
    {"cohort": "topic:t_refund"},
    {"cohort": ["!topic:t_refund", "path:start>t_parcel"]},
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The API over a lake of many sessions, some of which change hands halfway."""
    yield from over(tmp_path_factory.mktemp("units"))


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Api]:
    yield from over(tmp_path)


def over(folder: Path) -> Iterator[Api]:
    lake = Lake(str(folder / "a lake"))
    write_lake(lake, "shop", MANY)
    rows = store.read(lake, JOURNEY_STEPS, "shop")
    session = (pl.col("session_id").rank("dense") % 17).clip(upper_bound=12)
    user = pl.when((session == 3) & (pl.col("place") > 1)).then(pl.lit("late")).otherwise("u" + session.cast(pl.String))
    store.replace(lake, JOURNEY_STEPS, rows.with_columns(user_id=user), "shop")
    with TestClient(read_app(lake)) as client:
        yield Api(lake, client)


def messages(api: Api, **filters: Any) -> list[dict[str, Any]]:
    """All messages that pass, oldest first; `topic` as lists of topics have it."""
    found = api.get("/v1/messages", limit=1000, **filters)
    assert found["next"] is None
    rows = sorted(found["data"], key=lambda row: (row["session_id"], row["timestamp"]))
    for row in rows:
        is_move = row["kind"] not in ("request", "follow_up")
        row["topic"] = row["kind"] if is_move else row["topic_id"] or "unassigned"
    return rows


def distinct(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {
        "messages": len(rows),
        "sessions": len({row["session_id"] for row in rows}),
        "users": len({row["user_id"] for row in rows}),
    }


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("unit", ["messages", "sessions", "users"])
def test_topics_count_the_distinct_sessions_and_users_of_their_messages(api: Api, filters: dict, unit: str) -> None:
    rows = messages(api, **filters)
    found = api.get("/v1/topics", unit=unit, **filters)
    of_all = distinct(rows)
    assert {name: found[f"n_{name}"] for name in of_all} == of_all
    assert found["n_with_topic"] == distinct([row for row in rows if row["topic"] != "unassigned"])[unit]
    days = {row["timestamp"][:10] for row in rows}
    per_day = {day: distinct([row for row in rows if row["timestamp"][:10] == day])[unit] for day in days}
    assert {row["date"]: row["count"] for row in found["per_day"]} == per_day
    assert len(found["data"]) > 1 or filters
    for topic in found["data"]:
        mine = [row for row in rows if row["topic"] == topic["topic_id"]]
        counted = distinct(mine)
        assert (topic["size"], topic["n_sessions"], topic["n_users"]) == tuple(counted.values())
        assert topic["share"] == pytest.approx(counted[unit] / of_all[unit])
        told = {row["date"]: row["count"] for row in topic["trend"]["days"] if row["count"]}
        its_days = {row["timestamp"][:10] for row in mine}
        assert told == {day: distinct([row for row in mine if row["timestamp"][:10] == day])[unit] for day in its_days}
    sizes = [{"messages": row["size"]}.get(unit, row.get(f"n_{unit}")) for row in found["data"]]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("filters", FILTERS)
def test_what_counts_messages_does_not_change_with_the_unit(api: Api, filters: dict) -> None:
    by_unit = [api.get("/v1/topics", unit=unit, **filters) for unit in ("messages", "sessions", "users")]
    for name in ("n_messages", "n_moves", "n_unassigned", "n_hidden", "messages_per_day"):
        assert by_unit[0][name] == by_unit[1][name] == by_unit[2][name]
    assert api.get("/v1/topics", **filters) == by_unit[0]


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("unit", ["sessions", "users"])
def test_a_topic_tells_its_days_and_segments_in_the_unit(api: Api, filters: dict, unit: str) -> None:
    rows = messages(api, **filters)
    found = api.get("/v1/topics/t_parcel", unit=unit, **filters)
    plan = {row["event_id"]: "pro" if int(row["text"].split()[-1][:-2] or 0) % 2 else "free" for row in rows}
    mine = [row for row in rows if row["topic"] == "t_parcel"]
    for day in found["series"]:
        that_day = [row for row in rows if row["timestamp"][:10] == day["date"]]
        size = distinct([row for row in that_day if row["topic"] == "t_parcel"])[unit]
        assert day["size"] == size
        assert day["share"] == pytest.approx(size / distinct(that_day)[unit])
    segment = next((each for each in found["segments"] if each["field"] == "plan"), None)
    if not rows:
        return
    assert segment is not None
    for value in segment["values"]:
        of_value = [row for row in mine if plan[row["event_id"]] == value["value"]]
        assert value["size"] == distinct(of_value)[unit]
        assert value["share"] == pytest.approx(distinct(of_value)[unit] / max(distinct(mine)[unit], 1))


def walks(rows: list[dict[str, Any]]) -> list[tuple[str, str, list[str]]]:
    """By session: its id, its user, and its visits by the words of the contract; `rows` have moves too."""
    sessions: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        sessions.setdefault(row["session_id"], []).append(row)
    found = []
    for name, said in sessions.items():
        found.append((name, said[0]["user_id"], [node for node, _ in groupby(walked(said))]))
    return found


def walked(said: list[dict[str, Any]]) -> list[str]:
    """The node of each message of a session: a move of conversation has that of the message before it, or after."""
    nodes = [row["topic"] if row["kind"] in ("request", "follow_up") else None for row in said]
    here = next((node for node in nodes if node), "moves")
    return [here := node or here for node in nodes]


def first_users(api: Api) -> dict[str, str]:
    """The user of each session's first message, whatever the filters."""
    return {name: user for name, user, _ in walks(messages(api, kinds="all"))}


@pytest.mark.parametrize("filters", [each for each in FILTERS if "kinds" not in each])
@pytest.mark.parametrize("unit", ["sessions", "users"])
def test_edges_and_ends_count_the_sessions_and_users_that_move_so(api: Api, filters: dict, unit: str) -> None:
    users = first_users(api)
    went = [
        (name, users[name], ["start", *visits, "end"])
        for name, _, visits in walks(messages(api, kinds="all", **filters))
    ]
    graph = api.get("/v1/journeys", unit=unit, **filters)
    place = ("sessions", "users").index(unit)
    for edge in graph["edges"]:
        movers = [one for one in went if (edge["from"], edge["to"]) in pairwise(one[2])]
        visitors = {one[place] for one in went if edge["from"] in one[2]}
        assert (edge["sessions"], edge["users"]) == (len(movers), len({one[1] for one in movers}))
        assert edge["share"] == pytest.approx(len({one[place] for one in movers}) / len(visitors))
    assert graph["n_users"] == len({one[1] for one in went})
    for node in graph["nodes"]:
        there = [one for one in went if node["topic_id"] in one[2]]
        assert (node["sessions"], node["users"]) == (len(there), len({one[1] for one in there}))
    for route, end in (("starts", 1), ("drop-offs", -2)):
        found = api.get(f"/v1/journeys/{route}", unit=unit, **filters)
        for row in found["data"]:
            those = [one for one in went if one[2][end] == row["topic_id"]]
            assert row["sessions"] == len(those)
            n = len({one[place] for one in those})
            assert row["share"] == pytest.approx(n / len({one[place] for one in went}))


@pytest.mark.parametrize("topic_id", ["start", "t_parcel", "end"])
@pytest.mark.parametrize("filters", [each for each in FILTERS if "kinds" not in each])
def test_paths_of_a_unit_count_each_session_or_user_once(api: Api, topic_id: str, filters: dict) -> None:
    users = first_users(api)
    direction = "to" if topic_id == "end" else "from"
    went = [
        (name, users[name])
        for name, _, visits in walks(messages(api, kinds="all", **filters))
        if topic_id in ("start", "end") or topic_id in visits
    ]
    for place, unit in enumerate(("sessions", "users")):
        found = api.get("/v1/journeys/paths", topic_id=topic_id, direction=direction, unit=unit, limit=1000, **filters)
        assert found["n_paths"] == len({one[place] for one in went})
        assert sum(path["count"] for path in found["data"]) == found["n_paths"]


def gets_to(visits: list[str], steps: list[str]) -> int:
    """How many of `steps` the visits go through in order."""
    n = 0
    for visit in visits:
        n += n < len(steps) and visit == steps[n]
    return n


@pytest.mark.parametrize("filters", [each for each in FILTERS if "kinds" not in each])
def test_loops_and_funnels_count_the_sessions_and_users_that_go_so(api: Api, filters: dict) -> None:
    users = first_users(api)
    went = [(name, users[name], visits) for name, _, visits in walks(messages(api, kinds="all", **filters))]
    loops: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for name, user, visits in went:
        for a, b, c in zip(visits, visits[1:], visits[2:], strict=False):
            if a == c:
                loops.setdefault(tuple(sorted((a, b))), []).append((name, user))
    steps = ["t_parcel", "t_refund", "t_parcel"]
    reached = [[one for one in went if gets_to(one[2], steps) > n] for n in range(3)]
    for place, unit in enumerate(("sessions", "users")):
        found = api.get("/v1/journeys/loops", unit=unit, limit=1000, **filters)["data"]
        assert {tuple(row["topics"]): (row["count"], row["sessions"], row["users"]) for row in found} == {
            pair: (len(those), len({one[0] for one in those}), len({one[1] for one in those}))
            for pair, those in loops.items()
        }
        assert [row[unit] for row in found] == sorted((row[unit] for row in found), reverse=True)
        funnel = api.get("/v1/journeys/funnel", steps=",".join(steps), unit=unit, **filters)
        sizes = [len({one[place] for one in those}) for those in reached]
        assert [step[unit] for step in funnel["data"]] == sizes
        assert funnel[f"n_{unit}"] == len({one[place] for one in went})
        for step, n, before in zip(funnel["data"], sizes, [sizes[0], *sizes], strict=False):
            assert step["share_of_first"] == pytest.approx(n / sizes[0] if sizes[0] else 0)
            assert step["share_of_previous"] == pytest.approx(n / before if before else 0)
    assert (loops and sizes[2]) or filters


@pytest.mark.parametrize("filters", [each for each in FILTERS if "kinds" not in each])
def test_returns_in_users_count_who_comes_back(api: Api, filters: dict) -> None:
    users = first_users(api)
    told: dict[str, list[tuple[str, str, str]]] = {}
    by_session = groupby(messages(api, kinds="all", **filters), key=lambda row: row["session_id"])
    for name, rows in by_session:
        said = list(rows)
        topic, _ = Counter(walked(said)).most_common(1)[0]  # of equals the one that came first
        told.setdefault(users[name], []).append((min(row["timestamp"] for row in said), name, topic))
    back = [(user, before[2], after[2]) for user, its in told.items() for before, after in pairwise(sorted(its))]
    found = api.get("/v1/journeys/returns", unit="users", limit=1000, **filters)
    came = {user for user, _, _ in back}
    assert (found["n_users"], found["n_returning_users"], found["n_returns"]) == (len(told), len(came), len(back))
    for row in found["topics"]:
        mine = [user for user, _, topic in back if topic == row["topic_id"]]
        assert (row["returns"], row["users"]) == (len(mine), len(set(mine)))
        assert row["share"] == pytest.approx(len(set(mine)) / max(len(came), 1))
    for row in found["data"]:
        mine = [user for user, *pair in back if pair == [row["from"], row["to"]]]
        assert (row["count"], row["users"]) == (len(mine), len(set(mine)))
    for rows in (found["topics"], found["data"]):
        assert [row["users"] for row in rows] == sorted((row["users"] for row in rows), reverse=True)
    assert sum(row["count"] for row in found["intervals"]) == len(back)
    assert all(row["users"] <= min(row["count"], len(came)) for row in found["intervals"])
    by_returns = api.get("/v1/journeys/returns", limit=1000, **filters)
    lifts = {row["topic_id"]: row["lift"] for row in by_returns["topics"]}
    assert {row["topic_id"]: row["lift"] for row in found["topics"]} == lifts
    if not filters:
        assert max(row["users"] for row in found["topics"]) < max(row["returns"] for row in found["topics"])
        assert sum(row["share"] for row in by_returns["topics"]) == pytest.approx(1)


def users_who(api: Api, path: list[str]) -> set[str]:
    found = set()
    for _, user, visits in walks(messages(api, kinds="all")):
        framed = ["start", *visits, "end"]
        if any(framed[at : at + len(path)] == path for at in range(len(framed))):
            found.add(user)
    return found


COHORTS = [
    "topic:t_card",
    "topic:theme_shop",
    "topic:unassigned",
    "topic:thanks",
    "path:t_parcel>t_refund",
    "path:start>t_card",
    "path:t_refund>t_parcel>end",
    "path:t_parcel>t_refund>t_parcel",
]


@pytest.mark.parametrize("cohort", COHORTS)
@pytest.mark.parametrize("more", [{}, {"kinds": "all"}, {"segment.plan": "pro"}, {"from": "2026-03-12"}])
def test_a_cohort_is_all_messages_of_its_users_and_the_others_are_the_rest(api: Api, cohort: str, more: dict) -> None:
    everything = messages(api, kinds="all")
    kind, _, named = cohort.partition(":")
    if kind == "path":
        users = users_who(api, named.split(">"))
    else:
        has = {"theme_shop": {name for name, theme in THEME.items() if theme}}.get(named, {named})
        users = {row["user_id"] for row in everything if row["topic"] in has}
    assert 0 < len(users) < len({row["user_id"] for row in everything})
    inside, outside = messages(api, cohort=cohort, **more), messages(api, cohort=f"!{cohort}", **more)
    assert {row["event_id"] for row in inside} == {
        r["event_id"] for r in messages(api, **more) if r["user_id"] in users
    }
    assert len(inside) + len(outside) == len(messages(api, **more))
    counts = [api.get("/v1/topics", cohort=each, **more)["n_messages"] for each in (cohort, f"!{cohort}")]
    assert counts == [len(inside), len(outside)]


@pytest.mark.parametrize("filters", [{}, {"cohort": "!topic:thanks"}, {"segment.plan": "pro"}])
def test_the_users_of_a_topic_are_compared_with_all_others(api: Api, filters: dict) -> None:
    rows = messages(api, kinds="all", **filters)
    users = {row["user_id"] for row in messages(api, kinds="all") if row["topic"] == "t_refund"}
    on = [{row["session_id"] for row in rows if (row["user_id"] in users) is is_in} for is_in in (True, False)]
    both = on[0] & on[1]
    said = {name: list(its) for name, its in groupby(rows, key=lambda row: row["session_id"])}
    sides = {"a.cohort": "topic:t_refund", "b.cohort": "!topic:t_refund", "limit": 1000}
    topics, moves = (api.get(f"/v1/{what}/compare", **sides, **filters) for what in ("topics", "journeys"))
    for found in (topics, moves):
        assert found["n_sessions"] == {"a": len(on[0] - both), "b": len(on[1] - both)}
        assert found["n_sessions_in_both"] == len(both)
    assert both or filters
    assert on[0] - both and on[1] - both
    for side, sessions in zip("ab", on, strict=True):
        had = [{row["topic"] for row in said[name]} for name in sessions - both]
        went = [["start", *(node for node, _ in groupby(walked(said[name]))), "end"] for name in sessions - both]
        for row in topics["data"]:
            if row["topic_id"].startswith("t_"):
                assert row[f"{side}_sessions"] == sum(row["topic_id"] in its for its in had)
        for edge in moves["data"]:
            assert edge[f"{side}_sessions"] == sum((edge["from"], edge["to"]) in pairwise(nodes) for nodes in went)
    (refund,) = (row for row in topics["data"] if row["topic_id"] == "t_refund")
    assert refund["a_sessions"] > refund["b_sessions"] == 0


def test_several_cohorts_take_the_users_that_are_in_all(api: Api) -> None:
    both = messages(api, cohort=["topic:t_card", "topic:t_refund"])
    each = [{row["user_id"] for row in messages(api, cohort=f"topic:{topic}")} for topic in ("t_card", "t_refund")]
    assert {row["user_id"] for row in both} == each[0] & each[1] != each[0]


def test_a_merged_topic_makes_the_cohort_of_the_one_that_has_its_messages(own: Api) -> None:
    edit(own, "t_refund", "merge", "t_card")
    merged, target = (messages(own, cohort=f"topic:{topic}") for topic in ("t_refund", "t_card"))
    assert merged == target
    edit(own, "t_card", "hide", "")
    assert messages(own, cohort="topic:t_card") == target


@pytest.mark.parametrize("cohort", ["topic:t_absent", "path:t_card>t_absent", "topic:start"])
def test_a_cohort_of_a_topic_that_is_not_there_is_not_found(api: Api, cohort: str) -> None:
    for route in ("topics", "messages", "journeys", "friction", "retention", "topics/t_card", "journeys/returns"):
        assert api.get(f"/v1/{route}", cohort=cohort, status=404)["field"] == "cohort"


@pytest.mark.parametrize(
    "cohort", ["t_card", "path:t_card", "topic:", "user:1", "path:a>>b", "path:" + "a>" * 20 + "a"]
)
def test_what_names_no_cohort_is_refused(api: Api, cohort: str) -> None:
    api.get("/v1/topics", cohort=cohort, status=400)


@pytest.mark.parametrize(("cohort", "status"), [("topic:t_absent", 404), ("t_card", 400)])
def test_a_side_of_no_cohort_is_refused(api: Api, cohort: str, status: int) -> None:
    for what in ("topics", "journeys"):
        api.get(f"/v1/{what}/compare", **{"a.cohort": cohort, "b.cohort": "topic:t_card"}, status=status)
    api.get("/v1/topics/compare", **{"a.cohort": "topic:t_card"}, status=400)


@pytest.mark.parametrize("unit", ["sessions", "users"])
def test_friction_is_told_as_a_share_of_sessions_or_users(api: Api, unit: str) -> None:
    found = api.get("/v1/friction", unit=unit)
    plain = api.get("/v1/friction")
    assert found["data"] == plain["data"]
    rows = messages(api, kinds="all")
    assert (found["n_sessions"], found["n_users"]) == tuple(distinct(rows)[name] for name in ("sessions", "users"))
    of_topic: dict[str, set[str]] = {}
    for name, user, visits in walks(rows):
        for visit in visits:
            of_topic.setdefault(visit, set()).add(name if unit == "sessions" else user)
    assert any(topic["n_with_friction"] for topic in found["topics"])
    for topic in found["topics"]:
        assert topic["low"] <= topic["share"] <= topic["high"]
        if unit == "sessions":
            assert topic["share"] == pytest.approx(topic["n_sessions"] / len(of_topic[topic["topic_id"]]))
