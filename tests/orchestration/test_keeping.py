"""What is over goes by a run of Dagster, each day, with what went in its metadata."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from tests.small_lake import PROJECT
from turret_pipeline.lake import store
from turret_pipeline.lake.locks import sole_writer
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import MESSAGES, REMOVALS, RETENTION_RULES
from turret_pipeline.orchestration import keeping
from turret_pipeline.orchestration.definitions import build_definitions
from turret_pipeline.orchestration.keeping import KEEPING_JOB
from turret_pipeline.orchestration.workshop import Workshop
from turret_pipeline.retention import run as retention
from turret_pipeline.settings import Settings

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def metadata_of(lake: Lake, database_url: str) -> dict[str, object]:
    """Run the job and return what it says."""
    found = build_definitions(Workshop(Settings(Path(lake.root).parent, lake.root, database_url)))
    with dg.DagsterInstance.ephemeral() as instance:
        run = found.resolve_job_def(KEEPING_JOB).execute_in_process(run_config=QUIET, instance=instance)
        (made,) = run.asset_materializations_for_node("retained_texts")
        return {name: each.value for name, each in made.metadata.items()}


@pytest.mark.slow
def test_a_project_without_rules_keeps_all_and_one_with_rules_what_they_keep(
    lake_before: Callable[[str], Lake], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_before("end")
    assert metadata_of(lake, database_url)["events"] == 0
    row = {"project_id": PROJECT, "field": None, "decided_at": dt.datetime.now(dt.UTC), "days": 0, "author": None}
    store.append(lake, RETENTION_RULES, pl.DataFrame([row], schema=RETENTION_RULES.schema))
    monkeypatch.setattr(keeping, "PATIENCE_S", 0.2)
    with sole_writer(database_url, lake, PROJECT):
        told = metadata_of(lake, database_url)
    assert (told["events"], told["projects left for next time"]) == (0, 1)
    told = metadata_of(lake, database_url)
    assert (told["events"], told["messages"], told["texts"], told["projects"]) == (240, 240, 240, 1)
    (went,) = told["what went"].records  # type: ignore[attr-defined]
    assert went.data == {
        "project": PROJECT,
        "from": "2026-10-01",
        "until": "2026-10-03",
        "events": 240,
        "messages": 240,
    }
    assert store.read(lake, MESSAGES, PROJECT, "text")["text"].null_count() == 240
    assert store.read(lake, REMOVALS, PROJECT).height == 1


def test_the_job_has_a_schedule_that_is_on(lake: Lake, database_url: str) -> None:
    found = build_definitions(Workshop(Settings(Path(lake.root).parent, lake.root, database_url)))
    (schedule,) = (each for each in found.schedules or () if each.job_name == KEEPING_JOB)  # type: ignore[union-attr]
    assert schedule.cron_schedule == "17 1 * * *"
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING


def test_a_failure_says_where_it_arose_and_quotes_nothing(
    lake_before: Callable[[str], Lake], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(work: object, now: dt.datetime) -> None:
        raise ValueError("cannot read 'what somebody wrote'")

    lake = lake_before("end")
    row = {"project_id": PROJECT, "field": None, "decided_at": dt.datetime.now(dt.UTC), "days": 0, "author": None}
    store.append(lake, RETENTION_RULES, pl.DataFrame([row], schema=RETENTION_RULES.schema))
    monkeypatch.setattr(retention, "retain", fails)
    with pytest.raises(dg.Failure) as failure:
        metadata_of(lake, database_url)
    assert str(failure.value.description).startswith(f"{PROJECT}: ValueError in test_keeping.py, line ")
    assert "somebody" not in str(failure.value.description)
