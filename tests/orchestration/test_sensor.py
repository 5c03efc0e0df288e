"""The sensor asks for the runs that the lake needs: no more, not too often, and again after a failure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from tests.small_lake import DAYS, PROJECT, bring, bring_one, event, put
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.parts import list_files_of, remove_files, take_back
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS
from turret_pipeline.lake.waiting import Waiting, waiting_projects
from turret_pipeline.orchestration.definitions import build_definitions
from turret_pipeline.orchestration.sensor import (
    EVENTS_JOB,
    MODELS_JOB,
    PROJECT_TAG,
    RANGE_END,
    RANGE_START,
    STREAM_GAP_S,
    look,
)
from turret_pipeline.orchestration.wishes import RETRY_S, LastRequest, LastRequests
from turret_pipeline.orchestration.workshop import Workshop
from turret_pipeline.settings import Settings
from turret_pipeline.stages.work import Work

NOW = 1_800_000_000.0


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """A Dagster that remembers nothing."""
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def over(settings: Settings, lake: Lake) -> Settings:
    """Return the settings with this lake."""
    return dataclasses.replace(settings, lake=lake.root)


def requests(result: dg.SensorResult) -> list[tuple[str | None, str | None]]:
    """Return job and partition (or the first of the range) of each run that is asked for."""
    runs = result.run_requests or []
    return [(run.job_name, run.partition_key or run.tags[RANGE_START]) for run in runs]


def test_new_parts_lead_to_one_run_over_their_days_and_a_new_project_is_made_known(
    instance: dg.DagsterInstance, settings: Settings, lake_before: Callable[[str], Lake]
) -> None:
    result = look(instance, over(settings, lake_before("events")), {}, NOW)
    assert requests(result) == [(EVENTS_JOB, f"{DAYS[0]}|{PROJECT}")]
    assert result.run_requests is not None
    assert result.run_requests[0].tags[RANGE_END] == f"{DAYS[2]}|{PROJECT}"
    assert result.dynamic_partitions_requests is not None
    assert list(result.dynamic_partitions_requests[0].partition_keys) == [PROJECT]
    assert [each.partition for each in result.asset_events] == [f"{day}|{PROJECT}" for day in DAYS]


def test_when_the_events_are_there_what_follows_is_asked_for(
    instance: dg.DagsterInstance, settings: Settings, lake_before: Callable[[str], Lake]
) -> None:
    assert requests(look(instance, over(settings, lake_before("field_types")), {}, NOW)) == [(MODELS_JOB, PROJECT)]


def test_nothing_is_asked_for_when_everything_is_up_to_date(
    instance: dg.DagsterInstance, settings: Settings, lake_before: Callable[[str], Lake]
) -> None:
    result = look(instance, over(settings, lake_before("end")), {}, NOW)
    assert requests(result) == []
    assert "up to date" in str(result.skip_reason)


@pytest.mark.slow
def test_the_day_of_an_only_import_that_was_taken_back_is_asked_for_and_then_what_follows(
    instance: dg.DagsterInstance, settings: Settings, lake: Lake
) -> None:
    put(lake, DAYS[0], "import-17-000000", [event(1, DAYS[0], "hello")])
    bring(lake)
    take_back(lake, PROJECT, "import-17", b"{}")
    remove_files(lake, list_files_of(lake, PROJECT, "import-17"))
    result = look(instance, over(settings, lake), {}, NOW)
    assert requests(result) == [(EVENTS_JOB, f"{DAYS[0]}|{PROJECT}")]
    assert [each.partition for each in result.asset_events] == [f"{DAYS[0]}|{PROJECT}"]
    bring(lake, until="field_profiles")
    assert requests(look(instance, over(settings, lake), {}, NOW)) == [(MODELS_JOB, PROJECT)]
    bring(lake)
    assert requests(look(instance, over(settings, lake), {}, NOW)) == []


def test_a_project_that_is_being_built_is_left_alone(
    instance: dg.DagsterInstance, settings: Settings, lake_before: Callable[[str], Lake]
) -> None:
    instance.add_run(
        dg.DagsterRun(EVENTS_JOB, run_id="r", status=dg.DagsterRunStatus.STARTED, tags={PROJECT_TAG: PROJECT})
    )
    assert requests(look(instance, over(settings, lake_before("events")), {}, NOW)) == []


def test_work_that_was_not_done_is_asked_for_again_after_longer_and_longer_waits(
    instance: dg.DagsterInstance, settings: Settings, lake_before: Callable[[str], Lake]
) -> None:
    settings = over(settings, lake_before("events"))
    asked: LastRequests = {}
    now, times = NOW, []
    while len(times) < 4:
        if EVENTS_JOB in dict(requests(look(instance, settings, asked, now))):
            times.append(now - NOW)
        now += RETRY_S / 2
    assert times == [0, RETRY_S, 3 * RETRY_S, 7 * RETRY_S]


def test_while_a_day_cannot_be_read_the_others_go_on(
    instance: dg.DagsterInstance, settings: Settings, lake_before: Callable[[str], Lake]
) -> None:
    lake = lake_before("events")
    memory: LastRequests = {}
    good = [DAYS[0], DAYS[2]]
    asked = []
    for second in range(0, 20, 5):
        result = look(instance, over(settings, lake), memory, NOW + second)
        asked.append(
            [
                (job, key, run.asset_selection)
                for (job, key), run in zip(requests(result), result.run_requests or [], strict=True)
            ]
        )
        bring_one("events", Work(lake, PROJECT), good)
        if second:
            bring_one("field_profiles", Work(lake, PROJECT), good)
    first = f"{DAYS[0]}|{PROJECT}"
    assert asked[:3] == [
        [(EVENTS_JOB, first, None)],
        [(EVENTS_JOB, first, [dg.AssetKey("field_profiles")])],
        [(MODELS_JOB, PROJECT, None)],
    ]


@pytest.mark.slow
def test_a_stream_of_parts_does_not_start_a_run_a_second(
    instance: dg.DagsterInstance, settings: Settings, lake: Lake
) -> None:
    asked: LastRequests = {}
    runs = []
    for second in range(0, 60, 5):
        put(lake, DAYS[0], f"p{second}", [event(second, DAYS[0])])
        for job, _ in requests(look(instance, over(settings, lake), asked, NOW + second)):
            runs.append((second, job))
            bring(lake, until="field_profiles" if job == EVENTS_JOB else "journey_edges")
    assert [second for second, job in runs if job == EVENTS_JOB] == [0, STREAM_GAP_S]
    assert len(runs) <= 4


@pytest.mark.slow
def test_what_waits_is_left_in_the_lake_for_those_who_ask_how_fresh_it_is(
    instance: dg.DagsterInstance, settings: Settings, lake_before: Callable[[str], Lake]
) -> None:
    lake = lake_before("events")
    for second in (0, 700):
        look(instance, over(settings, lake), {}, NOW + second)
        assert waiting_projects(lake, NOW + second) == {PROJECT: Waiting(NOW, "events")}
    bring(lake, until="field_types")
    look(instance, over(settings, lake), {}, NOW + 800)
    assert waiting_projects(lake, NOW + 800) == {PROJECT: Waiting(NOW, "messages")}
    bring(lake)
    look(instance, over(settings, lake), {}, NOW + 805)
    assert waiting_projects(lake, NOW + 805) == {}


def test_what_is_not_asked_for_because_rows_are_wrong_waits_all_the_same(
    instance: dg.DagsterInstance, settings: Settings, lake_before: Callable[[str], Lake]
) -> None:
    lake = lake_before("field_types")
    events = ProjectTable(lake, EVENTS, PROJECT)
    events.block({DAYS[0]: True})
    result = look(instance, over(settings, lake), {}, NOW)
    assert requests(result) == [] and "a check found rows" in str(result.skip_reason)
    assert waiting_projects(lake, NOW) == {PROJECT: Waiting(NOW, "field_types")}


def test_a_lake_that_cannot_be_written_does_not_stop_the_sensor(
    instance: dg.DagsterInstance, settings: Settings, lake_before: Callable[[str], Lake]
) -> None:
    lake = lake_before("events")
    Path(lake.waiting_file).mkdir()
    assert requests(look(instance, over(settings, lake), {}, NOW)) == [(EVENTS_JOB, f"{DAYS[0]}|{PROJECT}")]


def test_what_the_sensor_remembers_survives_in_its_cursor(
    instance: dg.DagsterInstance, settings: Settings, lake_before: Callable[[str], Lake]
) -> None:
    lake = lake_before("events")
    definitions = build_definitions(Workshop(over(settings, lake)))
    sensor = definitions.resolve_sensor_def("new_events")
    first = sensor(dg.build_sensor_context(instance=instance, definitions=definitions))
    assert isinstance(first, dg.SensorResult)
    assert requests(first) == [(EVENTS_JOB, f"{DAYS[0]}|{PROJECT}")]
    assert LastRequest(**json.loads(first.cursor or "")[PROJECT]["events"]).tries == 1
    again = sensor(dg.build_sensor_context(instance=instance, cursor=first.cursor, definitions=definitions))
    assert isinstance(again, dg.SensorResult)
    assert EVENTS_JOB not in dict(requests(again))


@pytest.mark.parametrize(
    "cursor",
    [
        '{"shop": {"work": 4611686018427387903, "tries": 3, "at": 1763913600.5}}',
        '{"shop": {"events": {"work": 1, "tries": 1, "at": 1.0, "of_later": []}, "rest": {}}}',
        '{"shop": {"events": {"work": "1"}}}',
        '["shop"]',
        "1763913600",
        "no JSON",
        "",
    ],
)
def test_a_cursor_of_any_other_version_is_read_and_work_is_asked_for(
    instance: dg.DagsterInstance, settings: Settings, lake_before: Callable[[str], Lake], cursor: str
) -> None:
    definitions = build_definitions(Workshop(over(settings, lake_before("events"))))
    sensor = definitions.resolve_sensor_def("new_events")
    found = sensor(dg.build_sensor_context(instance=instance, cursor=cursor, definitions=definitions))
    assert isinstance(found, dg.SensorResult)
    assert requests(found) == [(EVENTS_JOB, f"{DAYS[0]}|{PROJECT}")]
