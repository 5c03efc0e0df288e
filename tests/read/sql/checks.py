"""What the API answers beside what its SQL counts, and the filters and edits under which both are asked for."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.duck import Rows, Run
from tests.read.conftest import Api

FILTERS: dict[str, dict[str, Any]] = {
    "all": {},
    "moves too": {"kinds": "all"},
    "themes": {"level": 1},
    "a segment": {"segment.plan": "pro"},
    "a name": {"name": "chat", "level": 1},
    "a time, moves too": {"from": "2026-03-03T00:00:00Z", "to": "2026-03-09T23:54:00+02:00", "kinds": "all"},
    "a range": {"segment.tokens": ["10..30", "..3", "52"]},
    "cohorts, moves too": {"kinds": "all", "cohort": ["path:t_parcel>t_refund>end", "!path:start>t_card"]},
    "nothing": {"segment.plan": "enter' OR 1=1 --"},
}

QUICK = [("merged", "themes")]
SLOW = [("none", "a range"), ("none", "cohorts, moves too"), ("a ring, and one taken back", "all")]
LONG = [
    *(("none", name) for name in ("all", "a name", "a time, moves too", "nothing")),
    ("renamed and hidden", "moves too"),
]
CASES = [
    *QUICK,
    *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW),
    *(pytest.param(*case, marks=pytest.mark.long) for case in LONG),
]
each_case = pytest.mark.parametrize(("edited", "filters"), CASES, indirect=["edited"])
"""Filters without edits, and each set of edits with one that it meets."""


def statements(api: Api, path: str, **asked: Any) -> str:
    answer = api.client.get(path, params={**asked, "format": "sql"}, headers={"X-API-Key": "shop:read"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    return answer.text


def at(answer: Any, name: str) -> Any:
    for part in name.split("."):
        answer = answer[part]
    return answer


def plain(value: Any) -> Any:
    """A value of DuckDB's as JSON has it."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC)
    if isinstance(value, dt.date):
        return value.isoformat()
    return value


def same(told: Any, counted: Any) -> bool:
    counted = plain(counted)
    if isinstance(counted, dt.datetime):
        return dt.datetime.fromisoformat(told) == counted
    if isinstance(told, float) or isinstance(counted, float):
        return told == pytest.approx(counted, rel=1e-9, abs=1e-12)
    return told == counted


def check_rows(told: Rows, counted: Rows, left_out: set[str] | frozenset[str] = frozenset()) -> None:
    """Every number and word of the answer's rows is in the SQL's, but for those `left_out`, in the same order."""
    assert len(told) == len(counted)
    for answer, row in zip(told, counted, strict=True):
        assert set(answer) == set(row) | left_out
        for name, value in row.items():
            assert same(answer[name], value), (name, answer, row)


def check_totals(answer: dict[str, Any], rows: Rows) -> None:
    (row,) = rows
    for name, value in row.items():
        assert same(at(answer, name), value), (name, at(answer, name), value)


def asked_of(path: str, filters: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    path, _, query = path.partition("?")
    has_level = path != "/v1/messages" and not path.startswith("/v1/topics/")
    mine = {name: value for name, value in filters.items() if name != "level" or has_level}
    return path, mine | dict(each.split("=") for each in query.split("&") if each)


def asked_both(api: Api, run_sql: Run, path: str, filters: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Rows]]:
    """What the API answers, and what its SQL gives."""
    address, asked = asked_of(path, filters)
    return api.get(address, **asked), run_sql(statements(api, address, **asked))


def check_numbers(told: dict[str, Any], row: dict[str, Any]) -> None:
    for name in ("count", "n_none", "min", "max", "mean"):
        assert same(told[name], row[name]), (name, told, row)
    for share, value in (told["quantiles"] or {}).items():
        assert same(value, row[f"quantiles.{share}"])
