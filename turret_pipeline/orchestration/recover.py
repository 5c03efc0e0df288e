"""`python -m turret_pipeline.orchestration.recover`: bring Dagster's tables along, hand cut-off runs to its retries.

To be run before the daemon starts. Dagster's tables are those of the version that made them, and another one must be
told to change them. Dagster sees the end of a run's process only while it runs itself. After a crash
of everything its runs therefore stay STARTED for ever, hold their place in the queue, and are never tried again.
Reported as failed they are: `run_retries` starts a new run for each, which does what is left to do.

A crash of the code server alone leaves such runs too, because their processes are then not watched. So the sensor
asks as well.

Only runs of processes on this machine can be judged so. A living foreground build names its process in `PROCESS_TAG`, a
run of the daemon's in `WORKER_TAG` as soon as it works; a run on a cluster has a launcher that watches it, too.
"""

from __future__ import annotations

import os
import socket

import dagster
import dagster as dg
import psutil
from alembic.util import CommandError

PROCESS_TAG = "turret/process"
"""Tag of a run that is executed by the process that made it: `process_mark()`."""
WORKER_TAG = "turret/worker"
"""Tag of a run that is executed by a process of its own: the run's id, for retries inherit tags, and the mark."""

CUT_OFF = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def process_mark() -> str:
    """Return what names our process among all that this and other machines ever had: host, pid and start time."""
    return f"{socket.gethostname()} {os.getpid()} {psutil.Process().create_time():.2f}"


def recover(instance: dg.DagsterInstance, *, launched_here: bool = True) -> list[str]:
    """After this call no run that has no process any more counts as under way. Return the ids of those there were.

    Args:
        instance: Dagster's.
        launched_here: whether the daemon's runs are processes of this machine, all of which have ended by now.
    """
    found = []
    for run in instance.get_runs(dg.RunsFilter(statuses=CUT_OFF)):
        mark = run.tags.get(PROCESS_TAG) or _worker(run)
        if lives(mark) if mark else not launched_here:
            continue
        if run.status == dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, message="Its process ended before it was asked to.")
        else:
            instance.report_run_failed(run, message="Its process ended without a word: the system stopped or crashed.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        found.append(run.run_id)
    return found


def mark_worker(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """After this call the run says that we execute it."""
    if PROCESS_TAG not in run.tags:
        instance.add_run_tags(run.run_id, {WORKER_TAG: f"{run.run_id} {process_mark()}"})


def _worker(run: dg.DagsterRun) -> str | None:
    run_id, _, mark = run.tags.get(WORKER_TAG, "").partition(" ")
    return mark if run_id == run.run_id else None


def lives(mark: str) -> bool:
    """Whether the process that made this mark lives; a process of another host is taken to."""
    try:
        host, pid, created = mark.split(" ")
        if host != socket.gethostname():
            return True
        return abs(psutil.Process(int(pid)).create_time() - float(created)) < 1
    except (ValueError, psutil.Error):
        return False


def upgrade_tables(instance: dg.DagsterInstance) -> None:
    """After this call Dagster's tables are as its version wants them; raise `SystemExit` if they are of a later one."""
    here, newest = instance.run_storage.alembic_version() or (None, None)
    if here != newest:
        try:
            instance.upgrade(print)
        except CommandError as error:
            raise SystemExit(
                f"Dagster's tables are of a later version of Dagster than {dagster.__version__} ({error}): "
                "install the version of Turret that used them last, or a later one"
            ) from error


def main() -> None:
    """Recover the instance of DAGSTER_HOME, and print what was found."""
    with dg.DagsterInstance.get() as instance:
        upgrade_tables(instance)
        for run_id in recover(instance, launched_here=not os.environ.get("TURRET_RAY_ADDRESS")):
            print(f"run {run_id} was cut off and is handed to the retries")


if __name__ == "__main__":
    main()
