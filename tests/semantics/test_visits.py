"""The journey graph: what a visit and an edge are, and that the numbers add up."""

import datetime as dt
import itertools
import subprocess
import sys

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from turret_pipeline.semantics import visits as v

T0 = dt.datetime(2026, 3, 1, 23, 59, 58, tzinfo=dt.UTC)

MESSAGE = st.tuples(
    st.sampled_from(["s1", "s2", "s3", "s4"]), st.integers(0, 5), st.sampled_from(["t1", "t2", "t3", None])
)


def messages(rows: list[tuple[str, int, str | None]]) -> pl.DataFrame:
    """Messages of sessions at seconds after `T0`, received in the order given."""
    return pl.DataFrame(
        {
            "session_id": [row[0] for row in rows],
            "timestamp": [T0 + dt.timedelta(seconds=row[1]) for row in rows],
            "received_at": [T0] * len(rows),
            "part": ["p.parquet"] * len(rows),
            "seq": list(range(len(rows))),
            "event_id": [f"evt_{i}" for i in range(len(rows))],
            "topic_id": [row[2] for row in rows],
        },
        schema_overrides={
            "topic_id": pl.String,
            "session_id": pl.String,
            "timestamp": pl.Datetime("us", "UTC"),
            "received_at": pl.Datetime("us", "UTC"),
            "part": pl.String,
            "event_id": pl.String,
            "seq": pl.Int64,
        },
    )


def edges(rows: list[tuple[str, int, str | None]]) -> dict[tuple[str, str], tuple[int, int, float, float | None]]:
    found = v.journey_edges(v.visits(messages(rows)))
    return {(row[0], row[1]): row[2:6] for row in found.iter_rows()}


def test_a_run_of_one_topic_is_one_visit_and_a_message_without_topic_visits_unassigned() -> None:
    found = v.visits(messages([("a", 0, "t1"), ("a", 1, "t1"), ("a", 4, None), ("a", 5, "t1"), ("b", 9, None)]))
    assert found.schema == v.VISITS
    assert [row[:3] + row[5:] for row in found.iter_rows()] == [
        ("a", 0, "t1", 2),
        ("a", 1, "unassigned", 1),
        ("a", 2, "t1", 1),
        ("b", 0, "unassigned", 1),
    ]
    assert found["ended_at"][0] == T0 + dt.timedelta(seconds=1)


def test_edges_have_count_sessions_probability_and_the_gap_between_the_visits() -> None:
    rows = [("a", 0, "t1"), ("a", 10, "t1"), ("a", 14, "t2"), ("a", 20, "t1"), ("a", 30, "t2"), ("b", 0, "t1")]
    assert edges(rows) == {
        ("start", "t1"): (2, 2, 1.0, None),
        ("t1", "t2"): (2, 1, 2 / 3, 7.0),
        ("t2", "t1"): (1, 1, 1 / 2, 6.0),
        ("t2", "end"): (1, 1, 1 / 2, None),
        ("t1", "end"): (1, 1, 1 / 3, None),
    }


def test_messages_of_one_moment_stand_in_order_of_receipt() -> None:
    assert ("t1", "t2") in edges([("a", 0, "t1"), ("a", 0, "t2")])
    assert ("t2", "t1") in edges([("a", 0, "t2"), ("a", 0, "t1")])


def test_a_late_message_falls_into_its_place_and_a_session_goes_on_over_midnight() -> None:
    assert set(edges([("a", 0, "t1"), ("a", 60, "t3"), ("a", 30, "t2")])) == {
        ("start", "t1"),
        ("t1", "t2"),
        ("t2", "t3"),
        ("t3", "end"),
    }


def test_messages_millennia_apart_are_in_order_too() -> None:
    """Session and time then no longer fit into one number to sort by."""
    far = 6_000 * 365 * 86_400
    rows = [(f"s{i}", at, topic) for i in range(100) for at, topic in ((far, "t3"), (5, "t2"), (0, "t1"))]
    found = v.visits(messages(rows))
    assert (
        found.group_by("session_id", maintain_order=True).agg("topic_id")["topic_id"].to_list()
        == [["t1", "t2", "t3"]] * 100
    )


def test_no_messages_have_no_edges_but_the_same_columns() -> None:
    found = v.journey_edges(v.visits(messages([])))
    assert found.schema == v.journey_edges(v.visits(messages([("a", 0, "t1")]))).schema
    assert found.is_empty()


def test_moves_are_counted_without_pandas() -> None:
    script = """
import datetime as dt, sys, polars as pl
from turret_pipeline.semantics.visits import moves
at = dt.datetime(2026, 3, 1)
visits = pl.DataFrame({"visit": [0, 1], "topic_id": ["a", "b"], "started_at": [at, at], "ended_at": [at, at]})
print(moves(visits).height, "pandas" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "3 False\n"


@settings(max_examples=60, deadline=None)
@given(st.lists(MESSAGE, max_size=25))
def test_counts_add_up_and_flow_is_kept(rows: list[tuple[str, int, str | None]]) -> None:
    frame = messages(rows)
    found = v.visits(frame)
    graph = v.journey_edges(found)
    sessions = len({row[0] for row in rows})
    assert found["n_messages"].sum() == len(rows)
    assert graph["count"].sum() == found.height + sessions
    out = dict(graph.group_by("from_topic").agg(pl.col("count").sum()).iter_rows())
    into = dict(graph.group_by("to_topic").agg(pl.col("count").sum()).iter_rows())
    assert out.pop("start", 0) == into.pop("end", 0) == sessions
    assert out == into
    assert (graph["sessions"] <= graph["count"]).all()
    assert all(
        abs(total - 1) < 1e-9 for total in graph.group_by("from_topic").agg(pl.col("probability").sum())["probability"]
    )
    # The order in which rows are read changes nothing: order of receipt is in the rows.
    assert v.journey_edges(v.visits(frame.sample(fraction=1.0, shuffle=True, seed=1) if rows else frame)).equals(graph)


@settings(max_examples=40, deadline=None)
@given(st.lists(MESSAGE, min_size=1, max_size=25))
def test_edges_equal_the_transitions_counted_by_hand(rows: list[tuple[str, int, str | None]]) -> None:
    expected: dict[tuple[str, str], int] = {}
    for session in {row[0] for row in rows}:
        steps = [row[2] or "unassigned" for row in sorted((r for r in rows if r[0] == session), key=lambda r: r[1])]
        nodes = ["start", *[step for i, step in enumerate(steps) if i == 0 or step != steps[i - 1]], "end"]
        for edge in itertools.pairwise(nodes):
            expected[edge] = expected.get(edge, 0) + 1
    assert {edge: row[0] for edge, row in edges(rows).items()} == expected
