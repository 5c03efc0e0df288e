"""Stages on a Ray cluster, one of whose nodes dies in the midst of them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.command.kills import REACHED_S, order
from tests.processes.conftest import until
from tests.ray_cluster import RayCluster
from tests.small_lake import PROJECT
from turret_pipeline.lake.paths import Lake


@contextlib.contextmanager
def fanned_out(cluster: RayCluster, lake: Lake, first: str, last: str, *flag: Path) -> Iterator[None]:
    """Bring the tables from `first` to `last` up to date on the cluster, beside the block and to the end.

    flag: as `fanned_out.py` takes it.
    """
    words = [lake.root, PROJECT, first, last, *map(str, flag)]
    command = [sys.executable, "-m", "tests.command.fanned_out", *words]
    environment = {**cluster.driver_environment, "TURRET_RAY_ADDRESS": cluster.job_server}
    with contextlib.ExitStack() as ends:
        driver = ends.enter_context(subprocess.Popen(command, env=environment))
        ends.callback(driver.kill)
        yield
        assert driver.wait(REACHED_S) == 0


def kill_one_at_work(cluster: RayCluster, home: Path, task: str) -> None:
    """Kill the newest node while it and the first one execute tasks of this name."""
    newest = len(cluster.nodes) - 1
    at_point = order(home, "fanout.in_task", "wait")
    until(lambda: all(cluster.is_at_work(number, task) for number in (0, newest)), REACHED_S)
    cluster.kill_node(newest)
    at_point.unlink()
