"""The SQL of the digest and of notes counts what the API answers, also where there is no window before."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.duck import Run
from tests.read.conftest import Api
from tests.read.sql.checks import asked_both, check_rows, check_totals, same


@pytest.mark.slow
@pytest.mark.parametrize("days", [3, 15])
def test_the_digest(apis: Callable[[str], Api], run_sql: Run, days: int) -> None:
    api = apis("notes")
    answer, parts = asked_both(api, run_sql, f"/v1/digest?days={days}", {})
    assert (answer["messages"]["before"] is None) == (days == 15)
    check_totals(answer, parts["totals"])
    for part in ("topics", "friction", "numbers", "annotations", "notes"):
        assert answer[part], part
        check_rows(answer[part], parts[part])
    counted = {(row["kind"], row["topic_id"], row["to_topic"], row["value"]): row for row in parts.get("changes", [])}
    for told in answer["changes"]:
        row = counted[told["kind"], told["topic_id"], told["to_topic"], told["value"]]
        assert all(same(told[name], row[name]) for name in ("now", "before", "of_now", "of_before"))


def test_notes_are_on_the_topics_that_theirs_became(apis: Callable[[str], Api], run_sql: Run) -> None:
    api = apis("notes")
    for path in ("notes", "notes?limit=2", "t_parcel/notes", "t_card/notes"):
        answer, parts = asked_both(api, run_sql, f"/v1/topics/{path}", {})
        assert answer["data"]
        check_rows(answer["data"], parts["data"])
    for path in ("/v1/annotations", "/v1/annotations?kind=release", "/v1/views"):
        answer, parts = asked_both(api, run_sql, path, {})
        check_rows(answer["data"], parts["data"])
