"""Runs that a crash cut off, on an instance of Dagster's in memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import dagster as dg
import psutil
import pytest

from turret_pipeline.orchestration.recover import PROCESS_TAG, WORKER_TAG, mark_worker, process_mark, recover


@dg.job
def nothing() -> None:
    """A job whose runs are recorded and never executed."""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def make_run(instance: dg.DagsterInstance, status: dg.DagsterRunStatus, mark: str | None = None) -> str:
    tags = {} if mark is None else {PROCESS_TAG: mark}
    return instance.create_run_for_job(nothing, status=status, tags=tags).run_id


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
def test_a_run_without_a_process_is_over(instance: dg.DagsterInstance, before: str, after: str) -> None:
    run_id = make_run(instance, dg.DagsterRunStatus(before))
    assert recover(instance) == ([run_id] if before != after else [])
    assert status(instance, run_id) == after
    assert recover(instance) == []


def test_a_foreground_build_is_left_alone_as_long_as_it_lives(instance: dg.DagsterInstance) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as builder:
        host = process_mark().split(" ")[0]
        mark = f"{host} {builder.pid} {psutil.Process(builder.pid).create_time():.2f}"
        reused = f"{host} {builder.pid} 1.00"
        living = make_run(instance, dg.DagsterRunStatus.STARTED, mark)
        elsewhere = make_run(instance, dg.DagsterRunStatus.STARTED, "another-host 1 1.00")
        other = make_run(instance, dg.DagsterRunStatus.STARTED, reused)
        assert recover(instance) == [other]
        builder.kill()
    assert recover(instance) == [living]
    assert status(instance, elsewhere) == "STARTED"


def test_runs_on_a_cluster_are_left_to_their_launcher(instance: dg.DagsterInstance) -> None:
    launched = make_run(instance, dg.DagsterRunStatus.STARTED)
    built = make_run(instance, dg.DagsterRunStatus.STARTED, f"{process_mark().split(' ')[0]} 1 1.00")
    assert recover(instance, launched_here=False) == [built]
    assert status(instance, launched) == "STARTED"


def test_a_run_whose_process_is_gone_is_over_but_not_for_a_tag_that_a_retry_inherited(
    instance: dg.DagsterInstance,
) -> None:
    host = process_mark().split(" ")[0]
    dead, retried, living = (make_run(instance, dg.DagsterRunStatus.STARTED) for _ in range(3))
    for run_id, mark in ((dead, f"{dead} {host} 1 1.00"), (retried, f"{dead} {host} 1 1.00")):
        instance.add_run_tags(run_id, {WORKER_TAG: mark})
    run = instance.get_run_by_id(living)
    assert run is not None
    mark_worker(instance, run)
    assert recover(instance, launched_here=False) == [dead]
    assert [status(instance, run_id) for run_id in (retried, living)] == ["STARTED", "STARTED"]
