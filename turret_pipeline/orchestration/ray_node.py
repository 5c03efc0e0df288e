"""`python -m turret_pipeline.orchestration.ray_node EXPECTED`: what is wrong with the nodes of a Ray cluster.

A job of the cluster, which `ray_check` submits: on each node a task looks whether a run could do its work there. The
last line that it prints is a JSON list with a sentence for each fault.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg2

from turret_pipeline.embedder.embed import DEFAULT_MODEL, ModelError, model_key
from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.lake import files
from turret_pipeline.lake.paths import Lake
from turret_pipeline.settings import Settings

ANSWER_S = 120.0
"""Seconds in which every node has to answer; on an idle one it takes five."""
CONNECT_S = 5

PACKAGE = Path(__file__).parents[1]


class Expected(msgspec.Struct, frozen=True):
    """What a node must be like.

    python, ray: versions. turret: version, and digest of the code. model: key of the embedding model. probe: name of a
    file in the lake's `probes`, and what it holds.
    """

    python: str
    ray: str
    turret: str
    model: str
    probe: str


def installed(model: str | None, probe: str) -> Expected:
    """Return what is installed here. model: as in the settings."""
    python = ".".join(map(str, sys.version_info[:3]))
    turret = f"{importlib.metadata.version('turret')} ({_digest()})"
    return Expected(python, importlib.metadata.version("ray"), turret, model_key(model), probe)


def probe_address(lake: Lake, name: str) -> str:
    """Return the address of a file by which the two ends see that they have the same lake."""
    return f"{lake.root}/probes/{name}"


def faults(expected: Expected) -> Iterator[str]:
    """Yield what is wrong with this node, a sentence each."""
    settings = Settings.from_environment()
    here = installed(settings.model, expected.probe)
    for name, found, wanted in (
        ("Python", here.python, expected.python),
        ("Ray", here.ray, expected.ray),
        ("Turret", here.turret, expected.turret),
    ):
        if found != wanted:
            yield f"has {name} {found}, and this host {wanted}: install the same"
    if shutil.which("dagster") is None:
        yield "does not find the command `dagster`: put the environment's bin folder on the PATH of `ray start`"
    yield from _database_faults(settings)
    yield from _lake_faults(settings.open_lake(), expected.probe)
    yield from _storage_faults()
    if here.model != expected.model:
        yield f"has not the model {settings.model!r} that TURRET_MODEL names: {here.model} is not {expected.model}"
    elif expected.model.startswith(DEFAULT_MODEL):
        try:
            open_lake_embedder(settings.open_lake(), None)
        except (ModelError, OSError) as error:
            yield f"cannot open the embedding model: {_line(error)}"


def answer(expected: bytes) -> list[str]:
    """Return what is wrong with this node. expected: an `Expected` as JSON."""
    return list(faults(msgspec.json.decode(expected, type=Expected)))


def _database_faults(settings: Settings) -> Iterator[str]:
    url = (settings.database_url or "").replace("postgresql+psycopg2://", "postgresql://")
    try:
        psycopg2.connect(url, connect_timeout=CONNECT_S).close()
    except psycopg2.Error as error:
        advice = ": the embedded one answers on its own host alone, set TURRET_DATABASE_URL" if "@127." in url else ""
        yield f"does not reach the database{advice} ({_line(error)})"


def _lake_faults(lake: Lake, probe: str) -> Iterator[str]:
    advice = ": set TURRET_LAKE to s3://…, or to a folder that all nodes share" if lake.is_local else ""
    try:
        if not files.exists(lake, probe_address(lake, probe)):
            yield f"does not see the lake {lake.root}{advice}"
            return
        own = probe_address(lake, f"{probe}.{uuid.uuid4().hex}")
        files.write(lake, own, b"")
        files.remove(lake, own)
    except OSError as error:
        yield f"cannot use the lake {lake.root}{advice} ({_line(error)})"


def _storage_faults() -> Iterator[str]:
    folder = Path(os.environ["TURRET_DAGSTER_STORAGE"])
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        yield f"cannot make the folder {folder}, in which runs leave their output ({_line(error)})"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _digest() -> str:
    """Return what stands for the code of the package."""
    digest = hashlib.blake2b(digest_size=4)
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(f"{path.relative_to(PACKAGE).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _all_faults(expected: Expected) -> list[str]:
    """Return what is wrong with the nodes of the cluster that this process is a job of."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ray.init(address="auto", log_to_driver=False)
    # By value: a node that lacks the package says so, in an answer.
    look = ray.remote(num_cpus=0, max_retries=0)(_look)
    nodes = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}  # type: ignore[no-untyped-call]
    asked = {
        look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
            msgspec.json.encode(expected)
        ): address
        for node, address in nodes.items()
    }
    answered, late = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_S)
    found = [f"node {asked[each]} did not answer within {ANSWER_S:.0f} s" for each in late]
    for each in answered:
        try:
            found += [f"node {asked[each]} {fault}" for fault in ray.get(each)]
        except Exception as error:
            found.append(f"node {asked[each]} cannot run tasks ({_line(error)})")
    return sorted(set(found))


def _look(expected: bytes) -> list[str]:
    try:
        from turret_pipeline.orchestration import ray_node
    except ImportError as error:
        return [f"cannot import Turret: install turret[ray] there ({error})"]
    return ray_node.answer(expected)


if __name__ == "__main__":
    print(msgspec.json.encode(_all_faults(msgspec.json.decode(sys.argv[1], type=Expected))).decode())
