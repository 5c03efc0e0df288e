"""`compose.split.yaml` without an engine: each role with the command and the environment that stand there.

For its Postgres and its SeaweedFS stand the tests' own servers, under the same names of database, user and bucket.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.ports import free_ports
from tests.s3_server import Store, store

ROOT = Path(__file__).parents[2]
FILE: dict[str, Any] = yaml.safe_load((ROOT / "compose.split.yaml").read_text())
ROLES = ("collector", "api", "pipeline")
UP_S, TOLD_S = 170.0, 240.0


@pytest.fixture
def bucket() -> Iterator[Store]:
    """The bucket that the file names."""
    with store() as found:
        found.bucket = FILE["x-environment"]["TURRET_LAKE"].removeprefix("s3://").partition("/")[0]
        found.make_bucket()
        yield found


class Service:
    """One service of the file, running on ports of its own."""

    def __init__(self, name: str, folder: Path, filled: dict[str, str]) -> None:
        self.port, dagster_port = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = folder / f"{name}.out"
        of = FILE["services"][name]
        kept = {variable: value for variable, value in os.environ.items() if not variable.startswith(("TURRET", "AWS"))}
        environment = {
            **kept,
            **{variable: filled.get(variable, str(value)) for variable, value in of["environment"].items()},
            "TURRET_HOME": str(folder / name),
            "TURRET_PORT": str(self.port),
            "TURRET_DAGSTER_PORT": str(dagster_port),
        }
        command = [sys.executable, "-m", "turret_api", *of["command"]]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)

    @property
    def said(self) -> str:
        return self.output.read_text()

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + UP_S
        while "Turret is up" not in self.said:
            assert self.process.poll() is None and time.monotonic() < deadline, self.said
            time.sleep(0.2)


def test_every_variable_of_the_file_is_set_by_who_starts_it_and_every_host_is_a_service() -> None:
    text = (ROOT / "compose.split.yaml").read_text()
    assert set(re.findall(r"\$\{(\w+)", text)) == {"POSTGRES_PASSWORD", "S3_KEY", "S3_SECRET"}
    assert all(":?" in found for found in re.findall(r"\$\{[^}]+\}", text)), "no password has a default"
    hosts = {
        re.sub(r".*[@/]([a-z0-9]+)[:/].*", r"\1", FILE["x-environment"][each])
        for each in ("TURRET_DATABASE_URL", "AWS_ENDPOINT_URL")
    }
    assert hosts == {"postgres", "s3"} and hosts <= set(FILE["services"])


@pytest.mark.long
@pytest.mark.timeout(UP_S + TOLD_S + 120)
def test_an_event_that_the_collector_takes_is_built_by_the_pipeline_and_told_by_the_api(
    bucket: Store, make_database: Callable[[], str], tmp_path: Path
) -> None:
    filled = {"TURRET_DATABASE_URL": make_database().replace("+psycopg2", ""), **bucket.environment}
    services = {name: Service(name, tmp_path, filled) for name in ROLES}
    try:
        for service in services.values():
            service.wait_until_up()
        said = services["collector"].said + services["api"].said
        keys = dict(re.findall(r"(write|read) key +(\S+)", said))
        event = {"name": "asked", "session_id": "one", "metadata": {"prompt": "where is my parcel"}}
        sent = httpx.post(
            f"{services['collector'].url}/track", json=event, headers={"X-API-Key": keys["write"]}, timeout=60
        )
        assert sent.status_code == 200, sent.text
        reader = httpx.Client(base_url=services["api"].url, headers={"X-API-Key": keys["read"]}, timeout=60)
        assert httpx.get(f"{services['collector'].url}/v1/fields", timeout=60).status_code == 404, (
            "a collector answers no question"
        )
        with reader:
            deadline = time.monotonic() + TOLD_S
            while (told := reader.get("/v1/sessions/one")).status_code != 200:
                assert time.monotonic() < deadline, told.text
                time.sleep(0.5)
            assert reader.get("/metrics").text.count("turret_runs_last_success_timestamp_seconds 0.0") == 0
    finally:
        for service in services.values():
            service.process.terminate()
        assert [service.process.wait(90) for service in services.values()] == [0, 0, 0]
