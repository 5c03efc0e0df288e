"""The read API writes nothing to the lake, and answers consistently while another process builds in it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.read.conftest import Api
from tests.read.reading import read_app
from tests.read.test_answers import ROUTES
from turret_api.read.engine.calculator import Calculator

BUILDER = """
import sys
from tests.read.conftest import SESSIONS, write_lake
from turret_pipeline.lake.paths import Lake
lake, n = Lake(sys.argv[1]), 0
while True:
    n += 1
    write_lake(lake, "shop", {**SESSIONS, **{f"n{i}": SESSIONS["s1"] for i in range(n)}})
    print(n, flush=True)
"""


def inventory(folder: Path) -> set[tuple[str, int, int]]:
    """Every file and folder with its size and the time of its last change."""
    return {(str(each), each.stat().st_size, each.stat().st_mtime_ns) for each in folder.rglob("*")}


@pytest.mark.slow
def test_questions_leave_every_file_as_it_was(own_api: Api) -> None:
    before = inventory(Path(own_api.lake.root))
    for key in ("shop:read", "nobody:read"):
        for path, params in ROUTES.items():
            for more in ({}, {"as_of": "2026-01-01"}, {"from": "2026-03-02", "segment.plan": "pro"}):
                own_api.client.get(path, params={**params, **more}, headers={"X-API-Key": key})
    assert inventory(Path(own_api.lake.root)) == before


@pytest.mark.long
def test_answers_are_of_one_build_and_never_fail_while_another_process_builds(own_api: Api) -> None:
    calculator = Calculator(own_api.lake)
    app = read_app(own_api.lake, calculator=calculator, front=True)
    command = [sys.executable, "-c", BUILDER, own_api.lake.root]
    builder = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    try:
        assert builder.stdout is not None and builder.stdout.readline()
        seen, until = set(), time.monotonic() + 6
        with TestClient(app) as client:
            while time.monotonic() < until or len(seen) < 3:
                topics = client.get("/v1/topics", headers={"X-API-Key": "shop:read"})
                assert topics.status_code == 200, topics.text
                found = topics.json()
                assert sum(row["size"] for row in found["data"]) + found["n_unassigned"] == found["n_messages"]
                graph = client.get("/v1/journeys?name=chat", headers={"X-API-Key": "shop:read"}).json()
                ends = [
                    sum(e["count"] for e in graph["edges"] if e[side] == node)
                    for side, node in (("from", "start"), ("to", "end"))
                ]
                assert ends == [graph["n_sessions"]] * 2
                seen.add(found["n_messages"])
    finally:
        builder.kill()
        builder.wait()
        builder.stdout.close()
        calculator.close()
