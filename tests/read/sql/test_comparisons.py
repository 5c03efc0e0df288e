"""The SQL of two sides counts what the API answers, by move and by topic."""

from __future__ import annotations

import pytest

from tests.duck import Run
from tests.read.conftest import Api
from tests.read.sql.checks import FILTERS, asked_both, check_rows, check_totals, each_case

TESTED = {
    "journeys": {"low", "high", "p_value", "q_value", "gap_low_s", "gap_high_s", "gap_p_value", "gap_q_value"},
    "topics": {"low", "high", "p_value", "q_value", "mark"},
}
"""What the SQL leaves out, by what is compared."""
NAMES = {"journeys": ("from", "to"), "topics": ("topic_id",)}
"""The columns that tell rows apart."""

SIDES = (
    "a.segment.plan=pro&b.segment.plan=free",
    "a.segment.tokens=..20&b.segment.tokens=10..",
    "a.from=2026-03-08T00:00:00Z&b.from=2026-03-02T00:00:00Z&b.to=2026-03-08T00:00:00Z&a.segment.plan=pro",
    "release=2026-03-06",
)
"""Segments, some of which have sessions in common; periods, one of them with a segment; a release."""


def sides_under(filters: str) -> tuple[str, ...]:
    if filters.startswith("cohorts"):
        return SIDES[:1]  # DuckDB plans cohorts on two sides for seconds.
    return SIDES[:-1] if filters == "nothing" else SIDES  # A release needs whole days.


def check_sides(api: Api, run_sql: Run, compared: str, sides: str, filters: dict[str, object]) -> dict:
    """Return the answer about the sides, which the SQL has told alike."""
    answer, parts = asked_both(api, run_sql, f"/v1/{compared}/compare?limit=1000&{sides}", filters)
    told, counted = (
        sorted(rows, key=lambda row: [row[name] for name in NAMES[compared]])
        for rows in (answer["data"], parts["data"])
    )
    check_rows(told, counted, TESTED[compared])
    check_totals(answer, parts["totals"])
    return answer


@pytest.mark.slow
@pytest.mark.parametrize("compared", ["journeys", "topics"])
@each_case
def test_two_sides(edited: Api, run_sql: Run, filters: str, compared: str) -> None:
    for sides in sides_under(filters):
        check_sides(edited, run_sql, compared, sides, FILTERS[filters])


@pytest.mark.slow
@pytest.mark.parametrize("edited", ["none"], indirect=True)
def test_cohorts_on_the_sides_are_told_from_those_of_the_filters(edited: Api, run_sql: Run) -> None:
    sides = "a.cohort=topic:unassigned&b.cohort=path:thanks>t_card"
    for compared in NAMES:
        answer = check_sides(edited, run_sql, compared, sides, {"cohort": "topic:t_card"})
        assert answer["n_sessions"]["a"] and answer["n_sessions"]["b"]
