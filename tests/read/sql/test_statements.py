"""Every answer has its SQL, which is a text to run as it stands, whatever clients call things."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient

from tests.duck import Run, put_delta
from tests.read.conftest import SESSIONS, Api, write_lake
from tests.read.reading import read_app
from tests.read.sql.checks import asked_both, check_rows, check_totals, statements
from turret_api.read.engine.question import Question
from turret_api.read.http.questions import JOURNEYS, READ
from turret_api.read.questions.of_field import OfField
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS


def test_every_answer_has_its_sql() -> None:
    asked = {**READ, **JOURNEYS}
    lacking = {path for path, (_, kind) in asked.items() if kind.queries is Question.queries}
    lacking |= {
        path
        for path, (_, kind) in asked.items()
        if issubclass(kind, OfField) and kind.queries is OfField.queries and kind.queries_of is OfField.queries_of
    }
    assert lacking == set()


def test_sql_is_of_the_tables_as_they_are_now(api: Api) -> None:
    assert "as_of" in api.get("/v1/topics", format="sql", as_of="2026-03-20T00:00:00Z", status=400)["error"]


def test_what_has_no_answer_has_no_sql(api: Api) -> None:
    api.get("/v1/topics/t_nothing", format="sql", status=404)
    api.get("/v1/topics", format="sql", cohort="topic:t_nothing", status=404)
    api.get("/v1/topics/t_nothing/notes", format="sql", status=404)
    api.get("/v1/journeys", format="sql", field="plan", status=400)
    api.get("/v1/messages", format="sql", q=" ", status=400)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["it's", 'a "quoted" one', "a/b~1c", "$.x", "0", "naïve 日本", "back\\slash", "--", "%s {}"]
)
def test_any_name_of_a_field_is_a_name_and_no_statement(tmp_path: Path, run_sql: Run, name: str) -> None:
    lake = Lake(str(tmp_path / "lake"))
    write_lake(lake, "shop", SESSIONS)
    events = store.read(lake, EVENTS, "shop")
    sent = [json.dumps(json.loads(text) | {name: name * 2}) for text in events["metadata"][::2]]
    changed = pl.concat([events[::2].with_columns(metadata=pl.Series(sent)), events[1::2]])
    store.replace(lake, EVENTS, changed, "shop")
    with TestClient(read_app(lake)) as client:
        asked = {f"segment.{name}": name * 2}
        answer, parts = asked_both(Api(lake, client), run_sql, "/v1/topics", asked)
    assert answer["n_messages"] == len(sent)
    check_totals(answer, parts["totals"])
    check_rows(answer["data"], parts["data"], {"trend", "lineage", "number"})


def test_the_example_of_the_docs_runs_as_it_stands(api: Api, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "read.md").read_text()
    found = re.search(r"<!-- run: show the query -->\n```python\n(.*?)```", page, re.DOTALL)
    assert found is not None
    put_delta(tmp_path / ".duckdb" / "extensions")
    (tmp_path / "topics.sql").write_text(statements(api, "/v1/topics"))
    environment = {**os.environ, "HOME": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "-c", found[1]], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    assert "messages_per_day" in told.stdout and "Parcel tracking" in told.stdout
