"""`python -m turret_pipeline.orchestration.recover`: bring Dagster's tables along, hand cut-off runs to its retries.

To be run before the daemon starts. Dagster's tables are those of the version that made them, and another one must be
told to change them. Dagster sees the end of a run's process only while it runs itself. After a crash of everything its
runs therefore stay STARTED for ever, hold their places in the queue and in the pools, and are never tried again.
Reported as failed they are: `run_retries` starts a new run for each, which does what is left to do.

A crash of the code server alone leaves such runs too, because their processes are then not watched, and so does a
machine that is lost. So the sensor asks as well. Whether a run has a process that lives is told by its lease.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator

import dagster
import dagster as dg
from alembic.util import CommandError

from turret_pipeline.lake.fingerprint import fingerprint
from turret_pipeline.lake.session import open_session
from turret_pipeline.orchestration.leases import Leases

UNLEASED_S = 60.0
"""Seconds that a run may be under way before its process has a lease."""
_TABLES = fingerprint("turret", "dagster's tables")
CUT_OFF = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def recover(instance: dg.DagsterInstance, leases: Leases, *, launched_here: bool = True) -> list[str]:
    """After this call no run that has no process any more counts as under way. Return the ids of those there were.

    A run without a lease has no process either, once it has been under way for `UNLEASED_S`; how long one may take to
    start is for Dagster to judge.

    Args:
        instance: Dagster's.
        leases: where processes say that they execute a run.
        launched_here: whether the daemon's runs are processes of this machine alone, all of which have ended by now.
    """
    found = []
    records = instance.get_run_records(dg.RunsFilter(statuses=CUT_OFF))
    living = leases.living([record.dagster_run.run_id for record in records], all_ended_here=launched_here)
    for record in records:
        run = record.dagster_run
        has_started = run.status != dg.DagsterRunStatus.STARTING
        is_late = has_started and record.update_timestamp.timestamp() < time.time() - UNLEASED_S
        if living.get(run.run_id, not (launched_here or is_late)):
            continue
        if run.status == dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, message="Its process ended before it was asked to.")
        else:
            instance.report_run_failed(run, message="Its process ended without a word: the system stopped or crashed.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        if run.run_id in living:
            leases.drop(run.run_id)
        found.append(run.run_id)
    return found


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
    """Recover the instance of DAGSTER_HOME, and print what was found; `--other-hosts`: there may be some."""
    launched_here = "--other-hosts" not in sys.argv[1:] and not os.environ.get("TURRET_RAY_ADDRESS")
    leases = Leases(os.environ.get("TURRET_DATABASE_URL"))
    with _alone(leases.database_url), dg.DagsterInstance.get() as instance:
        upgrade_tables(instance)
        for run_id in recover(instance, leases, launched_here=launched_here):
            print(f"run {run_id} was cut off and is handed to the retries")


@contextlib.contextmanager
def _alone(database_url: str | None) -> Iterator[None]:
    """Keep other hosts out for the block: to open an instance makes Dagster's tables, which one may do at a time."""
    if database_url is None:
        yield
        return
    with contextlib.closing(open_session(database_url, "turret recover")) as session, session.cursor() as sql:
        sql.execute("SELECT pg_advisory_lock(%s)", (_TABLES,))
        yield


if __name__ == "__main__":
    main()
