"""The SQL of two sides counts what the API answers, by move and by topic."""

from __future__ import annotations

import pytest

from tests.duck import Rows, Run
from tests.read.conftest import Api
from tests.read.sql.checks import FILTERS, asked_both, check_rows, check_totals, each_case

TESTED = {"low", "high", "p_value", "q_value", "gap_low_s", "gap_high_s", "gap_p_value", "gap_q_value"}
TESTED_BY_TOPIC = {"low", "high", "p_value", "q_value", "mark"}


SIDES = (
    "a.segment.plan=pro&b.segment.plan=free",
    "a.segment.tokens=..20&b.segment.tokens=10..",
    "a.from=2026-03-08T00:00:00Z&b.from=2026-03-02T00:00:00Z&b.to=2026-03-08T00:00:00Z&a.segment.plan=pro",
    "release=2026-03-06",
)
"""Segments, some of which have sessions in common; periods, one of them with a segment; a release."""


def by_edge(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: (row["from"], row["to"]))


def by_topic(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: row["topic_id"])


def sides_under(filters: str) -> tuple[str, ...]:
    if filters.startswith("cohorts"):
        return SIDES[:1]  # DuckDB plans cohorts on two sides for seconds.
    return SIDES[:-1] if filters == "nothing" else SIDES  # A release needs whole days.


@each_case
def test_two_segments(edited: Api, run_sql: Run, filters: str) -> None:
    for sides in sides_under(filters):
        answer, parts = asked_both(edited, run_sql, f"/v1/journeys/compare?limit=1000&{sides}", FILTERS[filters])

        check_rows(by_edge(answer["data"]), by_edge(parts["data"]), TESTED)
        check_totals(answer, parts["totals"])


@each_case
def test_two_sides_by_topic(edited: Api, run_sql: Run, filters: str) -> None:
    for sides in sides_under(filters):
        answer, parts = asked_both(edited, run_sql, f"/v1/topics/compare?limit=1000&{sides}", FILTERS[filters])

        check_rows(by_topic(answer["data"]), by_topic(parts["data"]), TESTED_BY_TOPIC)
        check_totals(answer, parts["totals"])


@pytest.mark.parametrize("edited", ["none"], indirect=True)
def test_cohorts_on_the_sides_are_told_from_those_of_the_filters(edited: Api, run_sql: Run) -> None:
    sides = "a.cohort=topic:unassigned&b.cohort=path:thanks>t_card"
    for what, order, tested in (("topics", by_topic, TESTED_BY_TOPIC), ("journeys", by_edge, TESTED)):
        path = f"/v1/{what}/compare?limit=1000&{sides}"
        answer, parts = asked_both(edited, run_sql, path, {"cohort": "topic:t_card"})
        check_rows(order(answer["data"]), order(parts["data"]), tested)
        check_totals(answer, parts["totals"])
        assert answer["n_sessions"]["a"] and answer["n_sessions"]["b"]
