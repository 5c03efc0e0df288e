"""The SQL of messages, sessions, events and fields lists what the API answers."""

from __future__ import annotations

import json

import pytest

from tests.duck import Run
from tests.read.conftest import Api
from tests.read.sql.checks import FILTERS, asked_both, check_rows, check_totals, each_case


@each_case
def test_messages(edited: Api, run_sql: Run, filters: str) -> None:
    paths = [
        "/v1/messages?limit=7",
        *(f"/v1/messages?topic_id={name}" for name in ("t_refund", "unassigned", "moves", "thanks")),
    ]
    for path in paths:
        answer, parts = asked_both(edited, run_sql, path, FILTERS[filters])
        check_rows(answer["data"], parts["data"], {"frames"})
    cursor = edited.get("/v1/messages", limit=7)["next"]
    answer, parts = asked_both(edited, run_sql, f"/v1/messages?limit=5&cursor={cursor}", {})
    assert len(answer["data"]) == 5
    check_rows(answer["data"], parts["data"], {"frames"})


@pytest.mark.parametrize("edited", ["none", "merged"], indirect=True)
def test_events_fields_edits_and_fits(edited: Api, run_sql: Run) -> None:
    answer, parts = asked_both(edited, run_sql, "/v1/events", {})
    check_rows(answer["data"], parts["data"])
    check_rows(answer["received_per_day"], parts["received_per_day"])
    check_totals(answer, parts["totals"])
    answer, parts = asked_both(edited, run_sql, "/v1/fields", {})
    texts = ("examples", "values", "quantiles", "bins")
    rows = [row | {name: row[name] and json.loads(row[name]) for name in texts} for row in parts["data"]]
    check_rows(answer["data"], rows, {"failure", "outcome"})
    for path in ("/v1/fields/history?field=prompt", "/v1/topics/edits?limit=2", "/v1/topics/fits"):
        answer, parts = asked_both(edited, run_sql, path, {})
        check_rows(answer["data"], parts["data"])


@pytest.mark.parametrize("edited", ["merged", "answers"], indirect=True)
def test_one_session(edited: Api, run_sql: Run) -> None:
    for session in ("s2", "c1", "c4", "s1", "c2"):
        answer, parts = asked_both(edited, run_sql, f"/v1/sessions/{session}", {})
        check_rows(answer["data"], parts["data"], {"frames", "signs"})
        check_totals(answer, parts["totals"])
        told = [
            {"field": row["field"], "event_id": row["event_id"], **sign}
            for row in answer["data"]
            for sign in row["signs"]
        ]
        check_rows(sorted(told, key=lambda row: (row["event_id"], row["sign"])), parts["data.signs"])
