"""Rows that a blocking check found wrong stop what follows from them, in every later run too, until they are right."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from tests.small_lake import DAYS, PROJECT, event, put, tables, versions
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS, MESSAGES, Table
from turret_pipeline.orchestration.definitions import build_definitions
from turret_pipeline.orchestration.foreground import build_project
from turret_pipeline.orchestration.leases import Leases
from turret_pipeline.orchestration.partitions import PROJECT as PROJECT_DIMENSION
from turret_pipeline.orchestration.scope import ProjectRuns
from turret_pipeline.orchestration.sensor import EVENTS_JOB, MODELS_JOB, look, range_tags
from turret_pipeline.orchestration.workshop import Workshop
from turret_pipeline.settings import Settings
from turret_pipeline.stages import STAGE_OF
from turret_pipeline.stages.pending import blocked_tables, pending_stages, stopped
from turret_pipeline.stages.work import Work

from .test_assets import QUIET
from .test_sensor import NOW, requests

REFRESH = {"resources": {"refresh": {"config": {"full": True}}}}


@dataclasses.dataclass
class Scene:
    """The definitions over one lake, and a Dagster that remembers nothing."""

    settings: Settings
    instance: dg.DagsterInstance

    @property
    def lake(self) -> Lake:
        return self.settings.open_lake()

    def run(self, job: str, refresh: bool = False) -> bool:
        """Run a job over the first two days, or over the project; return whether it succeeded."""
        found = build_definitions(Workshop(self.settings)).resolve_job_def(job)
        tags = range_tags(PROJECT, DAYS[:2]) if job == EVENTS_JOB else {}
        key = None if job == EVENTS_JOB else PROJECT
        config = QUIET | (REFRESH if refresh else {})
        return found.execute_in_process(config, self.instance, key, tags=tags, raise_on_error=False).success

    def asked(self) -> list[tuple[str | None, str | None]]:
        return requests(look(self.instance, self.settings, {}, NOW))


@pytest.fixture
def scene(lake_before: Callable[[str], Lake], database_url: str) -> Iterator[Scene]:
    lake = lake_before("end")
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(PROJECT_DIMENSION, [PROJECT])
        yield Scene(Settings(Path(lake.root).parent, lake.root, database_url), instance)


def double(lake: Lake, table: Table) -> None:
    """After this call a row of the second day is in the table twice, as if by a fault in the program."""
    opened = Work(lake, PROJECT).open(table)
    opened.append(opened.scan().filter(pl.col("received_date") == DAYS[1]).head(1).collect())


@pytest.mark.slow
def test_events_that_are_there_twice_stop_the_profiles_and_the_models_until_they_are_made_anew(scene: Scene) -> None:
    good = tables(scene.lake)
    double(scene.lake, EVENTS)
    assert scene.asked() != []
    assert not scene.run(EVENTS_JOB)
    assert blocked_tables(scene.lake) == {PROJECT: {"events": [DAYS[1]]}}
    after = versions(scene.lake)
    assert scene.asked() == []
    assert not scene.run(EVENTS_JOB)  # a retry finds nothing to do in the table, but looks again
    said = look(scene.instance, scene.settings, {}, NOW).skip_reason
    assert said is not None and f"events of {DAYS[1]}" in str(said) and "--full-refresh" in str(said)
    # New events are taken all the same.
    put(scene.lake, DAYS[2], "new", [event(900, DAYS[2], "where is my parcel?")])
    assert scene.asked() == [(EVENTS_JOB, f"{DAYS[1]}|{PROJECT}")]  # up to the new one's: the day itself is not done
    assert versions(scene.lake) == after

    assert scene.run(EVENTS_JOB, refresh=True)
    assert blocked_tables(scene.lake) == {}
    repaired = tables(scene.lake)
    for name in ("events", "field_profiles"):
        assert repaired[name].equals(good[name]), name


@pytest.mark.slow
def test_messages_that_are_there_twice_stop_what_follows_in_the_next_run_too(scene: Scene) -> None:
    double(scene.lake, MESSAGES)
    put(scene.lake, DAYS[1], "late", [event(900, DAYS[1], "where is my parcel?")])
    assert scene.run(EVENTS_JOB)
    before = versions(scene.lake)
    for _ in range(2):
        assert not scene.run(MODELS_JOB)
        assert blocked_tables(scene.lake) == {PROJECT: {"messages": [DAYS[1]]}}
        assert scene.asked() == []
    after = versions(scene.lake)
    follows = stopped(["messages"])
    assert {name for name in after if after[name] != before[name]} & follows == set()
    assert scene.run(MODELS_JOB, refresh=True)
    assert pending_stages(scene.lake, None) == {PROJECT: {}}


def test_a_build_in_the_foreground_says_so_and_builds_nothing_on_it(scene: Scene) -> None:
    double(scene.lake, EVENTS)
    assert not scene.run(EVENTS_JOB)
    jobs = {MODELS_JOB: build_definitions(Workshop(scene.settings)).resolve_job_def(MODELS_JOB)}
    todo = ProjectRuns((), frozenset(), frozenset({"messages"}), refresh_days=False, refresh_project=False)
    reasons = list(build_project(scene.instance, scene.lake, jobs, Leases(None), PROJECT, todo))
    assert len(reasons) == 1
    assert f"a check found rows of events of {DAYS[1]} wrong" in reasons[0]


def test_what_is_all_right_is_not_written_to_by_the_verdict(scene: Scene) -> None:
    before = versions(scene.lake)
    assert scene.run(EVENTS_JOB)
    assert versions(scene.lake) == before


def test_the_stages_read_what_the_assets_say_that_they_read(scene: Scene) -> None:
    graph = build_definitions(Workshop(scene.settings)).resolve_asset_graph()
    for name, stage in STAGE_OF.items():
        parents = {key.to_user_string() for key in graph.get(dg.AssetKey(name)).parent_keys} - {"raw_events"}
        assert parents == {source.table.name for source in stage.reads}, name
    behind = {"topic_days", "step_values", "friction", "answers", "journey_moves", "journey_edges"}
    assert stopped(["journey_steps"]) == behind
    assert stopped(["events"]) == set(STAGE_OF) - {"events"}
