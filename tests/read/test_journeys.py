"""Journeys over the API: the contract's graph, the same counted two ways, and what is read off the visits."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.read.conftest import SESSIONS, Api, P, R, topic_of, write_lake


def by_hand(said: list[list[str]]) -> Counter[tuple[str, str]]:
    moves: Counter[tuple[str, str]] = Counter()
    for texts in said:
        topics = [topic_of(text) or "unassigned" for text in texts]
        nodes = ["start", *[t for i, t in enumerate(topics) if i == 0 or t != topics[i - 1]], "end"]
        moves.update(zip(nodes, nodes[1:], strict=False))  # noqa: RUF007
    return moves


def moves(answer: dict) -> dict[tuple[str, str], int]:
    return {(edge["from"], edge["to"]): edge["count"] for edge in answer["edges"]}


def test_the_graph_has_every_move_of_every_session(api: Api) -> None:
    found = api.get("/v1/journeys", field="prompt")
    assert moves(found) == by_hand(list(SESSIONS.values()))
    assert (found["n_sessions"], found["n_visits"]) == (5, 14)
    nodes = {node["topic_id"]: node for node in found["nodes"]}
    assert {name: nodes[name]["count"] for name in ("start", "end", "unassigned", "t_parcel")} == {
        "start": 5,
        "end": 5,
        "unassigned": 2,
        "t_parcel": 5,
    }
    assert (nodes["t_parcel"]["label"], nodes["t_parcel"]["kind"]) == ("Parcel tracking", "topic")
    assert (nodes["unassigned"]["label"], nodes["unassigned"]["kind"]) == ("No topic", "unassigned")


def test_lift_is_moves_over_those_that_chance_would_give(api: Api) -> None:
    edge = next(e for e in api.get("/v1/journeys")["edges"] if (e["from"], e["to"]) == ("t_parcel", "t_refund"))
    # 19 moves; 5 lead out of parcel, 4 into refund.
    assert edge["lift"] == pytest.approx(4 / (5 * 4 / 19))


def test_a_filter_that_lets_all_pass_changes_nothing(api: Api) -> None:
    table, counted = api.get("/v1/journeys"), api.get("/v1/journeys", **{"from": "1971-01-01"})
    assert table == counted


def test_under_a_filter_journeys_are_those_of_the_messages_that_pass(api: Api) -> None:
    found = api.get("/v1/journeys", **{"segment.plan": "pro"})
    assert moves(found) == by_hand([SESSIONS["s2"], SESSIONS["s/4"]])
    assert moves(api.get("/v1/journeys", name="absent")) == {}


def test_what_is_not_shown_is_summed_up_as_rest(api: Api) -> None:
    whole, part = api.get("/v1/journeys"), api.get("/v1/journeys", limit=2)
    assert part["edges"] == whole["edges"][:2]
    assert part["rest"]["count"] + sum(e["count"] for e in part["edges"]) == sum(e["count"] for e in whole["edges"])
    assert part["rest"]["edges"] == len(whole["edges"]) - 2


def test_at_the_level_of_themes_moves_within_a_theme_are_none(api: Api) -> None:
    found = moves(api.get("/v1/journeys", level=1))
    assert found[("start", "theme_shop")] == 3
    assert found[("theme_shop", "t_card")] == 1
    assert ("theme_shop", "theme_shop") not in found


def test_starts_and_drop_offs_count_each_session_once(api: Api) -> None:
    starts, ends = api.get("/v1/journeys/starts"), api.get("/v1/journeys/drop-offs")
    assert [(row["topic_id"], row["sessions"]) for row in starts["data"]] == [
        ("t_parcel", 3),
        ("t_card", 1),
        ("unassigned", 1),
    ]
    assert {row["topic_id"]: (row["sessions"], row["rate"]) for row in ends["data"]} == {
        "t_card": (3, 1.0),
        "t_refund": (1, 0.25),
        "unassigned": (1, 0.5),
    }
    for answer in (starts, ends):
        assert sum(row["sessions"] for row in answer["data"]) == answer["n_sessions"] == 5
        assert sum(row["share"] for row in answer["data"]) == pytest.approx(1)


def test_loops_are_runs_there_and_back(api: Api) -> None:
    assert api.get("/v1/journeys/loops")["data"] == [
        {
            "topics": ["t_parcel", "t_refund"],
            "labels": ["Parcel tracking", "Refunds"],
            "count": 3,
            "sessions": 2,
            "users": 1,
        }
    ]
    assert api.get("/v1/journeys/loops")["rest"] == {"loops": 0, "count": 0}


def test_paths_from_a_topic_stop_at_the_end_and_their_shares_add_up(api: Api) -> None:
    found = api.get("/v1/journeys/paths", topic_id="t_parcel", depth=2)
    assert {tuple(row["topics"]): row["count"] for row in found["data"]} == {
        ("t_parcel", "t_refund", "t_parcel"): 2,
        ("t_parcel", "t_refund", "end"): 1,
        ("t_parcel", "t_refund", "t_card"): 1,
        ("t_parcel", "unassigned", "end"): 1,
    }
    assert found["n_paths"] == 5
    assert sum(row["share"] for row in found["data"]) == pytest.approx(1)
    cut = api.get("/v1/journeys/paths", topic_id="t_parcel", depth=2, limit=1)
    assert cut["rest"] == {"paths": 3, "count": 3}


def test_paths_to_a_topic_are_told_in_the_order_of_time(api: Api) -> None:
    found = api.get("/v1/journeys/paths", topic_id="t_card", direction="to", depth=2)
    assert {tuple(row["topics"]): row["count"] for row in found["data"]} == {
        ("start", "t_card"): 1,
        ("t_parcel", "t_refund", "t_card"): 1,
        ("start", "unassigned", "t_card"): 1,
    }


@pytest.mark.parametrize(
    ("steps", "within_s", "sessions"),
    [
        ("t_parcel,t_refund", None, [3, 3]),
        ("t_parcel,t_card", None, [3, 1]),
        ("t_parcel,t_refund,t_parcel", None, [3, 3, 2]),
        # s1 says parcel twice before refund, which is one visit; the other two go on after a minute.
        ("t_parcel,t_refund", 60, [3, 2]),
        ("t_parcel,t_card", 119, [3, 0]),
        # Only s/4's second visit to parcel lies within two minutes of its card.
        ("t_parcel,t_card", 120, [3, 1]),
        ("t_refund,t_refund", None, [3, 1]),
        ("absent,t_parcel", None, [0, 0]),
    ],
)
def test_a_funnel_counts_the_sessions_that_get_so_far(
    api: Api, steps: str, within_s: float | None, sessions: list[int]
) -> None:
    found = api.get("/v1/journeys/funnel", steps=steps, **({"within_s": within_s} if within_s else {}))
    assert [step["sessions"] for step in found["data"]] == sessions
    assert found["n_sessions"] == 5
    assert found["data"][0]["median_gap_s"] is None


def test_a_funnel_tells_shares_and_gaps(api: Api) -> None:
    last = api.get("/v1/journeys/funnel", steps="t_parcel,t_refund,t_card")["data"][-1]
    assert (last["share_of_first"], last["share_of_previous"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert last["median_gap_s"] == 180.0


@pytest.mark.parametrize(
    ("ends", "sessions", "n_moves"),
    [
        ({"from_topic": "t_parcel", "to_topic": "t_refund"}, ["s/4", "s2", "s1"], 4),
        ({"from_topic": "start", "to_topic": "t_parcel"}, ["s/4", "s2", "s1"], 3),
        ({"from_topic": "t_refund", "to_topic": "end"}, ["s2"], 1),
        ({"to_topic": "t_card"}, ["s5", "s/4", "s3"], 3),
        ({"from_topic": "t_refund"}, ["s/4", "s2", "s1"], 4),
        ({"from_topic": "start"}, ["s5", "s/4", "s3", "s2", "s1"], 5),
        ({"to_topic": "end"}, ["s5", "s/4", "s3", "s2", "s1"], 5),
        ({}, ["s5", "s/4", "s3", "s2", "s1"], 19),
        ({"from_topic": "end"}, [], 0),
        ({"from_topic": "t_card", "to_topic": "t_parcel"}, [], 0),
    ],
)
def test_the_sessions_behind_an_edge_are_those_that_make_the_move(
    api: Api, ends: dict[str, str], sessions: list[str], n_moves: int
) -> None:
    found = api.get("/v1/journeys/sessions", **ends)
    assert [row["session_id"] for row in found["data"]] == sessions
    assert sum(row["count"] for row in found["data"]) == found["n_moves"] == n_moves
    assert found["n_sessions"] == len(sessions)


def test_the_sessions_behind_an_edge_tell_who_when_and_come_in_pages(api: Api) -> None:
    asked = {"from_topic": "t_parcel", "to_topic": "t_refund", "limit": 2}
    first = api.get("/v1/journeys/sessions", **asked)
    second = api.get("/v1/journeys/sessions", **asked, cursor=first["next"])
    assert second["next"] is None
    assert second["data"] == [
        {
            "session_id": "s1",
            "user_id": "u0",
            "at": "2026-03-01T23:52:00+00:00",
            "count": 1,
            "started_at": "2026-03-01T23:50:00+00:00",
            "ended_at": "2026-03-01T23:54:00+00:00",
            "n_visits": 4,
            "outcome": None,
        }
    ]


def test_segments_are_compared_by_the_sessions_that_make_a_move(api: Api) -> None:
    sides = {"a.segment.plan": "pro", "b.segment.plan": "free"}
    found = api.get("/v1/journeys/compare", **sides)
    assert (found["n_sessions"], found["n_sessions_in_both"]) == ({"a": 2, "b": 3}, 0)
    edges = {(row["from"], row["to"]): row for row in found["data"]}
    assert {edge: row["a_count"] for edge, row in edges.items() if row["a_count"]} == by_hand(
        [SESSIONS["s2"], SESSIONS["s/4"]]
    )
    row = edges["t_parcel", "t_refund"]
    assert (row["a_sessions"], row["a_count"], row["b_sessions"], row["b_count"]) == (2, 3, 1, 1)
    assert row["difference"] == pytest.approx(2 / 3)
    assert row["low"] < row["difference"] < row["high"] <= 1
    # 3 of 5 sessions make the move; that both of a's do has probability 3/10 by chance, of which the half counts.
    assert row["p_value"] == pytest.approx(0.3)
    assert found["data"] == sorted(found["data"], key=lambda each: each["p_value"])
    cut = api.get("/v1/journeys/compare", **sides, limit=1)
    assert cut["rest"]["edges"] == len(found["data"]) - 1


@pytest.mark.slow
def test_gaps_of_segments_are_compared_by_the_median_of_each_session(own_api: Api) -> None:
    # Six sessions of either plan from parcel to refund; all messages are a minute apart.
    write_lake(own_api.lake, "shop", {f"s{i}": [P, R, P, R] if i < 3 else [P, P, R] for i in range(12)})
    sides = {"a.segment.plan": "pro", "b.segment.plan": "free"}
    edges = {(row["from"], row["to"]): row for row in own_api.get("/v1/journeys/compare", **sides)["data"]}
    row = edges["t_parcel", "t_refund"]
    assert (row["gap_difference_s"], row["gap_low_s"], row["gap_high_s"]) == (0, 0, 0)
    assert (row["gap_p_value"], row["gap_q_value"]) == (1, 1)
    assert edges["t_refund", "t_parcel"]["gap_p_value"] is None  # three sessions make it, which are too few
    assert edges["start", "t_parcel"]["gap_difference_s"] is None


def test_a_session_in_both_segments_is_on_neither_side(api: Api) -> None:
    found = api.get("/v1/journeys/compare", **{"a.segment.tokens": "..20", "b.segment.tokens": "20.."})
    assert found["n_sessions"] == {"a": 3, "b": 0}
    assert found["n_sessions_in_both"] == 2
    assert all(row["p_value"] is None for row in found["data"])


@pytest.mark.parametrize("params", [{}, {"a.segment.plan": "pro"}, {"a.segment.plan": "pro", "b.segment.": "x"}])
def test_a_comparison_needs_a_segment_on_each_side(api: Api, params: dict[str, str]) -> None:
    api.get("/v1/journeys/compare", status=400, **params)


def test_returns_are_the_later_sessions_of_a_user(api: Api) -> None:
    found = api.get("/v1/journeys/returns")
    # u0: s1, s/4 three days later; u1: s2, s5 likewise; u2: s3 alone.
    assert (found["n_users"], found["n_returning_users"], found["n_sessions"], found["n_returns"]) == (3, 2, 5, 2)
    assert found["interval_quantiles_s"]["0.5"] == 3 * 86_400
    assert [each["count"] for each in found["intervals"]] == [0, 0, 2, 0, 0]
    assert {(row["from"], row["to"]): row["count"] for row in found["data"]} == {
        ("t_parcel", "t_parcel"): 1,
        ("t_parcel", "unassigned"): 1,
    }
    assert {row["topic_id"]: (row["sessions"], row["returns"]) for row in found["topics"]} == {
        "t_parcel": (3, 1),
        "unassigned": (1, 1),
        "t_card": (1, 0),
    }
    assert sum(row["share"] for row in found["topics"]) == pytest.approx(1)


def test_a_merge_by_a_person_counts_in_paths_and_behind_edges_at_once(own_api: Api) -> None:
    body = {"topic_id": "t_refund", "action": "merge", "value": "t_parcel"}
    done = own_api.client.post("/v1/topics/edits", json=body, headers={"X-API-Key": "shop:admin"})
    assert done.status_code == 200, done.text
    found = own_api.get("/v1/journeys/paths", topic_id="t_parcel", depth=1)
    assert {tuple(row["topics"]): row["count"] for row in found["data"]} == {
        ("t_parcel", "end"): 1,
        ("t_parcel", "t_card"): 1,
        ("t_parcel", "unassigned"): 1,
    }
    behind = own_api.get("/v1/journeys/sessions", from_topic="t_refund", to_topic="t_card")
    assert [row["session_id"] for row in behind["data"]] == ["s/4"]
