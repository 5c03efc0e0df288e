"""`python -m turret_pipeline.orchestration.ray_check`: return once runs can do their work on every node of the cluster.

`turret up` calls it where TURRET_RAY_ADDRESS is set, before it says that it is up: a node that lacks something would
fail some runs and not others. A job looks from each node (`ray_node`), in the very environment that runs will have.
Exits with 1 and a line for each fault.
"""

from __future__ import annotations

import contextlib
import shlex
import sys
import time
import uuid
from collections.abc import Iterator

import dagster as dg
import msgspec
from dagster_ray import RayRunLauncher
from dagster_ray.utils import resolve_env_vars_list
from ray.exceptions import RayError
from ray.job_submission import JobStatus, JobSubmissionClient

from turret_pipeline.lake import files
from turret_pipeline.lake.paths import Lake
from turret_pipeline.orchestration.ray_node import installed, probe_address
from turret_pipeline.settings import Settings

JOB_S = 180.0
"""Seconds that the job may take on a busy cluster; ten otherwise."""
LOOK_S = 0.5
MODULE = "turret_pipeline.orchestration.ray_node"


class RayClusterError(Exception):
    """Runs cannot work on the cluster; each line of the message says why and what to do."""


def check(launcher: RayRunLauncher, settings: Settings) -> None:
    """Return if runs can work on every node of the launcher's cluster; raise `RayClusterError` otherwise."""
    try:
        client = JobSubmissionClient(launcher.address, headers=launcher.headers)
    except (ConnectionError, RuntimeError, RayError) as error:
        raise RayClusterError(
            f"no job server of a Ray cluster answers at TURRET_RAY_ADDRESS={launcher.address}: start the head with "
            f"its dashboard, or correct the address ({_line(str(error))})"
        ) from error
    lake = settings.open_lake()
    with _probe(lake) as probe:
        expected = msgspec.json.encode(installed(settings.model, probe)).decode()
        job = client.submit_job(
            entrypoint=f"python -m {MODULE} {shlex.quote(expected)}",
            runtime_env={"env_vars": resolve_env_vars_list(launcher.env_vars)},
        )
        status = _ended(client, job)
        said = client.get_job_logs(job).strip().splitlines()
    if status == JobStatus.SUCCEEDED and said:
        if found := msgspec.json.decode(said[-1], type=list[str]):
            raise RayClusterError("\n".join(found))
        return
    if not status.is_terminal():
        client.stop_job(job)
        raise RayClusterError(f"the Ray cluster did not run a small job within {JOB_S:.0f} s: see the job {job} there")
    reason = said[-1] if said else str(client.get_job_info(job).message)
    raise RayClusterError(
        "a node of the Ray cluster cannot run Turret: install turret[ray] in the same version there, with its bin "
        f"folder on the PATH of `ray start` ({_line(reason)})"
    )


def _ended(client: JobSubmissionClient, job: str) -> JobStatus:
    """Return the job's status once it has ended, or after `JOB_S`."""
    deadline = time.monotonic() + JOB_S
    while not (status := client.get_job_status(job)).is_terminal() and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    return status


@contextlib.contextmanager
def _probe(lake: Lake) -> Iterator[str]:
    """Yield the name of a file that is in the lake for the block."""
    name = uuid.uuid4().hex
    files.write(lake, probe_address(lake, name), b"")
    try:
        yield name
    finally:
        files.remove(lake, probe_address(lake, name))


def _line(text: str) -> str:
    return " ".join(text.split())[:300]


def main() -> int:
    """Check the cluster of DAGSTER_HOME's launcher; return the exit status."""
    settings = Settings.from_environment()
    with dg.DagsterInstance.get() as instance:
        launcher = instance.run_launcher
        assert isinstance(launcher, RayRunLauncher), "TURRET_RAY_ADDRESS was set when DAGSTER_HOME was written"
        try:
            check(launcher, settings)
        except RayClusterError as fault:
            print(fault)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
