"""Runs on a Ray cluster of two real nodes, by the setting alone: one `turret up`, used, hurt and mended."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from polars.testing import assert_frame_equal

from tests.command.kills import DYING, REACHED_S, order
from tests.command.nodes import fanned_out, kill_one_at_work
from tests.command.test_up import Up, turret
from tests.processes.conftest import processes_of, until
from tests.ray_cluster import RayCluster, ray_cluster
from tests.small_lake import DAYS, PROJECT, bring, event, planted_rows, put
from turret_pipeline.embedder.embed import open_embedder
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EMBEDDINGS, EVENTS, TOPICS
from turret_pipeline.stages import STAGE_OF, embeddings
from turret_pipeline.stages.pending import pending_stages
from turret_pipeline.stages.work import Work

BUILT_S = 170.0
RUNS = """{ runsOrError { ... on Runs { results { runId status rootRunId tags { key value }
    eventConnection { events { ... on MessageEvent { message } } } } } } }"""
TERMINATE = 'mutation { terminateRun(runId: "%s") { __typename } }'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("on-ray") / "home"


@pytest.fixture(scope="module")
def cluster(home: Path) -> Iterator[RayCluster]:
    with ray_cluster({"PYTHONPATH": DYING, "TURRET_HOME": str(home)}) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def up(home: Path, cluster: RayCluster, keep_model: Callable[[Lake], None]) -> Iterator[Up]:
    up = Up(home)
    up.environment |= {**cluster.client_environment, "TURRET_RAY_ADDRESS": cluster.job_server}
    keep_model(up_lake(up))
    for number, day in enumerate(DAYS):
        put(up_lake(up), day, "a", planted_rows()[80 * number : 80 * (number + 1)])
    up.start()
    yield up
    if up.process is not None and up.process.poll() is None:
        up.end()
    # The nodes too, which have the home in their environment: what ends the cluster finds them gone.
    for process in processes_of(up.home):
        with contextlib.suppress(psutil.NoSuchProcess):  # some end with others
            process.kill()


def up_lake(up: Up) -> Lake:
    return Lake(str(up.home / "lake"))


def runs(up: Up) -> list[dict[str, Any]]:
    """Return the runs that Dagster's UI shows, the newest first."""
    answer = ask(up, RUNS)["runsOrError"]["results"]
    found: list[dict[str, Any]] = answer
    return found


def ask(up: Up, query: str) -> dict[str, Any]:
    answer = httpx.post(f"http://127.0.0.1:{up.dagster_port}/graphql", json={"query": query}, timeout=60).json()
    found: dict[str, Any] = answer["data"]
    return found


def job_of(cluster: RayCluster, run_id: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {cluster.environment['RAY_AUTH_TOKEN']}"}
    answer = httpx.get(f"{cluster.job_server}/api/jobs/dagster-run-{run_id}", headers=headers, timeout=60)
    found: dict[str, Any] = answer.json()
    return found


def is_built(up: Up, n_events: int) -> bool:
    lake = up_lake(up)
    n_built = store.read(lake, EVENTS, PROJECT).height
    return n_built == n_events and not pending_stages(lake, None)[PROJECT]


@pytest.mark.slow
def test_every_run_is_a_job_of_the_cluster_and_its_events_are_in_dagsters_ui(up: Up, cluster: RayCluster) -> None:
    until(lambda: is_built(up, 240), BUILT_S)
    assert store.read(up_lake(up), TOPICS, PROJECT).height >= 4
    until(lambda: all(run["status"] == "SUCCESS" for run in runs(up)))
    for run in runs(up):
        until(lambda run_id=run["runId"]: job_of(cluster, run_id)["status"] == "SUCCEEDED")
        said = [each.get("message", "") for each in run["eventConnection"]["events"]]
        assert "Ray run job created" in "".join(said) and "Finished execution of run" in "".join(said)


@pytest.mark.slow
def test_a_run_that_is_cancelled_in_dagsters_ui_ends_at_once(up: Up, cluster: RayCluster) -> None:
    until(lambda: is_built(up, 240), BUILT_S)
    before = {run["runId"] for run in runs(up)}
    at_point = order(up.home, "events.after_read", "wait")
    put(up_lake(up), DAYS[0], "b", [event(1000, DAYS[0], "how do I get a refund for order 1000")])
    until((up.home / "waits").exists, REACHED_S)
    (run,) = [run for run in runs(up) if run["runId"] not in before and run["status"] == "STARTED"]
    assert ask(up, TERMINATE % run["runId"])["terminateRun"]["__typename"] == "TerminateRunSuccess"
    until(lambda: {each["runId"]: each["status"] for each in runs(up)}[run["runId"]] == "CANCELED")
    until(lambda: job_of(cluster, run["runId"])["status"] in ("STOPPED", "FAILED"))
    at_point.unlink()


@pytest.mark.long
def test_a_run_whose_process_dies_is_tried_again(up: Up) -> None:
    before = {run["runId"] for run in runs(up)}
    at_point = order(up.home, "events.after_read", "die")
    put(up_lake(up), DAYS[1], "b", [event(1001, DAYS[1], "how do I get a refund for order 1001")])
    until(lambda: not at_point.exists(), REACHED_S)
    until(lambda: is_built(up, 242), BUILT_S)
    of_events = [run for run in runs(up) if run["runId"] not in before][-2:]
    assert [run["status"] for run in of_events] == ["SUCCESS", "FAILURE"]
    assert of_events[0]["rootRunId"] == of_events[1]["runId"]


@pytest.mark.long
def test_nothing_is_up_while_the_cluster_does_not_answer(tmp_path: Path, cluster: RayCluster) -> None:
    up = Up(tmp_path / "home")
    environment = {**up.environment, **cluster.client_environment, "TURRET_RAY_ADDRESS": "http://127.0.0.1:1"}
    done = subprocess.run(turret("up"), env=environment, capture_output=True, text=True, timeout=150)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error")]
    assert "no job server of a Ray cluster answers at TURRET_RAY_ADDRESS=http://127.0.0.1:1" in line
    assert "is up" not in done.stdout


@pytest.fixture
def lakes(tmp_path: Path, keep_model: Callable[[Lake], None]) -> tuple[Lake, Lake]:
    """Two lakes with the same messages, still without vectors."""
    found = Lake(str(tmp_path / "on-ray")), Lake(str(tmp_path / "alone"))
    for lake in found:
        keep_model(lake)
        for number, day in enumerate(DAYS):
            put(lake, day, "a", planted_rows()[80 * number : 80 * (number + 1)])
        bring(lake, until="shared_frames")
    return found


def test_a_node_that_dies_while_texts_are_embedded_leaves_neither_a_gap_nor_a_double(
    tmp_path: Path, home: Path, cluster: RayCluster, lakes: tuple[Lake, Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, alone = lakes
    flag = tmp_path / "flag"
    with fanned_out(cluster, lake, "embeddings", "embeddings", flag):
        until(flag.with_suffix(".json").exists, REACHED_S)
        assert json.loads(flag.with_suffix(".json").read_text()) == [[n * n for n in range(11)], "eleven"]
        kill_one_at_work(cluster, home, "_embed_in_worker")
    monkeypatch.setattr(embeddings, "CHUNK_TEXTS", 20)
    model = open_embedder(None, n_threads=1)  # as many as a worker has
    STAGE_OF["embeddings"].bring(Work(alone, PROJECT, embedder=lambda: model))
    found, wanted = (store.read(each, EMBEDDINGS, PROJECT) for each in lakes)
    assert found.height == 240 and found["text_id"].n_unique() == 240
    assert_frame_equal(found.sort("text_id"), wanted.sort("text_id"))
