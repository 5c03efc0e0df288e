"""Laws of what is counted as `few`: sums stay, no number is of too few users, and none follows from those shown."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter, defaultdict

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from turret_api.read.views.few import told_on, without_few
from turret_api.read.views.few_edges import ENDS, folding
from turret_api.read.views.topics import FEW
from turret_pipeline.semantics.visits import END, START

LEAST = 3
Walks = list[tuple[int, list[str]]]
topics = st.sampled_from(["a", "b", "c", "d"])
walks = st.lists(st.tuples(st.integers(0, 7), st.lists(topics, min_size=1, max_size=4)), min_size=1, max_size=30)


def moves_of(walked: Walks) -> pl.DataFrame:
    """The moves of walks, each of a user, after topics that few users visit were counted as one."""
    rows = [(i, user, topic) for i, (user, topics) in enumerate(walked) for topic in topics]
    steps = pl.DataFrame(rows, schema=["session", "user", "topic_id"], orient="row")
    steps = steps.with_columns(pl.col("topic_id").cast(pl.Categorical))
    steps = without_few(steps, steps["user"], LEAST).cast({"topic_id": pl.String})
    found = []
    for (session,), rows_of in steps.group_by("session", maintain_order=True):
        runs = [topic for topic, _ in itertools.groupby(rows_of["topic_id"])]
        user = rows_of["user"][0]
        found += [(a, b, session, user) for a, b in itertools.pairwise([START, *runs, END])]
    schema = {"from_topic": pl.String, "to_topic": pl.String, "session": pl.Int64, "user": pl.Int64}
    return pl.DataFrame(found, schema=schema, orient="row")


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(walks)
def test_every_move_shown_is_of_enough_users_and_every_node_is_entered_as_often_as_it_is_left(walked: Walks) -> None:
    moves = moves_of(walked)
    shown = folding(moves, LEAST).apply(moves)
    by_edge = shown.group_by(ENDS).agg(pl.len(), users=pl.col("user").n_unique())
    assert by_edge["users"].min() is None or by_edge["users"].min() >= LEAST
    assert shown.is_empty() == moves.is_empty()
    is_one = folding(moves, LEAST).cells is None
    into, out = (Counter(shown[end].to_list()) for end in ("to_topic", "from_topic"))
    before_into = Counter(moves["to_topic"].to_list())
    for node in into.keys() | out.keys():
        if node not in (START, END):
            assert into[node] == out[node]
        if node not in (START, FEW):
            assert into[node] == before_into[node]
    assert out[START] == into[END] == moves["session"].n_unique()
    visits = [each.filter(pl.col("to_topic") != FEW).height for each in (moves, shown)]
    assert visits[0] == visits[1] or (is_one and into.keys() == {FEW, END})


def test_sessions_count_also_where_no_move_can_be_told_without_those_of_few_users() -> None:
    said = [["a"], ["b"], ["b"], ["b"], ["a", "b"], ["a", "b"]]
    moves = moves_of(list(enumerate(said)))
    shown = folding(moves, LEAST).apply(moves)
    told = {(a, b): n for a, b, n in shown.group_by(ENDS).len().iter_rows()}
    assert told == {(START, FEW): 6, (FEW, END): 6}


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(walks)
def test_no_number_of_a_move_that_few_users_make_follows_from_the_sums_that_are_shown(walked: Walks) -> None:
    moves = moves_of(walked)
    cells = folding(moves, LEAST).cells
    if not cells:
        return
    users: dict[tuple[str, str], set[int]] = defaultdict(set)
    counts: Counter[tuple[str, str]] = Counter()
    for a, b, _, user in moves.iter_rows():
        users[a, b].add(user)
        counts[a, b] += 1
    froms, tos = (sorted({cell[side] for cell in cells}) for side in (0, 1))
    shown = set(counts) - cells
    unknown = [(a, b) for a in froms for b in tos if a != b and (a, b) not in shown and (a, b) != (START, END)]
    sums = [[float(cell[side] == node) for cell in unknown] for side, nodes in ((0, froms), (1, tos)) for node in nodes]
    told = [
        sum(counts[cell] for cell in cells if cell[side] == node)
        for side, nodes in ((0, froms), (1, tos))
        for node in nodes
    ]
    for cell in cells:
        if len(users[cell]) < LEAST:
            one = np.array([float(each == cell) for each in unknown])
            ends = [linprog(sign * one, A_eq=sums, b_eq=told).fun * sign for sign in (1, -1)]
            assert ends[1] - ends[0] > 0.5, (cell, ends)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), topics), max_size=40))
def test_topics_shown_are_of_enough_users_and_all_steps_stay_unless_there_are_too_few_users(
    said: list[tuple[int, str]],
) -> None:
    steps = pl.DataFrame(said, schema={"user": pl.Int64, "topic_id": pl.String}, orient="row")
    steps = steps.with_columns(pl.col("topic_id").cast(pl.Categorical))
    shown = without_few(steps, steps["user"], LEAST).cast({"topic_id": pl.String})
    if steps["user"].n_unique() < LEAST:
        assert shown.is_empty()
        return
    assert shown["user"].to_list() == steps["user"].to_list()
    users = shown.group_by("topic_id").agg(pl.col("user").n_unique(), pl.len())
    assert users["user"].min() >= LEAST
    before = Counter(steps["topic_id"].cast(pl.String).to_list())
    assert all(n == before[name] for name, _, n in users.iter_rows() if name != FEW)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 6), st.booleans()), max_size=40))
def test_days_are_told_together_until_they_are_of_enough_users_on_each_side(said: list[tuple[int, int, bool]]) -> None:
    first = dt.date(2026, 3, 1)
    rows = [(first + dt.timedelta(day), user, is_it) for day, user, is_it in said]
    days = pl.DataFrame(rows, schema={"date": pl.Date, "user": pl.Int64, "is_it": pl.Boolean}, orient="row").unique()
    for sides in ((), ("is_it",)):
        told = told_on(days, LEAST, sides)
        assert all(day <= on for day, on in told.items())
        groups: dict[tuple[dt.date, bool], set[int]] = defaultdict(set)
        for date, user, is_it in days.iter_rows():
            if told:  # every day is told, or none
                groups[told[date], bool(sides) and is_it].add(user)
        assert all(len(users) >= LEAST for users in groups.values())


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), topics), max_size=40))
def test_no_topic_of_few_users_follows_from_its_themes_number_at_the_other_level(said: list[tuple[int, str]]) -> None:
    themes = {"a": "A", "b": "A", "c": "C"}  # d has none
    steps = pl.DataFrame(said, schema={"user": pl.Int64, "topic_id": pl.String}, orient="row")
    coarse = steps.with_columns(pl.col("topic_id").replace(themes).cast(pl.Categorical))
    fine = steps.with_columns(pl.col("topic_id").cast(pl.Categorical))
    told = without_few(coarse, steps["user"], LEAST), without_few(fine, steps["user"], LEAST, theme_of=themes)
    if steps["user"].n_unique() < LEAST:
        assert all(each.is_empty() for each in told)
        return
    both = steps.select(
        "user", *(each["topic_id"].cast(pl.String).alias(name) for each, name in zip(told, "ct", strict=True))
    )
    users = both.group_by("c", "t").agg(pl.col("user").n_unique())
    # What is in both rows is the difference of numbers that are shown: of a theme and its topics, or of both `few`.
    assert users["user"].min() >= LEAST
    assert both.filter(pl.col("c") == FEW, pl.col("t") != FEW).is_empty()
