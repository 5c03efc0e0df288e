"""Journeys over the API: the contract's graph, the same counted two ways, and what is read off the visits."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.read.conftest import SESSIONS, Api, topic_of


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
        }
    ]


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
