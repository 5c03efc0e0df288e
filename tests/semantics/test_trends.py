"""Marks of new, growing and fading topics: hardly ever by chance, nearly always where growth was planted."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest

from turret_pipeline.semantics.trends import TRENDS, topic_trends

START = dt.date(2026, 1, 1)
MARKED = ["new", "growing", "fading"]
N_PROJECTS = 60


def project(
    seed: int,
    *,
    n_topics: int = 30,
    n_days: int = 70,
    sessions: float = 300,
    growth: float = 0.0,
    rhythm: float = 0.0,
    bunches: float = 0.0,
    persistent: float = 0.0,
    planted: dict[int, tuple[int, float]] | None = None,
) -> pl.DataFrame:
    """Return sessions by topic and day of a project whose topics keep their shares, but for the `planted` ones.

    growth: of the whole project, a day. rhythm: how much a topic's share differs between weekdays. bunches, persistent:
    relative spread of shares from day to day and from week to week (people who come in numbers, and come back).
    planted: by topic, the day from which on its share is multiplied, and by what.
    """
    draw = np.random.default_rng(seed)
    share = 1 / np.arange(1, n_topics + 1) ** 0.8
    by_weekday = np.exp(rhythm * draw.normal(size=(7, n_topics)))
    by_week = np.exp(persistent * draw.normal(size=(n_days // 7 + 2, n_topics)))
    volume = np.array([1.0, 1.1, 1.0, 1.0, 0.9, 0.4, 0.3])
    shift = int(draw.integers(7))
    counts = np.zeros((n_days, n_topics), dtype=np.int64)
    for day in range(n_days):
        now = share * by_weekday[day % 7] * by_week[(day + shift) // 7] * np.exp(bunches * draw.normal(size=n_topics))
        for topic, (since, factor) in (planted or {}).items():
            now[topic] *= factor if day >= since else 1.0
        n = draw.poisson(sessions * volume[day % 7] * np.exp(growth * (day - n_days)))
        counts[day] = draw.multinomial(n, now / now.sum())
    days, topics = np.nonzero(counts)
    return pl.DataFrame(
        {
            "topic_id": [f"t{topic:03d}" for topic in topics],
            "date": [START + dt.timedelta(int(day)) for day in days],
            "n_sessions": counts[days, topics],
        }
    )


def marked(trends: pl.DataFrame) -> pl.DataFrame:
    return trends.filter(pl.col("trend").is_in(MARKED))


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"sessions": 30},
        {"sessions": 5000, "n_topics": 8},
        {"growth": 0.03},
        {"rhythm": 0.7},
        {"bunches": 0.5},
        {"persistent": 0.15, "bunches": 0.2},
        {"growth": 0.02, "rhythm": 0.5, "bunches": 0.4, "n_topics": 80},
        {"n_days": 16, "bunches": 0.3},
        {"n_days": 31, "rhythm": 0.5},
    ],
    ids=str,
)
def test_a_project_whose_topics_keep_their_shares_has_no_marks_but_in_one_of_twenty(how: dict[str, Any]) -> None:
    with_marks = sum(marked(topic_trends(project(seed, **how))).height > 0 for seed in range(N_PROJECTS))
    # 5 % of the projects are expected at most; three standard deviations above it.
    assert with_marks / N_PROJECTS <= 0.05 + 3 * (0.05 * 0.95 / N_PROJECTS) ** 0.5


@pytest.mark.parametrize(
    ("factor", "mark"), [(2.5, "growing"), (0.3, "fading")], ids=["two and a half times", "less than a third"]
)
def test_planted_growth_and_decline_are_found_and_little_else_is_marked(factor: float, mark: str) -> None:
    found = false = 0
    for seed in range(40):
        planted = {3: (63, factor), 9: (63, factor)}
        trends = topic_trends(project(seed, sessions=500, rhythm=0.4, bunches=0.2, growth=0.01, planted=planted))
        right = trends.filter(pl.col("topic_id").is_in(["t003", "t009"]), pl.col("trend") == mark).height
        found, false = found + right, false + marked(trends).height - right
    assert found >= 0.9 * 80
    assert false <= 0.1 * (found + false)


def test_one_topic_that_booms_does_not_make_the_others_fade() -> None:
    found = [marked(topic_trends(project(seed, sessions=2000, planted={0: (63, 8.0)}))) for seed in range(10)]
    assert all(("t000", "growing") in each.select("topic_id", "trend").rows() for each in found)
    assert sum(each.height - 1 for each in found) <= 3


def test_a_topic_that_came_up_within_two_weeks_is_new() -> None:
    days = project(2, sessions=500)
    fresh = [{"topic_id": "t_fresh", "date": START + dt.timedelta(day), "n_sessions": 12} for day in range(62, 70)]
    trends = topic_trends(pl.concat([days, pl.DataFrame(fresh)]))
    assert marked(trends).select("topic_id", "trend").rows() == [("t_fresh", "new")]


def test_the_newest_day_which_may_be_half_over_does_not_count() -> None:
    days = project(3, sessions=500)
    half = days.filter((pl.col("date") < START + dt.timedelta(69)) | (pl.col("topic_id") == "t000"))
    assert topic_trends(days).drop("topic_id").equals(topic_trends(half).drop("topic_id"))


@pytest.mark.parametrize("n_days", [1, 7, 14])
def test_of_less_than_two_complete_weeks_nothing_is_said(n_days: int) -> None:
    trends = topic_trends(project(4, n_days=n_days))
    assert trends.schema == TRENDS
    assert trends["trend"].null_count() == trends.height > 0


def test_of_no_days_and_of_rare_topics_nothing_is_said() -> None:
    none = pl.DataFrame(schema={"topic_id": pl.String, "date": pl.Date, "n_sessions": pl.Int64})
    assert topic_trends(none).height == 0
    rare = pl.DataFrame([{"topic_id": "t_rare", "date": START + dt.timedelta(66), "n_sessions": 3}])
    trends = topic_trends(pl.concat([project(5), rare]))
    assert trends.filter(pl.col("topic_id") == "t_rare")["trend"].to_list() == [None]
