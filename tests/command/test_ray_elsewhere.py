"""Nothing of a run is on the host of `turret up`: runs on a Ray cluster, the lake on S3, the database on a server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from polars.testing import assert_frame_equal

from tests.command.fanned_out import SMALL_CHUNKS
from tests.command.test_up import Up
from tests.processes.conftest import processes_of, until
from tests.ray_cluster import RayCluster, ray_cluster
from tests.s3.conftest import bucket, model_of
from tests.s3_server import Store
from tests.small_lake import DAYS, PROJECT, planted_rows, put, tables
from turret_pipeline.embedder.embed import open_embedder
from turret_pipeline.lake.paths import Lake
from turret_pipeline.stages import STAGES
from turret_pipeline.stages.pending import pending_stages
from turret_pipeline.stages.work import Work

__all__ = ["bucket"]

CHUNKED = str(Path(__file__).with_name("chunked"))
BUILT_S = 400.0
TASKS = {"_profiled_in_worker", "_embed_in_worker", "_made", "_placed_in_worker", "_made_in_worker"}

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    """Two nodes that know nothing of S3 and of the database: what they need comes with the run."""
    with ray_cluster({"PYTHONPATH": CHUNKED}) as cluster:
        yield cluster


@pytest.fixture
def up(
    cluster: RayCluster,
    bucket: Store,
    make_database: Callable[[], str],
    keep_model: Callable[[Lake], None],
    tmp_path: Path,
) -> Iterator[Up]:
    """Return a system whose lake has three days of events."""
    lake = Lake(f"s3://{bucket.bucket}/lake")
    model_of(lake, keep_model, tmp_path / "model")
    put_events(lake)
    up = Up(tmp_path / "home")
    up.environment |= {
        **cluster.client_environment,
        "TURRET_RAY_ADDRESS": cluster.job_server,
        "TURRET_LAKE": lake.root,
        "TURRET_DATABASE_URL": make_database().replace("+psycopg2", ""),
    }
    try:
        up.start(BUILT_S)  # each node reads the model from S3 before
        yield up
    finally:
        if up.process is not None and up.process.poll() is None:
            up.end()
        for process in processes_of(up.home):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def put_events(lake: Lake) -> None:
    for number, day in enumerate(DAYS):
        put(lake, day, "a", planted_rows()[80 * number : 80 * (number + 1)])


def tasks_of(cluster: RayCluster) -> list[dict[str, Any]]:
    """Return the tasks that the cluster has finished."""
    headers = {"Authorization": f"Bearer {cluster.environment['RAY_AUTH_TOKEN']}"}
    query = {
        "detail": "true",
        "limit": "10000",
        "filter_keys": "state",
        "filter_predicates": "=",
        "filter_values": "FINISHED",
    }
    answer = httpx.get(f"{cluster.job_server}/api/v0/tasks", params=query, headers=headers, timeout=60)
    found: list[dict[str, Any]] = answer.raise_for_status().json()["data"]["result"]["result"]
    return found


def test_a_run_of_the_daemon_spreads_and_leaves_what_a_local_build_leaves(
    up: Up, cluster: RayCluster, keep_model: Callable[[Lake], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, local = Lake(up.environment["TURRET_LAKE"]), Lake(str(tmp_path / "local"))
    until(lambda: not pending_stages(lake, None)[PROJECT], BUILT_S)
    keep_model(local)
    put_events(local)
    for module, name, value in SMALL_CHUNKS:
        monkeypatch.setattr(module, name, value)
    model = open_embedder(None, n_threads=1)  # as many as a worker has
    for stage in STAGES:
        stage.bring(Work(local, PROJECT, embedder=lambda: model))
    found, wanted = tables(lake), tables(local)
    assert wanted["topics"].height >= 4
    for name in wanted:
        assert_frame_equal(found[name], wanted[name])
    nodes: dict[str, set[str]] = {}
    for task in tasks_of(cluster):
        nodes.setdefault(task["name"], set()).add(task["node_id"])
    assert nodes.keys() >= TASKS
    assert nodes["_embed_in_worker"] == cluster.alive()
