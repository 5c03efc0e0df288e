"""`/metrics` says how the pipeline does, and the Grafana dashboard asks for nothing that it does not say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, NullPool, create_engine, text

from tests.small_lake import DAYS, event, put
from turret_api.accounts import Accounts
from turret_api.collector.metrics import Metrics
from turret_api.freshness import Freshness
from turret_api.pipeline_metrics import MOST_PROJECTS, PipelineMetrics
from turret_api.serve.exposition import exposition
from turret_pipeline.lake import store, waiting
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FIELD_FAILURES

ROOT = Path(__file__).parents[2]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "turret.json").read_text())
RUNS = """
    CREATE SCHEMA dagster;
    CREATE TABLE dagster.runs (id serial, status text, update_timestamp timestamp, end_time float);
    INSERT INTO dagster.runs (status, update_timestamp, end_time) VALUES
        ('QUEUED', now(), NULL), ('STARTED', now() - interval '3 days', NULL), ('STARTING', now(), NULL),
        ('SUCCESS', now(), 1700000000.5), ('SUCCESS', now() - interval '3 days', 1600000000),
        ('FAILURE', now() AT TIME ZONE 'utc', 1700000001), ('CANCELED', now() AT TIME ZONE 'utc', 1700000002)
"""

Samples = dict[tuple[str, str], float]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """The database with the accounts, and without Dagster's schema before and after."""
    accounts = Accounts(database_url)
    accounts.migrate()
    accounts.close()
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA IF EXISTS dagster CASCADE"))
    yield engine
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA IF EXISTS dagster CASCADE"))


def metrics_of(lake: Lake, engine: Engine, spools: Path | None = None) -> PipelineMetrics:
    return PipelineMetrics(lake, Freshness(lake, spools, late_s=600.0), engine)


def samples(exposed: bytes) -> Samples:
    """Return the values by metric and label (or "")."""
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(exposed.decode())
        for sample in family.samples
    }


def test_an_empty_system_is_told_as_one_that_is_up_to_date(tmp_path: Path, engine: Engine) -> None:
    found = samples(metrics_of(Lake(str(tmp_path)), engine).exposition())
    names = ("oldest_wait_seconds", "waiting_projects", "late_projects", "damaged_files", "field_failures")
    assert all(found[f"turret_{name}", ""] == 0 for name in (*names, "runs_queued", "runs_under_way"))
    assert {found["turret_source_up", each] for each in ("waiting", "runs", "tables", "messages")} == {1}
    assert [found["turret_alert_messages", each] for each in ("waiting", "dead")] == [0, 0]


def test_waits_runs_failures_and_rows_are_those_of_lake_and_database(tmp_path: Path, engine: Engine) -> None:
    lake = Lake(str(tmp_path))
    put(lake, DAYS[0], "c-000000000001-000000000001", [event(1, DAYS[0], "a")])
    seen = waiting.follow(None, {"shop": {"topics": None, "messages": None}, "bank": {"topics": None}}, 1000.0)
    waiting.write(lake, waiting.Seen(2e9, seen.waiting))
    failure = {
        "project_id": "shop",
        "table": "topics",
        "field": "plan",
        "reason": "x",
        "n_messages": 1,
        "tried_with": "",
    }
    store.append(
        lake, FIELD_FAILURES, pl.concat([FIELD_FAILURES.empty(), pl.DataFrame(failure)], how="diagonal_relaxed")
    )
    with engine.connect() as connection:
        connection.execute(text(RUNS))
    found = samples(metrics_of(lake, engine).exposition())
    assert found["turret_oldest_wait_seconds", ""] == found["turret_project_oldest_wait_seconds", "bank"] > 1e9
    assert (found["turret_waiting_projects", ""], found["turret_late_projects", ""]) == (2, 2)
    assert found["turret_table_waiting_projects", "topics"] == 2
    assert found["turret_table_waiting_projects", "messages"] == 1
    assert found["turret_pipeline_look_timestamp_seconds", ""] == 2e9
    assert (found["turret_runs_queued", ""], found["turret_runs_under_way", ""]) == (1, 2)
    assert [found["turret_runs_finished_last_day", each] for each in ("success", "failure", "canceled")] == [1, 1, 1]
    assert found["turret_runs_last_success_timestamp_seconds", ""] in (1600000000, 1700000000.5)
    assert found["turret_field_failures", ""] == found["turret_table_rows", "field_failures"] == 1


def test_messages_that_wait_and_dead_letters_are_counted(tmp_path: Path, make_database: Callable[[], str]) -> None:
    engine = create_engine(make_database(), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA turret; CREATE TABLE turret.alert_deliveries (state text)"))
        connection.execute(text("INSERT INTO turret.alert_deliveries VALUES ('dead'), ('sent'), ('dead'), ('waiting')"))
    found = samples(metrics_of(Lake(str(tmp_path)), engine).exposition())
    assert [found["turret_alert_messages", each] for each in ("waiting", "dead")] == [1, 2]


def test_of_many_projects_only_those_that_wait_longest_are_named(tmp_path: Path, engine: Engine) -> None:
    lake = Lake(str(tmp_path))
    seen = {f"p{n:03}": {"topics": waiting.Wait(1000.0 + n, None, 1000.0)} for n in range(3 * MOST_PROJECTS)}
    waiting.write(lake, waiting.Seen(2e9, seen))
    found = samples(metrics_of(lake, engine).exposition())
    named = sorted(project for name, project in found if name == "turret_project_oldest_wait_seconds")
    assert named == [f"p{n:03}" for n in range(MOST_PROJECTS)]


def test_a_source_that_is_away_takes_its_own_metrics_with_it_only(tmp_path: Path) -> None:
    away = create_engine("postgresql+psycopg2://turret:none@127.0.0.1:1/turret", poolclass=NullPool)
    found = samples(metrics_of(Lake(str(tmp_path)), away).exposition())
    assert (found["turret_source_up", "runs"], found["turret_source_up", "waiting"]) == (0, 1)
    assert ("turret_runs_queued", "") not in found and ("turret_oldest_wait_seconds", "") in found


def test_the_dashboard_asks_for_metrics_that_are_served_and_labels_that_they_have(
    tmp_path: Path, engine: Engine
) -> None:
    lake = Lake(str(tmp_path))
    waiting.write(lake, waiting.follow(None, {"shop": {"topics": None}}, 1000.0))
    collector = Metrics()
    collector.refused.labels("INVALID_REQUEST").inc()
    collector.disk_free.labels("spool").set(1)
    exposed = exposition(collector.registry, tmp_path / "spool" / "0") + metrics_of(lake, engine).exposition()
    labels = {
        sample.name: {"instance", *sample.labels}
        for family in text_string_to_metric_families(exposed.decode())
        for sample in family.samples
    }
    asked = set()
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            names = re.findall(r"turret_[a-z_]+", target["expr"])
            assert names, target
            asked |= set(names)
            by = re.search(r"by \(([a-z, ]+)\)", target["expr"])
            shown = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
            for label in [*(by[1].split(", ") if by else []), *shown]:
                assert label == "le" or label in labels[names[0]], (target["expr"], label)
    assert asked - set(labels) == set()
    assert {name for name in labels if name.startswith(("turret_runs", "turret_late", "turret_damaged"))} <= asked


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= DASHBOARD.keys()
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
        assert panel["type"] in ("row", "stat", "timeseries")
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert panel["description"].endswith(".")
