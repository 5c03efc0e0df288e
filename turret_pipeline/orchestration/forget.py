"""`python -m turret_pipeline.orchestration.forget PROJECT`: take a project that was deleted out of Dagster.

Its partitions go, and runs of it that wait. What runs did stays in their log until that is forgotten (`retention`);
it names tables, days and counts, and no text. The project's id never comes again, so no partition can either.
"""

from __future__ import annotations

import sys

import dagster as dg

from turret_pipeline.orchestration.partitions import PROJECT
from turret_pipeline.orchestration.sensor import PROJECT_TAG

_WAITING = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED]


def forget(instance: dg.DagsterInstance, project: str) -> None:
    """After this call Dagster has no partition of the project, and none of its runs waits."""
    for run in instance.get_runs(dg.RunsFilter(statuses=_WAITING, tags={PROJECT_TAG: project})):
        instance.report_run_canceled(run, message="The project was deleted.")
    instance.delete_dynamic_partition(PROJECT, project)


def main() -> None:
    """Forget the project that the command line names, in the instance of DAGSTER_HOME."""
    with dg.DagsterInstance.get() as instance:
        forget(instance, sys.argv[1])


if __name__ == "__main__":
    main()
