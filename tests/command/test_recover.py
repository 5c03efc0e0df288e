"""Runs that a crash cut off, on an instance of Dagster's in memory, with leases in a real database."""

# No `from __future__ import annotations`: Dagster reads the annotations of an op's function as objects.
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import dagster as dg
import pytest

from tests.orchestration.test_leases import execute, holder
from turret_pipeline.orchestration import leases as leases_module
from turret_pipeline.orchestration import recover as recover_module
from turret_pipeline.orchestration.executor import leased_executor
from turret_pipeline.orchestration.leases import Leases
from turret_pipeline.orchestration.recover import recover
from turret_pipeline.orchestration.sensor import BUILDING_TAG, PROJECT_TAG, under_way


@dg.job
def nothing() -> None:
    """A job whose runs are recorded and never executed."""


@dg.op
def living(context: dg.OpExecutionContext) -> dict[str, bool]:
    return Leases(os.environ["LEASES"]).living([context.run_id])


def job_that_looks_at_its_lease() -> dg.JobDefinition:
    graph = dg.GraphDefinition(name="looks", node_defs=[living])
    return graph.to_job(executor_def=leased_executor(Leases(os.environ["LEASES"])))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def leases(database_url: str) -> Leases:
    return Leases(database_url)


def make_run(instance: dg.DagsterInstance, status: str = "STARTED", **tags: str) -> str:
    tags = {name.replace("_", "/"): value for name, value in tags.items()}
    return instance.create_run_for_job(nothing, status=dg.DagsterRunStatus(status), tags=tags).run_id


def status(instance: dg.DagsterInstance, run_id: str) -> str:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status.value


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("STARTED", "FAILURE"),
        ("STARTING", "FAILURE"),
        ("CANCELING", "CANCELED"),
        ("NOT_STARTED", "NOT_STARTED"),
        ("SUCCESS", "SUCCESS"),
    ],
)
def test_after_a_start_a_run_without_a_lease_is_over(
    instance: dg.DagsterInstance, leases: Leases, before: str, after: str
) -> None:
    run_id = make_run(instance, before)
    assert recover(instance, leases) == ([run_id] if before != after else [])
    assert status(instance, run_id) == after
    assert recover(instance, leases) == []


def test_a_run_is_left_alone_as_long_as_the_process_that_holds_its_lease_lives(
    instance: dg.DagsterInstance, leases: Leases, database_url: str
) -> None:
    run_id = make_run(instance)
    with holder(database_url, run_id) as process:
        assert recover(instance, leases) == []
        process.kill()
        process.wait()
        assert recover(instance, leases, launched_here=False) == [run_id]
    assert status(instance, run_id) == "FAILURE"
    assert leases.living([run_id]) == {}


@pytest.mark.long
def test_a_run_of_a_container_that_is_no_more_is_over_once_its_deadline_has_passed(
    instance: dg.DagsterInstance, leases: Leases, database_url: str
) -> None:
    run_id, canceled = make_run(instance), make_run(instance, "CANCELING")
    for each in (run_id, canceled):
        leases.take(each)
        execute(database_url, "UPDATE turret_pipeline.run_leases SET machine = 'gone' WHERE run_id = %s", each)
    assert recover(instance, leases) == []
    late = "UPDATE turret_pipeline.run_leases SET deadline = now() - interval '1 s' WHERE run_id = ANY(%s)"
    execute(database_url, late, [run_id, canceled])
    deadline = time.monotonic() + 30  # the server of the tests may have started just now
    found: list[str] = []
    while not found:
        assert time.monotonic() < deadline
        found = recover(instance, leases, launched_here=False)
    assert sorted(found) == sorted([run_id, canceled])
    assert [status(instance, each) for each in (run_id, canceled)] == ["FAILURE", "CANCELED"]


def test_a_run_that_has_long_been_under_way_without_a_lease_is_over_and_one_that_starts_is_not(
    instance: dg.DagsterInstance, leases: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, starting = make_run(instance), make_run(instance, "STARTING")
    assert recover(instance, leases, launched_here=False) == []
    monkeypatch.setattr(recover_module, "UNLEASED_S", -1.0)
    assert recover(instance, leases, launched_here=False) == [started]
    assert status(instance, starting) == "STARTING"


def test_a_foreground_build_that_was_killed_before_its_run_began_does_not_keep_its_project_busy(
    instance: dg.DagsterInstance, leases: Leases
) -> None:
    make_run(instance, "NOT_STARTED", turret_building="dead")
    living = make_run(instance, "STARTED", turret_building="living")
    make_run(instance, "NOT_STARTED", turret_project="queued")
    assert (BUILDING_TAG, PROJECT_TAG) == ("turret/building", "turret/project")
    with leases.held(living):
        assert under_way(instance, leases).projects == {"living", "queued"}


def test_a_project_whose_failed_run_is_about_to_be_tried_again_is_busy(
    instance: dg.DagsterInstance, leases: Leases
) -> None:
    for project, tags in {
        "at once": {"dagster/will_retry": "true"},
        "tried again": {"dagster/will_retry": "true", "dagster/auto_retry_run_id": "another"},
        "for good": {"dagster/will_retry": "false"},
    }.items():
        tags |= {PROJECT_TAG: project}
        instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.FAILURE, tags=tags)
    assert under_way(instance, leases).projects == {"at once"}


def test_a_run_that_is_launched_lives_as_long_as_what_launched_it_and_then_for_a_while(
    instance: dg.DagsterInstance, leases: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, launch = make_run(instance, "STARTING"), "from turret_pipeline.orchestration.leases import Leases\n"
    leases.launching(run_id)
    monkeypatch.setattr(leases_module, "GRACE_S", -1e6)
    execute(str(leases.database_url), "UPDATE turret_pipeline.run_leases SET deadline = now() - interval '1 s'")
    assert recover(instance, leases, launched_here=False) == [], "we live"
    launch += f"Leases({leases.database_url!r}).launching({run_id!r})"
    subprocess.run([sys.executable, "-c", launch], check=True)
    assert recover(instance, leases, launched_here=False) == [], "its process may be about to take the lease"
    execute(str(leases.database_url), "UPDATE turret_pipeline.run_leases SET machine = 'another host'")
    assert recover(instance, leases, launched_here=False) == []
    execute(str(leases.database_url), "UPDATE turret_pipeline.run_leases SET deadline = now() - interval '1 s'")
    assert recover(instance, leases, launched_here=False) == [run_id]


def test_after_a_start_of_the_only_host_a_run_that_was_being_launched_is_over_at_once(
    instance: dg.DagsterInstance, leases: Leases
) -> None:
    run_id, launch = make_run(instance, "STARTING"), "from turret_pipeline.orchestration.leases import Leases\n"
    launch += f"Leases({leases.database_url!r}).launching({run_id!r})"
    subprocess.run([sys.executable, "-c", launch], check=True)
    assert recover(instance, leases) == [run_id]


def test_a_run_holds_its_lease_while_its_steps_are_executed(
    instance: dg.DagsterInstance, leases: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASES", str(leases.database_url))
    with dg.execute_job(dg.reconstructable(job_that_looks_at_its_lease), instance) as result:
        assert result.output_for_node("living") == {result.run_id: True}
        assert leases.living([result.run_id]) == {}
