"""Outcomes over the API: marked by people, equal to a plain count over the events, and never of what came after."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from math import comb
from pathlib import Path
from statistics import fmean, median

import polars as pl
import pytest
from fastapi.testclient import TestClient
from scipy.stats import mannwhitneyu

from tests.read.conftest import Api, P, R, over_copy
from tests.read.outcome_shop import fields, mark, patch, write, write_shop
from tests.read.reading import read_app
from turret_api.read.questions.journeys.statistics import LEAST_UNITS
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    EVENTS,
    FIELD_OUTCOMES,
    FIELD_OVERRIDES,
    FRICTION,
    JOURNEY_STEPS,
    TOPIC_EDITS,
)


@pytest.fixture(scope="module")
def lake_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a lake that is never written to again."""
    folder = tmp_path_factory.mktemp("outcomes") / "a lake"
    write_shop(Lake(str(folder)))
    return folder


@pytest.fixture(scope="module")
def read_shop(lake_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """As `shop`, for tests that only mark the field that they ask about."""
    folder = tmp_path_factory.mktemp("outcomes")
    yield from over_copy(lake_folder, folder)


@pytest.fixture
def shop(lake_folder: Path, tmp_path: Path) -> Iterator[Api]:
    yield from over_copy(lake_folder, tmp_path)


def spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def went(api: Api, field: str, better: str | None, good: tuple[str, ...]) -> dict[str, tuple[dt.datetime, float]]:
    """By session: when its last value was sent, and how it went; event by event."""
    events = store.read(api.lake, EVENTS, "shop").sort("timestamp", "received_at", "seq", "event_id")
    values: dict[str, list[tuple[dt.datetime, str]]] = {}
    for row in events.iter_rows(named=True):
        if (value := json.loads(row["metadata"]).get(field)) is not None:
            values.setdefault(row["session_id"], []).append((row["timestamp"], spelled(value)))
    found = {}
    for session, said in values.items():
        how = fmean(float(value) for _, value in said) if better else float(said[-1][1] in good)
        found[session] = (said[-1][0], how)
    return found


Thing = tuple[str, ...]


def things(rows: list[dict], signs: dict[str, set[str]], until: dt.datetime, kinds: str) -> set[Thing]:
    """What one session's messages come to by `until`: topics, moves and signs; message by message."""
    is_request = [kinds == "all" or row["kind"] in ("request", "follow_up") for row in rows]
    nodes = [
        row["topic_id"] or (row["kind"] if row["kind"] not in ("request", "follow_up") else "unassigned")
        if plain
        else None
        for row, plain in zip(rows, is_request, strict=True)
    ]
    for n in range(1, len(nodes)):
        nodes[n] = nodes[n] or nodes[n - 1]
    first = next((node for node in nodes if node), "moves")
    found: set[Thing] = set()
    before = "start"
    for node, row in zip([node or first for node in nodes], rows, strict=True):
        if row["timestamp"] > until:
            break
        found.add(("topic", node))
        if node != before:
            found.add(("move", before, node))
        before = node
        found |= {("sign", sign) for each in signs.get(row["event_id"], ()) for sign in (each, "any")}
    return found


def plain(api: Api, how: dict[str, tuple[dt.datetime, float]], passing: set[str] | None, kinds: str) -> dict:
    """By thing: the values of the sessions that have it, and of the others."""
    signs: dict[str, set[str]] = {}
    for event, sign in store.read(api.lake, FRICTION, "shop").select("event_id", "sign").iter_rows():
        signs.setdefault(event, set()).add(sign)
    steps = store.read(api.lake, JOURNEY_STEPS, "shop").sort("session_id", "place")
    if passing is not None:
        steps = steps.filter(pl.col("event_id").is_in(list(passing)))
    have: dict[str, set[Thing]] = {}
    for (session,), rows in steps.group_by("session_id", maintain_order=True):
        if session in how:
            have[str(session)] = things(rows.to_dicts(), signs, how[str(session)][0], kinds)
    every = set().union(*have.values())
    value = {session: how[session][1] for session in have}
    return {
        each: ([value[s] for s in have if each in have[s]], [value[s] for s in have if each not in have[s]])
        for each in every
    }


def key(row: dict) -> Thing:
    return (row["kind"], *(row[name] for name in ("topic_id", "from", "to", "sign") if row[name] is not None))


MARKS: list[tuple[str, str | None, tuple[str, ...]]] = [
    ("resolved", None, ("true",)),
    ("resolved", None, ("false",)),
    ("thumbs", None, ("up",)),
    ("cost", "lower", ()),
    ("rating", "higher", ()),
]


@pytest.mark.parametrize(("field", "better", "good"), MARKS)
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"kinds": "all"},
        {"segment.plan": "pro"},
        {"from": "2026-03-10T00:00:00Z", "to": "2026-04-04T23:52:00Z"},
        {"name": "chat", "segment.tokens": "..30"},
    ],
    ids=str,
)
def test_every_number_is_that_of_a_plain_count(
    read_shop: Api, field: str, better: str | None, good: tuple[str, ...], asked: dict[str, str]
) -> None:
    mark(read_shop, field, **({"better": better} if better else {"good": list(good)}))
    found = read_shop.get("/v1/outcomes", outcome=field, limit=1000, **asked)
    passing = None
    if set(asked) - {"kinds"}:
        messages = read_shop.get("/v1/messages", **{**asked, "kinds": "all", "limit": 1000})["data"]
        passing = {row["event_id"] for row in messages}
    how = went(read_shop, field, better, good)
    wanted = plain(read_shop, how, passing, asked.get("kinds", "requests"))
    assert {key(row) for row in found["data"]} == set(wanted) and len(found["data"]) == len(wanted)
    centre = median if better else fmean
    for row in found["data"]:
        those, others = wanted[key(row)]
        assert (row["n_with"], row["n_without"]) == (len(those), len(others)), row
        assert row["value_with"] == pytest.approx(centre(those))
        assert row["value_without"] == (pytest.approx(centre(others)) if others else None)
        if not others:
            assert row["difference"] is None and row["p_value"] is None
            continue
        assert row["difference"] == pytest.approx(centre(those) - centre(others))
        pairs = [(a > b) + (a == b) / 2 for a in those for b in others]
        assert row["superiority"] == pytest.approx(fmean(pairs))
        if min(len(those), len(others)) < LEAST_UNITS:
            assert row["p_value"] is None and row["q_value"] is None and row["effect"] is None
        elif better:
            same = mannwhitneyu(those, others, method="asymptotic").pvalue
            assert row["p_value"] == pytest.approx(1.0 if len({*those, *others}) == 1 else same)
        else:
            assert row["p_value"] == pytest.approx(fisher_mid_p(sum(those), len(those), sum(others), len(others)))
    n_sessions = read_shop.get("/v1/friction", **asked)["n_sessions"]
    assert found["n_sessions"] == n_sessions
    assert all(row["n_with"] + row["n_without"] == found["n_with_outcome"] for row in found["data"])
    assert 0 < found["n_with_outcome"] < n_sessions


def fisher_mid_p(k_a: float, n_a: int, k_b: float, n_b: int) -> float:
    total, hits = n_a + n_b, int(k_a + k_b)
    chance = [comb(hits, k) * comb(total - hits, n_a - k) / comb(total, n_a) for k in range(n_a + 1)]
    k = int(k_a)
    return min(1.0, 2 * min(sum(chance[:k]), sum(chance[k + 1 :])) + chance[k])


@pytest.mark.slow
def test_what_comes_after_the_outcome_does_not_precede_it(tmp_path: Path) -> None:
    """Counted by hand: of six sessions P, R three say `resolved` with P, before they come to R."""
    said = {f"s{n}": [P, R] for n in range(6)}
    lake = Lake(str(tmp_path / "a lake"))
    write(lake, said, lambda session, place: {"resolved": session > 1} if place == (session < 3) else {})
    with TestClient(read_app(lake)) as client:
        api = Api(lake, client)
        patch(api, "resolved", {"type": "enum", "outcome": {"good": [True]}})
        found = {key(row): row for row in api.get("/v1/outcomes")["data"]}
    assert set(found) == {
        ("topic", "t_parcel"),
        ("topic", "t_refund"),
        ("move", "start", "t_parcel"),
        ("move", "t_parcel", "t_refund"),
    }
    # Sessions 0, 1, 2 say false, false, true after R; 3, 4, 5 say true before it.
    refund = found["topic", "t_refund"]
    assert (refund["n_with"], refund["n_without"]) == (3, 3)
    assert (refund["value_with"], refund["value_without"]) == (pytest.approx(1 / 3), 1.0)
    assert refund["difference"] == pytest.approx(-2 / 3)
    assert (found["topic", "t_parcel"]["n_with"], found["topic", "t_parcel"]["n_without"]) == (6, 0)


def test_the_family_of_tests_is_all_of_an_answer_and_the_limit_cuts_the_least_sure(shop: Api) -> None:
    mark(shop, "resolved")
    whole = shop.get("/v1/outcomes", limit=1000)
    p = sorted(row["p_value"] for row in whole["data"] if row["p_value"] is not None)
    by_p = {row["p_value"]: row["q_value"] for row in whole["data"]}
    for rank, each in enumerate(p):
        assert by_p[each] == pytest.approx(min(p[n] * len(p) / (n + 1) for n in range(rank, len(p)) if p[n] >= each))
    assert sum(each["n_tested"] for each in whole["counts"]) == len(p)
    assert sum(each["n"] for each in whole["counts"]) == len(whole["data"])
    cut = shop.get("/v1/outcomes", limit=2)
    assert cut["counts"] == whole["counts"] and [cut[name] for name in ("value", "low")] == [
        whole["value"],
        whole["low"],
    ]
    for kind in ("topic", "move", "sign"):
        of_kind = [row for row in whole["data"] if row["kind"] == kind]
        assert [row for row in cut["data"] if row["kind"] == kind] == of_kind[:2]


def test_a_topic_alone_has_the_rows_that_name_it_with_the_same_q(shop: Api) -> None:
    mark(shop, "resolved")
    whole = shop.get("/v1/outcomes", limit=1000)["data"]
    one = shop.get("/v1/outcomes", topic_id="t_refund", limit=1000)["data"]
    assert one == [row for row in whole if "t_refund" in (row["topic_id"], row["from"], row["to"])]
    assert {row["kind"] for row in one} == {"topic", "move"}


def test_merged_hidden_and_themes_count_as_everywhere(shop: Api) -> None:
    mark(shop, "resolved")

    def edit(topic: str, action: str, value: str) -> None:
        row = ("shop", "prompt", topic, action, value, dt.datetime.now(dt.UTC))
        store.append(shop.lake, TOPIC_EDITS, pl.DataFrame([row], schema=TOPIC_EDITS.schema, orient="row"))

    themes = {key(row): row for row in shop.get("/v1/outcomes", level=1)["data"]}
    assert ("topic", "theme_shop") in themes and ("topic", "t_parcel") not in themes
    edit("t_refund", "merge", "t_parcel")
    merged = {key(row): row for row in shop.get("/v1/outcomes")["data"]}
    assert merged["topic", "t_parcel"]["n_with"] == themes["topic", "theme_shop"]["n_with"]
    assert not any("t_refund" in each for each in merged)
    edit("t_card", "hide", "true")
    assert ("topic", "t_card") not in {key(row) for row in shop.get("/v1/outcomes")["data"]}


@pytest.mark.parametrize(("field", "outcome"), [("resolved", {"good": ["true"]}), ("cost", {"better": "lower"})])
def test_the_sessions_of_a_row_are_as_many_as_it_says_and_went_as_it_says(
    read_shop: Api, field: str, outcome: dict[str, object]
) -> None:
    mark(read_shop, field, **outcome)
    for row in read_shop.get("/v1/outcomes", outcome=field, limit=1000)["data"]:
        asked = {
            "topic": {"to_topic": row["topic_id"]},
            "move": {"from_topic": row["from"], "to_topic": row["to"]},
            "sign": {"from_topic": "start", "friction": row["sign"]},
        }[row["kind"]]
        found = read_shop.get("/v1/journeys/sessions", outcome=field, limit=1000, **asked)
        assert found["n_sessions"] == row["n_with"] == len(found["data"]), row
        centre = fmean if field == "resolved" else median
        assert centre(each["outcome"] for each in found["data"]) == pytest.approx(row["value_with"])
    alone = read_shop.get("/v1/journeys/sessions", to_topic="t_parcel")["data"]
    assert {each["outcome"] for each in alone} == {None}


def test_a_mark_shows_at_once_in_the_fields_and_can_be_taken_back(shop: Api) -> None:
    assert {row["outcome"] for row in fields(shop).values()} == {None}
    row = mark(shop, "resolved")
    assert row["outcome"] == {"better": None, "good": ["true"], "problem": None}
    assert fields(shop)["resolved"] == row
    assert patch(shop, "resolved", {"outcome": {"good": [False]}})["outcome"]["good"] == ["false"]
    assert mark(shop, "rating", better="higher")["outcome"] == {"better": "higher", "good": None, "problem": None}
    assert [each["field"] for each in shop.get("/v1/outcomes")["outcomes"]] == ["rating", "resolved"]
    assert patch(shop, "resolved", {"outcome": None})["outcome"] is None
    assert [each["field"] for each in shop.get("/v1/outcomes")["outcomes"]] == ["rating"]
    kept = store.read(shop.lake, FIELD_OUTCOMES, "shop").sort("decided_at")
    assert kept["good"].to_list() == [["true"], ["false"], None, None]


@pytest.mark.slow
def test_a_mark_leaves_the_type_alone_and_a_type_the_mark(shop: Api) -> None:
    patch(shop, "rating", {"type": "enum"})
    row = patch(shop, "rating", {"outcome": {"better": "higher"}})
    assert (row["type"], row["overridden"]) == ("enum", True)
    assert store.read(shop.lake, FIELD_OVERRIDES, "shop").height == 1
    row = patch(shop, "rating", {"type": None})
    assert (row["type"], row["outcome"]["better"]) == ("number", "higher")
    assert store.read(shop.lake, FIELD_OUTCOMES, "shop").height == 1
    both = patch(shop, "rating", {"type": "enum", "outcome": {"good": [4, "5"]}})
    assert (both["type"], both["outcome"]["good"]) == ("enum", ["4", "5"])


@pytest.mark.parametrize(
    ("field", "body", "status", "at"),
    [
        ("absent", {"outcome": {"good": ["x"]}}, 404, "field"),
        ("prompt", {"outcome": {"good": ["x"]}}, 400, "outcome"),
        ("prompt", {"outcome": {"better": "higher"}}, 400, "outcome"),
        ("tags", {"outcome": {"good": ["x"]}}, 400, "outcome"),
        ("thumbs", {"outcome": {"good": ["sideways"]}}, 400, "outcome"),
        ("thumbs", {"outcome": {"good": []}}, 400, "outcome"),
        ("thumbs", {"outcome": {}}, 400, "outcome"),
        ("thumbs", {"outcome": {"better": "higher"}}, 400, "outcome"),
        ("cost", {"outcome": {"good": ["1.5"]}}, 400, "outcome"),
        ("cost", {"outcome": {}}, 400, "outcome"),
        ("cost", {"outcome": {"better": "more"}}, 400, None),
        ("resolved", {"outcome": {"better": "higher", "good": ["true"]}}, 400, "outcome"),
        ("resolved", {"outcome": {"good": ["true"]}, "x": 1}, 400, None),
        ("resolved", {"type": "text", "outcome": {"good": ["true"]}}, 400, "outcome"),
        ("resolved", {}, 400, "type"),
    ],
)
def test_a_mark_that_makes_no_sense_is_refused_and_nothing_is_changed(
    shop: Api, field: str, body: dict, status: int, at: str | None
) -> None:
    answer = patch(shop, field, body, status)
    assert at is None or answer["field"] == at
    assert store.read(shop.lake, FIELD_OUTCOMES, "shop").is_empty()
    assert store.read(shop.lake, FIELD_OVERRIDES, "shop").is_empty()


def test_a_read_key_marks_nothing(shop: Api) -> None:
    assert patch(shop, "resolved", {"outcome": {"good": ["true"]}}, 401, key="shop:read")["code"] == "INVALID_API_KEY"


@pytest.mark.slow
def test_where_nothing_is_marked_the_answer_is_empty_and_says_so(shop: Api) -> None:
    found = shop.get("/v1/outcomes")
    assert (found["data"], found["outcome"], found["outcomes"]) == ([], None, [])
    assert shop.get("/v1/outcomes", outcome="resolved", status=400)["field"] == "outcome"
    assert shop.get("/v1/outcomes", outcome="absent", status=404)["field"] == "outcome"


def test_a_marked_field_of_another_type_says_so_and_another_outcome_is_told_first(shop: Api) -> None:
    mark(shop, "cost", better="lower")
    patch(shop, "cost", {"type": "text"})
    found = shop.get("/v1/outcomes")
    assert found["data"] == [] and "is of type text" in found["outcome"]["problem"]
    assert "is of type text" in fields(shop)["cost"]["outcome"]["problem"]
    assert (
        "is of type text" in shop.get("/v1/journeys/sessions", to_topic="t_card", outcome="cost", status=400)["error"]
    )
    mark(shop, "resolved")
    assert shop.get("/v1/outcomes")["outcome"]["field"] == "resolved"


def test_a_type_that_waits_for_a_build_is_compared_by_at_once(shop: Api) -> None:
    patch(shop, "rating", {"type": "enum", "outcome": {"good": ["4", "5"]}})
    found = shop.get("/v1/outcomes")
    how = went(shop, "rating", None, ("4", "5"))
    assert found["n_with_outcome"] == len(how)
    assert found["value"] == pytest.approx(fmean(value for _, value in how.values()))
    assert found["low"] < found["value"] < found["high"]


@pytest.mark.slow
def test_lower_is_better_turns_effects_around(tmp_path: Path) -> None:
    """200 sessions, of which those that come to R cost twice as much."""
    said = {f"s{n}": [P, R] if n % 2 else [P, P] for n in range(200)}
    lake = Lake(str(tmp_path / "a lake"))
    write(lake, said, lambda session, _: {"cost": 1.25 + 1.25 * (session % 2)})
    with TestClient(read_app(lake)) as client:
        api = Api(lake, client)
        patch(api, "cost", {"type": "number"})
        for better, effect in (("lower", "worse"), ("higher", "better")):
            mark(api, "cost", better=better)
            found = {key(row): row for row in api.get("/v1/outcomes")["data"]}
            assert found["topic", "t_refund"]["effect"] == effect
            assert (found["topic", "t_refund"]["value_with"], found["topic", "t_refund"]["difference"]) == (2.5, 1.25)
            assert found["topic", "t_refund"]["superiority"] == 1.0


def test_the_list_can_be_had_as_a_file(shop: Api) -> None:
    mark(shop, "resolved")
    answer = shop.client.get("/v1/outcomes", params={"format": "csv"}, headers={"X-API-Key": "shop:read"})
    rows = pl.read_csv(answer.content)
    wanted = shop.get("/v1/outcomes")["data"]
    assert rows["n_with"].to_list() == [row["n_with"] for row in wanted]
    assert rows["kind"].to_list() == [row["kind"] for row in wanted]
