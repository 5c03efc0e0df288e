"""Friction as the API tells it: equal to a plain count over the lake, under every filter, merge and level."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.read.conftest import CHATS, SESSIONS, Api, over_copy, write_lake
from turret_api.read.questions.journeys.statistics import Z_95, share_of_groups
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FIELD_TYPES, FRICTION, JOURNEY_STEPS, MESSAGES, TOPIC_EDITS
from turret_pipeline.semantics.friction import SIGNS

SAID = SESSIONS | CHATS | {f"more {n}": SESSIONS["s/4"] + CHATS["c1"] for n in range(3)}


@pytest.fixture(scope="module")
def written_rough(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a lake in which every third step has a sign or two, of all kinds; it is never written to again."""
    folder = tmp_path_factory.mktemp("friction") / "a lake"
    lake = Lake(str(folder))
    write_lake(lake, "shop", SAID)
    steps = store.read(lake, JOURNEY_STEPS, "shop").sort("session_id", "place")
    of_step = ("project_id", "received_date", "field", "session_id", "place", "event_id", "timestamp", "topic_id")
    rows = []
    for n, row in enumerate(steps.iter_rows(named=True)):
        for sign in {0: SIGNS[n % 7 : n % 7 + 1], 1: SIGNS[n % 5 : n % 5 + 2]}.get(n % 4, ()):
            evidence = row["place"] - 1 if row["place"] else None
            rows.append(
                {**{name: row[name] for name in of_step}, "sign": sign, "strength": 0.75, "evidence_place": evidence}
            )
    store.replace(lake, FRICTION, pl.DataFrame(rows, schema=FRICTION.schema), "shop")
    return folder


@pytest.fixture
def rough(written_rough: Path, tmp_path: Path) -> Iterator[Api]:
    yield from over_copy(written_rough, tmp_path)


def table(api: Api) -> pl.DataFrame:
    return store.read(api.lake, FRICTION, "shop")


def steps_of(api: Api) -> pl.DataFrame:
    return store.read(api.lake, JOURNEY_STEPS, "shop").sort("session_id", "place")


def test_each_sign_is_counted_as_often_as_the_table_has_it(rough: Api) -> None:
    found = rough.get("/v1/friction")
    steps, signs = steps_of(rough), table(rough)
    assert (found["n_messages"], found["n_sessions"]) == (steps.height, steps["session_id"].n_unique())
    wanted = {str(sign): (rows.height, rows["session_id"].n_unique()) for (sign,), rows in signs.group_by("sign")} | {
        "any": (signs["event_id"].n_unique(), signs["session_id"].n_unique())
    }
    assert {row["sign"]: (row["n_messages"], row["n_sessions"]) for row in found["data"]} == wanted
    assert found["data"][0]["sign"] == "any"
    cost = [row["n_sessions"] for row in found["data"][1:]]
    assert cost == sorted(cost, reverse=True)
    for row in found["data"]:
        assert row["share_of_messages"] == pytest.approx(row["n_messages"] / steps.height)
        assert row["share_of_sessions"] == pytest.approx(row["n_sessions"] / found["n_sessions"])
        for share in ("share_of_messages", "share_of_sessions"):
            assert 0 <= row[f"{share}_low"] <= row[share] <= row[f"{share}_high"] <= 1


def plain_requests(api: Api) -> dict[str, tuple[int, int, int]]:
    """By topic: requests, those with friction, sessions with those; message by message."""
    signed = set(table(api)["event_id"])
    counts: dict[str, list] = {}
    for _, session in steps_of(api).group_by("session_id", maintain_order=True):
        requests: list[tuple[str, bool]] = []
        waiting = False
        for row in session.iter_rows(named=True):
            has = row["event_id"] in signed
            if row["kind"] in ("request", "follow_up"):
                requests.append((row["topic_id"] or "unassigned", has or waiting))
                waiting = False
            elif requests:
                requests[-1] = (requests[-1][0], requests[-1][1] or has)
            else:
                waiting = waiting or has
        requests = requests or [("moves", waiting)]
        for topic, has in requests:
            of_topic = counts.setdefault(topic, [0, 0, set()])
            of_topic[0] += 1
            of_topic[1] += has
            if has:
                of_topic[2].add(session["session_id"][0])
    return {topic: (n, n_with, len(sessions)) for topic, (n, n_with, sessions) in counts.items()}


def test_a_topics_share_is_that_of_its_requests_with_the_moves_behind_them(rough: Api) -> None:
    found = rough.get("/v1/friction")["topics"]
    counts = {row["topic_id"]: (row["n_requests"], row["n_with_friction"], row["n_sessions"]) for row in found}
    assert counts == plain_requests(rough)
    assert [row["n_sessions"] for row in found] == sorted((row["n_sessions"] for row in found), reverse=True)
    labels = {row["topic_id"]: row["label"] for row in found}
    assert labels["t_parcel"] == "Parcel tracking" and labels["unassigned"] == "No topic"


def plain_moves(api: Api) -> dict[tuple[str, str], tuple[int, int]]:
    """By move: how many there are, and how many leave a visit with a sign."""
    signed = set(table(api)["event_id"])
    counts: dict[tuple[str, str], list[int]] = {}
    for _, session in steps_of(api).group_by("session_id", maintain_order=True):
        rows = session.to_dicts()
        nodes = [row["topic_id"] or "unassigned" if row["kind"] in ("request", "follow_up") else None for row in rows]
        for n in range(1, len(nodes)):
            nodes[n] = nodes[n] or nodes[n - 1]
        first = next((node for node in nodes if node), "moves")
        visits: list[tuple[str, bool]] = []
        for node, row in zip(nodes, rows, strict=True):
            has = row["event_id"] in signed
            if visits and visits[-1][0] == (node or first):
                visits[-1] = (visits[-1][0], visits[-1][1] or has)
            else:
                visits.append((node or first, has))
        for (node, has), (to, _) in zip(visits, [*visits[1:], ("end", False)], strict=True):
            of_move = counts.setdefault((node, to), [0, 0])
            of_move[0] += 1
            of_move[1] += has
    return {move: (n, n_with) for move, (n, n_with) in counts.items()}


def test_a_move_has_the_friction_of_the_visit_that_it_leaves(rough: Api) -> None:
    found = rough.get("/v1/friction")["moves"]
    counts = {(row["from"], row["to"]): (row["n_moves"], row["n_with_friction"]) for row in found}
    assert counts == plain_moves(rough)
    graph = {
        (row["from"], row["to"]): row["count"] for row in rough.get("/v1/journeys")["edges"] if row["from"] != "start"
    }
    assert {move: n for move, (n, _) in counts.items()} == graph


FILTERS = [
    {"segment.plan": "pro"},
    {"name": "chat"},
    {"from": "2026-03-03T00:00:00Z"},
    {"to": "2026-03-06T23:52:00Z", "segment.plan": "free"},
    {"segment.tokens": "10..30"},
]


@pytest.mark.parametrize("asked", FILTERS)
def test_under_a_filter_the_signs_of_the_messages_that_pass_count(rough: Api, asked: dict[str, str]) -> None:
    found = rough.get("/v1/friction", **asked)
    messages = rough.get("/v1/messages", **asked, kinds="all", limit=1000)["data"]
    passing = {row["event_id"] for row in messages}
    signs = table(rough).filter(pl.col("event_id").is_in(list(passing)))
    assert found["n_messages"] == len(passing) and 0 < signs.height < table(rough).height
    counts = {row["sign"]: row["n_messages"] for row in found["data"] if row["sign"] != "any" and row["n_messages"]}
    assert counts == dict(signs["sign"].value_counts().iter_rows())


def test_with_all_kinds_a_move_is_a_topic_of_its_own(rough: Api) -> None:
    found = {row["topic_id"]: row for row in rough.get("/v1/friction", kinds="all")["topics"]}
    thanks = steps_of(rough).filter(pl.col("kind") == "thanks")
    assert found["thanks"]["n_requests"] == thanks.height
    assert found["thanks"]["n_with_friction"] == thanks.join(table(rough), on="event_id", how="semi").height
    assert sum(row["n_requests"] for row in found.values()) == steps_of(rough).height


def edit(api: Api, topic: str, action: str, value: str) -> None:
    row = ("shop", "prompt", topic, action, value, dt.datetime.now(dt.UTC))
    store.append(api.lake, TOPIC_EDITS, pl.DataFrame([row], schema=TOPIC_EDITS.schema, orient="row"))


def test_a_merged_topic_counts_with_the_one_that_has_its_messages_and_a_hidden_one_is_left_out(rough: Api) -> None:
    before = {row["topic_id"]: row["n_requests"] for row in rough.get("/v1/friction")["topics"]}
    edit(rough, "t_refund", "merge", "t_parcel")
    edit(rough, "t_card", "hide", "true")
    found = rough.get("/v1/friction")
    after = {row["topic_id"]: row["n_requests"] for row in found["topics"]}
    assert after["t_parcel"] == before["t_parcel"] + before["t_refund"]
    assert "t_refund" not in after and "t_card" not in after
    assert not any("t_refund" in (row["from"], row["to"]) for row in found["moves"])


def test_at_the_level_of_themes_topics_are_themes(rough: Api) -> None:
    topics = {row["topic_id"]: row["n_requests"] for row in rough.get("/v1/friction")["topics"]}
    themes = {row["topic_id"]: row["n_requests"] for row in rough.get("/v1/friction", level=1)["topics"]}
    assert themes["theme_shop"] == topics["t_parcel"] + topics["t_refund"]
    assert sum(themes.values()) == sum(topics.values())


def test_the_limit_cuts_topics_and_moves_after_those_that_cost_most(rough: Api) -> None:
    whole, cut = rough.get("/v1/friction"), rough.get("/v1/friction", limit=2)
    assert (cut["topics"], cut["moves"], cut["data"]) == (whole["topics"][:2], whole["moves"][:2], whole["data"])


def test_a_session_tells_the_signs_of_each_message_and_where_their_evidence_is(rough: Api) -> None:
    signs, seen = table(rough), 0
    for session in SAID:
        rows = rough.get("/v1/sessions", session_id=session)["data"]
        assert [row["place"] for row in rows] == list(range(len(SAID[session])))
        for row in rows:
            wanted = signs.filter(pl.col("event_id") == row["event_id"]).sort("sign")
            assert row["signs"] == wanted.select("sign", "strength", "evidence_place").to_dicts()
            seen += wanted.height
    assert seen == signs.height


def test_a_message_comes_with_what_its_event_has_in_the_field_of_the_answers(rough: Api) -> None:
    said = store.read(rough.lake, MESSAGES, "shop").filter(pl.col("field") == "prompt").sort("event_id")
    answers = said.gather_every(2).with_columns(
        field=pl.lit("response"), text="Answer to " + pl.col("text"), text_id="a-" + pl.col("text_id")
    )
    store.append(rough.lake, MESSAGES, answers)
    types = store.read(rough.lake, FIELD_TYPES, "shop").filter(pl.col("field") == "prompt")
    store.append(rough.lake, FIELD_TYPES, types.with_columns(field=pl.lit("response")))
    of_event = dict(answers.select("event_id", "text").iter_rows())
    rows = [row for session in SAID for row in rough.get("/v1/sessions", session_id=session, field="prompt")["data"]]
    assert len(rows) == said.height
    assert [row["answer"] for row in rows] == [of_event.get(row["event_id"]) for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("sign", ["any", *SIGNS])
def test_sessions_behind_an_edge_can_be_those_with_a_sign(rough: Api, sign: str) -> None:
    signs = table(rough).filter((pl.col("sign") == sign) | pl.lit(sign == "any"))
    asked = {"from_topic": "start", "friction": sign, "limit": 1000}
    found = rough.get("/v1/journeys/sessions", **asked)
    assert {row["session_id"] for row in found["data"]} == set(signs["session_id"])
    assert found["n_sessions"] == signs["session_id"].n_unique()
    assert rough.get("/v1/journeys/sessions", from_topic="start")["n_sessions"] == len(SAID)


def test_an_unheard_of_sign_is_refused(rough: Api) -> None:
    assert rough.get("/v1/journeys/sessions", friction="anger", status=400)["field"] == "friction"


def test_the_pipelines_own_signs_are_told(api: Api) -> None:
    found = {row["sign"]: row["n_messages"] for row in api.get("/v1/friction")["data"]}
    assert found == {"any": 1, **dict.fromkeys(SIGNS, 0), "back_and_forth": 1}
    signs = [row["signs"] for row in api.get("/v1/sessions", session_id="s/4")["data"]]
    assert signs == [[], [], [], [{"sign": "back_and_forth", "strength": 1.0, "evidence_place": 1}], []]


def shares(rows: pl.DataFrame) -> pl.DataFrame:
    groups = rows.group_by("of", "group").agg(n=pl.len(), n_with=pl.col("has").sum())
    return share_of_groups(groups, "of")


def grouped(draw: np.random.Generator, n_groups: int, alike: float) -> pl.DataFrame:
    """Rows of groups of 1 to 12, of which some 20% have it; `alike` is how much rows of a group are so."""
    a, b = 0.2 * (1 / alike - 1), 0.8 * (1 / alike - 1)
    sizes = draw.integers(1, 13, n_groups)
    share = np.repeat(draw.beta(a, b, n_groups), sizes)
    return pl.DataFrame(
        {
            "of": np.zeros(sizes.sum(), int),
            "group": np.repeat(np.arange(n_groups), sizes),
            "has": draw.random(share.size) < share,
        }
    )


@pytest.mark.parametrize("alike", [0.01, 0.3, 0.8])
def test_the_interval_of_a_share_holds_its_level_however_alike_the_rows_of_a_group_are(alike: float) -> None:
    draw, met = np.random.default_rng(7), []
    for _ in range(400):
        low, high = shares(grouped(draw, 80, alike)).select("low", "high").row(0)
        met.append(low <= 0.2 <= high)
    assert 0.91 <= np.mean(met) <= 0.985


def test_the_interval_of_independent_rows_is_wilsons() -> None:
    rows = pl.DataFrame({"of": [0] * 50, "group": range(50), "has": [n < 10 for n in range(50)]})
    found = shares(rows).row(0, named=True)
    z2, n, p = Z_95**2, 49.0, 0.2
    middle, half = p + z2 / (2 * n), Z_95 * np.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    assert (found["n"], found["n_with"], found["n_groups_with"]) == (50, 10, 10)
    assert (found["low"], found["high"]) == pytest.approx(
        ((middle - half) / (1 + z2 / n), (middle + half) / (1 + z2 / n))
    )
