"""Two nodes of a Ray cluster beside one, each of one core: the same messages embedded and built, in one run.

    python benchmarks/ray_nodes.py [--texts 10000] [--rounds 1]

Needs the extra `ray` and two cores. The nodes are processes of this machine, each pinned to a core of its own, and so
is the process that brings the tables up to date: to the first node's, as a run on that node would be. Of the messages
(`history`) two in five are new texts, which come in as many chunks as 100,000 do. Prints one JSON object: seconds of
all stages and of `embeddings`, with one node and with two, the ratios (medians of the rounds), and the seconds from
asking for a run's process to its being ready to work, as a job of the cluster and as a process of this host.
"""

from __future__ import annotations

import argparse
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
from history import SHARE_NEW, make_day, make_texts

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.ray_cluster import RayCluster, ray_cluster
from turret_pipeline.lake.parts import PART_SCHEMA, write_part
from turret_pipeline.lake.paths import Lake

PROJECT = "history"
DAY_MESSAGES = 2_500
READY = "import turret_pipeline.definitions as found; found.defs"


def write_history(lake: Lake, n_texts: int) -> None:
    """Write raw events with `n_texts` distinct texts."""
    import datetime as dt

    texts = make_texts(n_texts)
    for day in range(round(n_texts / SHARE_NEW / DAY_MESSAGES)):
        events = make_day(texts, day, DAY_MESSAGES)
        write_part(lake, PROJECT, dt.date(2026, 3, 1) + dt.timedelta(days=day), "a.parquet", events.cast(PART_SCHEMA))


def bring(root: str, n_texts: int) -> None:
    """Bring all tables of a lake up to date on the cluster that the environment names; print seconds by table."""
    from turret_pipeline.fanout import OnRay
    from turret_pipeline.stages import STAGES, embeddings
    from turret_pipeline.stages.work import Work

    embeddings.CHUNK_TEXTS = round(embeddings.CHUNK_TEXTS * n_texts / 100_000)
    seconds, fanout = {}, OnRay()
    for stage in STAGES:
        started = time.perf_counter()
        stage.bring(Work(Lake(root), PROJECT, fanout=fanout))
        seconds[stage.table.name] = time.perf_counter() - started
    print(json.dumps(seconds))


def built(lake: Path, n_nodes: int, n_texts: int) -> tuple[dict[str, float], float]:
    """Return the seconds by table on a cluster of `n_nodes`, and the seconds until a job of it was ready."""
    with tempfile.TemporaryDirectory() as folder, ray_cluster(n_nodes=n_nodes, cores=(0, 1)) as cluster:
        copy = shutil.copytree(lake, Path(folder) / "lake")
        brings = [sys.executable, __file__, "--bring", str(copy), "--texts", str(n_texts)]
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
    options = parser.parse_args()
    if options.bring:
        bring(options.bring, options.texts)
        return
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        lake = Path(folder) / "lake"
        write_history(Lake(str(lake)), options.texts)
        for _ in range(options.rounds):
            for n_nodes in (1, 2):
                seconds, of_job = built(lake, n_nodes, options.texts)
                found.setdefault(f"all_s_{n_nodes}", []).append(sum(seconds.values()))
                found.setdefault(f"embeddings_s_{n_nodes}", []).append(seconds["embeddings"])
                found.setdefault("job_s", []).append(of_job)
            found.setdefault("process_s", []).append(process_s())
            for name in ("all", "embeddings"):
                ratio = found[f"{name}_s_1"][-1] / found[f"{name}_s_2"][-1]
                found.setdefault(f"{name}_ratio", []).append(ratio)
    figures = {name: round(statistics.median(values), 2) for name, values in found.items()}
    print(json.dumps({"texts": options.texts, "load": os.getloadavg()[0], **figures}))


if __name__ == "__main__":
    main()
