"""The SQL of cohorts finds the users that the API does: of topics, themes, moves and paths, in or out, and edited."""

from __future__ import annotations

import pytest

from tests.duck import Run
from tests.read.conftest import Api
from tests.read.sql.checks import asked_both, check_rows, check_totals

COHORTS = (
    "topic:t_card",
    "!topic:t_refund",
    "topic:thanks",
    "!topic:moves",
    "topic:unassigned",
    "topic:theme_shop",
    "path:start>t_parcel>t_refund>end",
    "!path:t_refund>t_card",
    "path:theme_shop>end",
    "path:thanks>t_card",
    "path:start>moves>end",
    "path:t_parcel>start",
)


@pytest.mark.slow
@pytest.mark.parametrize("edited", ["none", "merged"], indirect=True)
def test_users_of_cohorts(edited: Api, run_sql: Run) -> None:
    found = {}
    for cohort in COHORTS:
        answer, parts = asked_both(edited, run_sql, "/v1/journeys/starts?unit=users", {"cohort": cohort})
        check_totals(answer, parts["totals"])
        check_rows(answer["data"], parts["data"])
        found[cohort] = answer["n_users"]
    every = edited.get("/v1/journeys/starts", unit="users")["n_users"]
    assert sum(0 < n < every for n in found.values()) >= 6, found
    assert found["path:t_parcel>start"] == 0


@pytest.mark.slow
def test_cohorts_are_met_by_all_at_once(edited: Api, run_sql: Run) -> None:
    both = {"cohort": ["topic:thanks", "!topic:t_card"]}
    for path in ("/v1/topics/t_parcel", "/v1/topics/thanks"):
        answer, parts = asked_both(edited, run_sql, path, both)
        check_totals(answer, parts["topic"])
    answer, parts = asked_both(edited, run_sql, "/v1/messages", both)
    assert {row["session_id"] for row in answer["data"]} == {"c4", "c5"}
    check_rows(answer["data"], parts["data"], {"frames"})
