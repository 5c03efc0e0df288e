"""Two nodes of a Ray cluster beside one, each of one core: the same messages embedded and built, in one run.

    python benchmarks/ray_nodes.py [--texts 10000] [--rounds 1]

Needs the extra `ray` and two cores. The nodes are processes of this machine, each pinned to a core of its own, and so
is the process that brings the tables up to date: to the first node's, as a run on that node would be. Of the messages
(`history`) two in five are new texts, which come in as many chunks as 100,000 do. Prints one JSON object: seconds of
all stages and of `embeddings`, with one node and with two, the ratios (medians of the rounds), and the seconds from
asking for a run's process to its being ready to work, as a job of the cluster and as a process of this host. `core_s`
are processor seconds, of each table those of the core that had more of them: they leave out waiting, and where other
work of the machine holds up one core the other takes more chunks, so they too want a quiet machine. `cores_ratio` is
what two cores of the machine give at all: how many times as many texts two processes without Ray embed, one a core, as
one does alone. What each table took goes to the standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil
from history import SHARE_NEW, make_day, make_texts

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.ray_cluster import RayCluster, ray_cluster
from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.lake.parts import PART_SCHEMA, write_part
from turret_pipeline.lake.paths import Lake

PROJECT = "history"
DAY_MESSAGES = 2_500
READY = "import turret_pipeline.definitions as found; found.defs"


def write_history(lake: Lake, n_texts: int) -> None:
    """Write raw events with `n_texts` distinct texts, and the model as `turret up` leaves it in a lake."""
    import datetime as dt

    lake.make()
    open_lake_embedder(lake, None)
    texts = make_texts(n_texts)
    for day in range(round(n_texts / SHARE_NEW / DAY_MESSAGES)):
        events = make_day(texts, day, DAY_MESSAGES)
        write_part(lake, PROJECT, dt.date(2026, 3, 1) + dt.timedelta(days=day), "a.parquet", events.cast(PART_SCHEMA))


def bring(root: str, n_texts: int, nodes: list[int]) -> None:
    """Bring all tables of a lake up to date on the cluster that the environment names; print what it took by table.

    nodes: process ids of the nodes of the cluster, this process's own first. Of each table two numbers: seconds, and
    processor seconds of the core that had more of them.
    """
    from turret_pipeline.fanout import OnRay
    from turret_pipeline.stages import STAGES, embeddings
    from turret_pipeline.stages.work import Work

    embeddings.CHUNK_TEXTS = round(embeddings.CHUNK_TEXTS * n_texts / 100_000)
    found, fanout, spent = {}, OnRay(), Spent(nodes)
    for stage in STAGES:
        started, before = time.perf_counter(), spent.by_core()
        stage.bring(Work(Lake(root), PROJECT, fanout=fanout))
        after = spent.by_core()
        busier = max(now - then for now, then in zip(after, before, strict=True))
        found[stage.table.name] = (time.perf_counter() - started, busier)
    print(json.dumps(found))


class Spent:
    """Processor seconds that the processes of each node have used, those of this process with the first's."""

    def __init__(self, nodes: list[int]) -> None:
        self._nodes = [psutil.Process(node) for node in nodes]
        self._known: list[dict[int, float]] = [{} for _ in nodes]

    def by_core(self) -> list[float]:
        """Return the seconds of each node so far."""
        for node, known in zip(self._nodes, self._known, strict=True):
            for process in [node, *node.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    times = process.cpu_times()
                    known[process.pid] = times.user + times.system
        found = [sum(known.values()) for known in self._known]
        found[0] += time.process_time()
        return found


def built(lake: Path, n_nodes: int, n_texts: int) -> tuple[dict[str, tuple[float, float]], float]:
    """Return what `bring` prints on a cluster of `n_nodes`, and the seconds until a job of it was ready."""
    with tempfile.TemporaryDirectory() as folder, ray_cluster(n_nodes=n_nodes, cores=(0, 1)) as cluster:
        copy = shutil.copytree(lake, Path(folder) / "lake")
        nodes = [str(node.pid) for node in cluster.nodes]
        brings = [sys.executable, __file__, "--bring", str(copy), "--texts", str(n_texts), "--nodes", *nodes]
        command = ["taskset", "--cpu-list", "0", *brings]
        done = subprocess.run(command, env=cluster.driver_environment, stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1]), job_s(cluster)


def job_s(cluster: RayCluster) -> float:
    """Return the seconds from submitting a job to its end, which has loaded what a run loads."""
    headers = {"Authorization": f"Bearer {cluster.environment['RAY_AUTH_TOKEN']}"}
    with httpx.Client(base_url=cluster.job_server, headers=headers, timeout=60) as client:
        started = time.perf_counter()
        asked = {"entrypoint": f"python -c '{READY}'", "entrypoint_memory": 2**30}
        job = client.post("/api/jobs/", json=asked).raise_for_status().json()["submission_id"]
        while (status := client.get(f"/api/jobs/{job}").json()["status"]) in ("PENDING", "RUNNING"):
            time.sleep(0.1)
        assert status == "SUCCEEDED", status
        return time.perf_counter() - started


def of_cores(n_texts: int) -> float:
    """Return how many times as many texts two processes embed in a time, one a core, as one process on the first core.

    n_texts: that each embeds.
    """
    both = _seconds_by_core(n_texts, (0, 1))
    return 2 * _seconds_by_core(n_texts, (0,)) / both


def _seconds_by_core(n_texts: int, cores: tuple[int, ...]) -> float:
    """Return the seconds until a process on each of the cores, all started together, has embedded its texts."""
    words = [sys.executable, __file__, "--embed", "--texts", str(n_texts)]
    with contextlib.ExitStack() as ends:
        processes = [
            ends.enter_context(
                subprocess.Popen(
                    ["taskset", "--cpu-list", str(core), *words],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for core in cores
        ]
        for process in processes:
            process.stdout.readline()
        started = time.perf_counter()
        for process in processes:
            process.communicate("\n")
        return time.perf_counter() - started


def embed(n_texts: int) -> None:
    """Embed so many texts once a line comes; a line says when the model is ready."""
    from turret_pipeline.embedder.embed import open_embedder

    model, texts = open_embedder(None, n_threads=1), make_texts(n_texts)["text"].to_list()
    model.embed(texts[:100])
    print("ready", flush=True)
    sys.stdin.readline()
    model.embed(texts)


def process_s() -> float:
    """Return the seconds that the same takes as a process of this host."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", READY], check=True)
    return time.perf_counter() - started


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=10_000, help="a multiple of 1,000")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--bring", help=argparse.SUPPRESS)
    parser.add_argument("--nodes", type=int, nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--embed", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bring:
        bring(options.bring, options.texts, options.nodes)
        return
    if options.embed:
        embed(options.texts)
        return
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        lake = Path(folder) / "lake"
        write_history(Lake(str(lake)), options.texts)
        for _ in range(options.rounds):
            for n_nodes in (1, 2):
                by_table, of_job = built(lake, n_nodes, options.texts)
                for place, unit in enumerate(("s", "core_s")):
                    whole = sum(each[place] for each in by_table.values())
                    found.setdefault(f"all_{unit}_{n_nodes}", []).append(whole)
                    found.setdefault(f"embeddings_{unit}_{n_nodes}", []).append(by_table["embeddings"][place])
                found.setdefault("job_s", []).append(of_job)
                print(n_nodes, json.dumps(by_table), file=sys.stderr)
            found.setdefault("process_s", []).append(process_s())
            found.setdefault("cores_ratio", []).append(of_cores(min(options.texts, 2_000)))
            for name in ("all_s", "all_core_s", "embeddings_s", "embeddings_core_s"):
                ratio = found[f"{name}_1"][-1] / found[f"{name}_2"][-1]
                found.setdefault(f"{name.removesuffix('_s')}_ratio", []).append(ratio)
    figures = {name: round(statistics.median(values), 2) for name, values in found.items()}
    print(json.dumps({"texts": options.texts, "load": os.getloadavg()[0], **figures}))


if __name__ == "__main__":
    main()
