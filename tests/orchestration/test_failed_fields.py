"""Dagster and the build show a field that failed and do all else; the sensor does not ask for it again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from tests.small_lake import DAYS, PROJECT, event, put
from turret_pipeline.analysis.fields import detect
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FIELD_FAILURES, TABLES
from turret_pipeline.orchestration.definitions import build_definitions
from turret_pipeline.orchestration.partitions import PROJECT as PROJECT_DIMENSION
from turret_pipeline.orchestration.sensor import EVENTS_JOB, MODELS_JOB, look, range_tags
from turret_pipeline.orchestration.workshop import Workshop
from turret_pipeline.settings import Settings
from turret_pipeline.stages.fits import fit

from .test_assets import QUIET
from .test_assets import environment as environment
from .test_sensor import NOW, requests

FAIL = """
import sys
from turret_pipeline.stages.fits import fit
def fails(*texts, **how): raise TypeError("object of type 'float' has no len()")
fit.fit_topics = fails
from turret_pipeline.orchestration.build import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """A Dagster that remembers nothing."""
    with dg.DagsterInstance.ephemeral() as made:
        made.add_dynamic_partitions(PROJECT_DIMENSION, [PROJECT])
        yield made


def fails(*values: object, **how: object) -> None:
    raise TypeError("object of type 'float' has no len()")


def run(instance: dg.DagsterInstance, settings: Settings, job: str) -> dg.ExecuteInProcessResult:
    found = build_definitions(Workshop(settings)).resolve_job_def(job)
    if job == EVENTS_JOB:
        return found.execute_in_process(QUIET, instance, tags=range_tags(PROJECT, DAYS))
    return found.execute_in_process(QUIET, instance, partition_key=PROJECT)


@pytest.mark.slow
def test_dagster_shows_a_failed_field_as_a_check_and_beside_the_table_and_does_the_rest(
    instance: dg.DagsterInstance, lake_before: Callable[[str], Lake], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_before("topics")
    settings = Settings(Path(lake.root).parent, lake.root, database_url)
    with monkeypatch.context() as patch:
        patch.setattr(fit, "fit_topics", fails)
        result = run(instance, settings, MODELS_JOB)
    assert result.success
    (check,) = (each for each in result.get_asset_check_evaluations() if not each.passed)
    assert (check.asset_key.path, check.check_name, check.severity) == (
        ["topics"],
        "no_field_failed",
        dg.AssetCheckSeverity.ERROR,
    )
    assert "prompt" in str(check.metadata["for example"].value) and "TypeError" in str(
        check.metadata["for example"].value
    )
    (shown,) = (each for each in result.get_asset_materialization_events() if each.asset_key.path == ["topics"])
    assert shown.partition == PROJECT
    assert shown.materialization.metadata["prompt failed"].value == "TypeError: object of type 'float' has no len()"
    assert store.read(lake, TABLES["journey_edges"], PROJECT).height == 2
    assert requests(look(instance, settings, {}, NOW)) == []

    put(lake, DAYS[2], "more", [event(900, DAYS[2], "a refund for order 900")])
    assert requests(look(instance, settings, {}, NOW)) != []
    run(instance, settings, EVENTS_JOB)
    again = run(instance, settings, MODELS_JOB)
    assert [each.check_name for each in again.get_asset_check_evaluations() if not each.passed] == []
    assert store.read(lake, FIELD_FAILURES, PROJECT).is_empty()
    assert store.read(lake, TABLES["topics"], PROJECT).height > 2


@pytest.mark.slow
def test_a_profile_that_fails_is_shown_on_its_day(
    instance: dg.DagsterInstance, lake_before: Callable[[str], Lake], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_before("events")
    of_one_day = detect.observe
    monkeypatch.setattr(
        detect,
        "observe",
        lambda values, known: fails() if any("order 0" in str(each) for each in values) else of_one_day(values, known),
    )
    result = run(instance, Settings(Path(lake.root).parent, lake.root, database_url), EVENTS_JOB)
    assert result.success
    assert [each.check_name for each in result.get_asset_check_evaluations() if not each.passed] == ["no_field_failed"]
    profiles = [each for each in result.get_asset_materialization_events() if each.asset_key.path == ["field_profiles"]]
    failed = [str(each.partition) for each in profiles if "prompt failed" in each.materialization.metadata]
    assert failed == [f"{DAYS[0]}|{PROJECT}"]


@pytest.mark.long
def test_a_build_names_the_fields_that_failed_and_fails_until_they_are_done(
    environment: dict[str, str], lake_before: Callable[[str], Lake]
) -> None:
    lake = lake_before("topics")
    environment |= {"TURRET_LAKE": lake.root}

    def build(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)

    words = (
        f"build failed: {PROJECT}: the field prompt failed in topics: TypeError: object of type 'float' has no len()"
    )
    first = build("-c", FAIL)
    assert (first.returncode, first.stdout.splitlines()[-1]) == (1, words), first.stdout + first.stderr
    assert f"{PROJECT}  journey_edges" in first.stdout
    # Nothing is left to do, but not all is well.
    second = build("-m", "turret_pipeline.orchestration.build")
    assert (second.returncode, second.stdout.splitlines()[-1]) == (1, words), second.stdout + second.stderr
    assert len(second.stdout.splitlines()) == 2
    third = build("-m", "turret_pipeline.orchestration.build", "--full-refresh", "--asset", "topics")
    assert third.returncode == 0, third.stdout + third.stderr
    assert store.read(lake, FIELD_FAILURES, PROJECT).is_empty()
