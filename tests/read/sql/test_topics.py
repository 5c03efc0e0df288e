"""The SQL of topics counts what the API answers: their list, one of them, and the map."""

from __future__ import annotations

from typing import Any

from tests.duck import Rows, Run
from tests.read.conftest import Api
from tests.read.sql.checks import FILTERS, asked_both, check_numbers, check_rows, check_totals, each_case, same

OF_TOPIC = {"trend", "lineage", "number"}


def check_days(told: list[dict[str, Any]], counted: Rows) -> None:
    """The days of the answer that have messages are the SQL's."""
    shown = {
        (row["topic_id"], day["date"]): day["count"] for row in told for day in row["trend"]["days"] if day["count"]
    }
    there = {row["topic_id"] for row in told}
    assert shown == {(row["topic_id"], str(row["date"])): row["count"] for row in counted if row["topic_id"] in there}


@each_case
def test_topics(edited: Api, run_sql: Run, filters: str) -> None:
    answer, parts = asked_both(edited, run_sql, "/v1/topics", FILTERS[filters])
    check_rows(answer["data"], parts["data"], OF_TOPIC)
    check_rows(answer["hidden"], parts["hidden"])
    check_rows(answer["messages_per_day"], parts["messages_per_day"])
    check_rows(answer["per_day"], parts["per_day"])
    check_totals(answer, parts["totals"])
    check_days(answer["data"], parts["trend.days"])
    answer, parts = asked_both(edited, run_sql, "/v1/topics?number=tokens", FILTERS[filters])
    sums = {row.pop("topic_id"): row for row in parts["number"]}
    nothing = {"sum": 0, "mean": None, "median": None, "n": 0}
    for told, counted in [
        (answer["number"]["all"], sums[None]),
        (answer["number"]["unassigned"], sums.get("unassigned", nothing)),
        *((row["number"], sums.get(row["topic_id"], nothing)) for row in answer["data"]),
    ]:
        check_rows([told], [counted])


@each_case
def test_topics_in_sessions_and_users(edited: Api, run_sql: Run, filters: str) -> None:
    for unit in ("sessions", "users"):
        answer, parts = asked_both(edited, run_sql, f"/v1/topics?unit={unit}", FILTERS[filters])
        check_rows(answer["data"], parts["data"], OF_TOPIC)
        check_rows(answer["per_day"], parts["per_day"])
        check_totals(answer, parts["totals"])
        check_days(answer["data"], parts["trend.days"])


@each_case
def test_one_topic(edited: Api, run_sql: Run, filters: str) -> None:
    for name in ("t_parcel", "t_refund?unit=sessions", "theme_shop?unit=users", "thanks"):
        answer, parts = asked_both(edited, run_sql, f"/v1/topics/{name}", FILTERS[filters])
        check_totals(answer, parts["topic"])
        check_days([answer], parts["trend.days"])
        for part in ("series", "neighbours", "before", "after"):
            check_rows(answer[part], parts[part])
        for part, ends in (("data", {"low", "high"}), ("days", {"low", "high"})):
            check_rows(answer["mood"][part], parts[f"mood.{part}"], ends)
        flat = [{"field": each["field"], **row} for each in answer["segments"] for row in each["values"]]
        check_rows(flat, parts["segments"])
        without = {row["field"]: row["n_none"] for row in parts["segments.n_none"]}
        assert all(each["n_none"] == without.get(each["field"], 0) for each in answer["segments"])
        assert [each["field"] for each in answer["numbers"]] == [row["field"] for row in parts["numbers"]]
        for told, row in zip(answer["numbers"], parts["numbers"], strict=True):
            check_numbers(told, row)
            assert same(told["mean_of_all"], row["mean_of_all"]) and same(told["sum"], row["sum"])
            check_rows(
                [{"field": told["field"], **each} for each in told["bins"]],
                [each for each in parts["numbers.bins"] if each["field"] == told["field"]],
            )


@each_case
def test_the_map(edited: Api, run_sql: Run, filters: str) -> None:
    for path in ("/v1/topics/map", "/v1/topics/map?limit=4"):
        answer, parts = asked_both(edited, run_sql, path, FILTERS[filters])
        columns = ("x", "y", "topic_id", "text", "size")
        check_rows(
            [dict(zip(columns, row, strict=True)) for row in zip(*(answer[name] for name in columns), strict=True)],
            parts["data"],
        )
        assert answer["n_texts"] == (parts["totals"][0]["n_texts"] if answer["x"] else 0)
