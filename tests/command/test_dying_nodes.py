"""A node of a Ray cluster dies in the midst of each stage that is spread: the tables are those of an undisturbed build.

One build of a small lake, in this process and undisturbed, leaves a copy before each such stage. From each copy the
stage is done on the cluster, a node dies, and what follows is done undisturbed.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import psutil
import pytest
from polars.testing import assert_frame_equal

from tests.command.fanned_out import SMALL_CHUNKS
from tests.command.kills import DYING, REACHED_S
from tests.command.nodes import fanned_out, kill_one_at_work
from tests.processes.conftest import until
from tests.ray_cluster import RayCluster, ray_cluster
from tests.small_lake import DAYS, PROJECT, copied, planted_rows, put, tables
from turret_pipeline.embedder.embed import Embedder, open_embedder
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import ANSWERS, TOPIC_ASSIGNMENTS, TOPIC_EDITS
from turret_pipeline.semantics.definitions import Definition
from turret_pipeline.stages import STAGE_OF, STAGES
from turret_pipeline.stages.work import Work

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

FIRST = {
    "field_profiles": "_profiled_in_worker",
    "embeddings": "_embed_in_worker",
    "topics": "_made",
    "journey_steps": "_placed_in_worker",
    "topic_days": "_made_in_worker",
    "step_values": "_made_in_worker",
    "friction": "_made_in_worker",
    "journey_moves": "_made_in_worker",
    "answers": "_made_in_worker",
}
"""Tables that are spread in a first build, and what their tasks are called."""

AGAIN = {"topics": "_made", "journey_steps": "_joined_in_worker"}
"""The same of the build after a topic was defined, which takes texts from others."""

CASES = [("first", *case) for case in FIRST.items()] + [("again", *case) for case in AGAIN.items()]


@pytest.fixture(scope="module")
def model() -> Embedder:
    """The model with as many threads as a worker has: vectors follow from that too."""
    return open_embedder(None, n_threads=1)


@pytest.fixture(scope="module")
def small_chunks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in SMALL_CHUNKS:
            patch.setattr(module, name, value)
        yield


@pytest.fixture(scope="module")
def copies(
    tmp_path_factory: pytest.TempPathFactory, keep_model: Callable[[Lake], None], model: Embedder, small_chunks: None
) -> Path:
    """A folder with the lake before each stage of the first build and the next (`first-topics`), and after each."""
    folder = tmp_path_factory.mktemp("copies")
    lake = Lake(str(folder / "growing"))
    keep_model(lake)
    for number, day in enumerate(DAYS):
        rows = planted_rows()[80 * number : 80 * (number + 1)]
        for row in rows:
            answer = "I am sorry, I cannot help with that." if row["seq"] % 3 else f"Here it is: number {row['seq']}."
            row["metadata"] = json.dumps(json.loads(row["metadata"]) | {"response": answer})
        put(lake, day, "a", rows)
    for build, spread in (("first", FIRST), ("again", AGAIN)):
        if build == "again":
            define(lake)
        for stage in STAGES:
            if stage.table.name in spread:
                copied(Path(lake.root), folder / f"{build}-{stage.table.name}")
            stage.bring(Work(lake, PROJECT, embedder=lambda: model))
        copied(Path(lake.root), folder / build)
    return folder


def define(lake: Lake) -> None:
    value = Definition("d_ours", "Cooking", ("how do I get a soup recipe for order 1", "tell me about a soup")).value
    row = (PROJECT, "prompt", "d_ours", "define", value, dt.datetime(2026, 10, 4, tzinfo=dt.UTC))
    store.append(lake, TOPIC_EDITS, pl.DataFrame([row], schema=TOPIC_EDITS.schema, orient="row"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dying") / "home"


@pytest.fixture(scope="module")
def cluster(home: Path) -> Iterator[RayCluster]:
    with ray_cluster({"PYTHONPATH": DYING, "TURRET_HOME": str(home)}, n_nodes=1) as cluster:
        yield cluster


@pytest.mark.parametrize(("build", "table", "task"), CASES, ids=[f"{build}-{table}" for build, table, _ in CASES])
def test_a_node_that_dies_in_the_midst_of_a_stage_leaves_the_tables_of_an_undisturbed_build(
    tmp_path: Path, copies: Path, home: Path, cluster: RayCluster, model: Embedder, build: str, table: str, task: str
) -> None:
    lake = Lake(str(copied(copies / f"{build}-{table}", tmp_path / "lake")))
    cluster.start_node()  # in place of the one that died before
    with fanned_out(cluster, lake, table, table):
        kill_one_at_work(cluster, home, task)
    for stage in STAGES[STAGES.index(STAGE_OF[table]) + 1 :]:
        stage.bring(Work(lake, PROJECT, embedder=lambda: model))
    found, wanted = tables(lake), tables(Lake(str(copies / build)))
    for name in wanted:
        assert_frame_equal(found[name], wanted[name])


def test_the_small_lake_has_something_in_each_table_that_is_spread(copies: Path) -> None:
    first, again = (tables(Lake(str(copies / build))) for build in ("first", "again"))
    assert all(first[name].height for name in FIRST) and first[ANSWERS.name]["kind"].n_unique() > 1
    assert (again[TOPIC_ASSIGNMENTS.name]["topic_id"] == "d_ours").sum() >= 5
    assert not again["journey_steps"].equals(first["journey_steps"])


CLUSTER_ALONE = """
import sys
from tests.ray_cluster import ray_cluster
with ray_cluster() as cluster:
    print(*(node.pid for node in cluster.nodes), flush=True)
    sys.stdin.read()
"""


def test_a_cluster_dies_with_the_test_that_started_it() -> None:
    command = [sys.executable, "-c", CLUSTER_ALONE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        sessions = [int(word) for word in process.stdout.readline().split()]
        assert n_processes(sessions) > 2 * 4
        process.kill()
    until(lambda: not n_processes(sessions), REACHED_S)


def n_processes(sessions: list[int]) -> int:
    """Return how many processes the sessions have."""
    found = 0
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            found += os.getsid(pid) in sessions
    return found
