"""The SQL of journeys counts what the API answers: the graph, its ends, paths, returns, sessions, retention."""

from __future__ import annotations

from tests.duck import Run
from tests.read.conftest import Api
from tests.read.sql.checks import FILTERS, asked_both, check_numbers, check_rows, check_totals, each_case, same

LISTS = (
    "/v1/journeys/starts",
    "/v1/journeys/drop-offs",
    "/v1/journeys/starts?unit=users",
    "/v1/journeys/drop-offs?unit=users",
    "/v1/journeys/loops?limit=1",
    "/v1/journeys/loops?unit=users",
    "/v1/journeys/paths",
    "/v1/journeys/paths?topic_id=t_parcel&depth=2&limit=3",
    "/v1/journeys/paths?topic_id=end&direction=to&depth=4",
    "/v1/journeys/paths?topic_id=unassigned&direction=to",
    "/v1/journeys/paths?unit=sessions",
    "/v1/journeys/paths?topic_id=t_parcel&depth=2&limit=3&unit=users",
    "/v1/journeys/paths?topic_id=end&direction=to&unit=users",
    "/v1/journeys/funnel?steps=t_parcel,t_refund",
    "/v1/journeys/funnel?steps=t_parcel,t_refund,t_parcel&within_s=150",
    "/v1/journeys/funnel?steps=t_card,theme_shop,nothing",
    "/v1/journeys/funnel?steps=t_parcel,t_refund,t_card&unit=users",
)


@each_case
def test_lists_about_journeys(edited: Api, run_sql: Run, filters: str) -> None:
    for path in LISTS:
        answer, parts = asked_both(edited, run_sql, path, FILTERS[filters])
        check_rows(answer["data"], parts["data"])
        check_totals(answer, parts["totals"])


@each_case
def test_the_graph_of_journeys(edited: Api, run_sql: Run, filters: str) -> None:
    for asked in ("number=tokens", "number=tokens&limit=3&unit=users", "number=tokens&unit=sessions"):
        path = f"/v1/journeys?{asked}"
        answer, parts = asked_both(edited, run_sql, path, FILTERS[filters])
        check_rows(answer["edges"], parts["edges"], {"number"})
        check_rows(answer["nodes"], parts["nodes"])
        check_totals(answer, parts["totals"])
        numbers = {(row["from"], row["to"]): row for row in parts["numbers"]}
        for edge in answer["edges"]:
            check_numbers(edge["number"], numbers[edge["from"], edge["to"]])


@each_case
def test_returns(edited: Api, run_sql: Run, filters: str) -> None:
    for unit in ("messages", "users"):
        answer, parts = asked_both(edited, run_sql, f"/v1/journeys/returns?unit={unit}", FILTERS[filters])
        for part in ("data", "topics", "intervals"):
            check_rows(answer[part], parts[part])
        check_totals(answer, parts["totals"])
        (quantiles,) = parts["interval_quantiles_s"]
        assert set(quantiles) == set(answer["interval_quantiles_s"])
        assert all(same(answer["interval_quantiles_s"][share], value) for share, value in quantiles.items())


@each_case
def test_sessions_behind_an_edge(edited: Api, run_sql: Run, filters: str) -> None:
    for asked in (
        "limit=3",
        "from_topic=start&to_topic=t_parcel",
        "from_topic=t_refund",
        "to_topic=end&friction=any",
        "from_topic=t_parcel&to_topic=t_refund&friction=repeated",
        "from_topic=t_parcel&outcome=plan",
        "to_topic=t_refund&friction=any&outcome=tokens",
        "to_topic=t_refund&friction=any&here=true",
        "from_topic=t_parcel&to_topic=t_refund&friction=any&here=true&outcome=plan",
        "began_from=2026-03-04T00:00:00Z&began_to=2026-03-12T00:00:00Z&from_topic=t_parcel",
        "began_from=2026-03-07T00:00:00Z&users=new",
    ):
        answer, parts = asked_both(edited, run_sql, f"/v1/journeys/sessions?{asked}", FILTERS[filters])
        check_rows(answer["data"], parts["data"])
        check_totals(answer, parts["totals"])


PERIOD = ("period", "n_users", "n_back", "share")


@each_case
def test_retention(edited: Api, run_sql: Run, filters: str) -> None:
    for asked in ("by=day", "by=week&topic_id=t_refund"):
        answer, parts = asked_both(edited, run_sql, f"/v1/retention?{asked}", FILTERS[filters])
        check_totals(answer, parts["totals"])
        check_rows(answer["data"], parts["data"], {"periods"})
        check_rows([{name: row[name] for name in PERIOD} for row in answer["all"]], parts["all"])
        for row in answer["data"]:
            mine = [each for each in parts["data.periods"] if each["topic_id"] == row["topic_id"]]
            ends = {"low", "high", "low_same", "high_same"}
            check_rows([{"topic_id": row["topic_id"], **each} for each in row["periods"]], mine, ends)
        for row in answer["starts"]:
            mine = [each for each in parts["starts"] if str(each["start"]) == row["start"]]
            assert mine[0]["n_users"] == row["n_users"]
            told = [(n, again) for n, again in zip(row["n_back"], row["n_same"], strict=True) if n is not None]
            assert told == [(each["n_back"], each["n_same"]) for each in mine if each["period"]]
