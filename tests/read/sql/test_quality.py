"""The SQL of friction, answers and outcomes counts what the API answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.duck import Rows, Run
from tests.read.conftest import Api
from tests.read.sql.checks import FILTERS, asked_both, check_rows, check_totals, each_case

SHARES = {f"share_of_{unit}_{end}" for unit in ("messages", "sessions", "users") for end in ("low", "high")}


@each_case
def test_friction(edited: Api, run_sql: Run, filters: str) -> None:
    for path in ("/v1/friction", "/v1/friction?limit=2&unit=sessions", "/v1/friction?unit=users"):
        answer, parts = asked_both(edited, run_sql, path, FILTERS[filters])
        check_rows(answer["data"], parts["data"], SHARES)
        check_rows(answer["topics"], parts["topics"], {"low", "high"})
        check_rows(answer["moves"], parts["moves"], {"low", "high"})
        check_totals(answer, parts["totals"])


@pytest.mark.slow
@pytest.mark.parametrize("filters", ["all", "cohorts, moves too", "a segment"])
def test_answers(apis: Callable[[str], Api], run_sql: Run, filters: str) -> None:
    api = apis("answers")
    answer, parts = asked_both(api, run_sql, "/v1/answers?limit=100", FILTERS[filters])
    assert answer["n_refused"] and answer["n_repeated"] and answer["n_unanswered"]
    check_totals(answer, parts["totals"])
    check_rows(answer["data"], parts["data"], {"answers", "rest", "low", "high"})
    check_rows(answer["answers"], parts["answers"])
    for row in answer["data"]:
        mine = [each for each in parts["data.answers"] if each["topic_id"] == row["topic_id"]]
        assert [(each["topic_id"], each["count"]) for each in row["answers"]] == [
            (each["answer_topic"], each["count"]) for each in mine[:5]
        ]
    for asked in ("answer=unserved", "answer=none&sentiment=negative", "answer=repeated&topic_id=t_parcel"):
        answer, parts = asked_both(api, run_sql, f"/v1/messages?{asked}", FILTERS[filters])
        check_rows(answer["data"], parts["data"], {"frames"})


LEFT_TO_TESTS = {"low", "high", "superiority", "p_value", "q_value", "effect"}


@each_case
def test_outcomes(edited: Api, run_sql: Run, filters: str) -> None:
    for asked in ("outcome=plan", "outcome=tokens", "outcome=tokens&topic_id=t_refund"):
        answer, parts = asked_both(edited, run_sql, f"/v1/outcomes?limit=1000&{asked}", FILTERS[filters])
        check_totals(answer, parts["totals"])

        def by_thing(rows: Rows) -> Rows:
            return sorted(rows, key=lambda row: (row["kind"], *(row[name] or "" for name in THING)))

        check_rows(by_thing(answer["data"]), by_thing(parts["data"]), LEFT_TO_TESTS)


THING = ("topic_id", "from", "to", "sign")
