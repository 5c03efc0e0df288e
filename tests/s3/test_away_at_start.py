"""`turret up` while S3 is away: what a host that knows its lake takes meanwhile, and what is refused."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.command.hosts import Host, end
from tests.processes.conftest import until
from tests.s3_server import Store
from turret_api.accounts import Accounts, NewProject
from turret_pipeline.lake.parts import list_parts, read_parts
from turret_pipeline.lake.paths import Lake
from turret_pipeline.settings import Settings
from turret_pipeline.stages.pending import pending_stages

BUILT_S = 300.0
WAITS = "Turret takes events, and nothing else runs yet"


@pytest.fixture(scope="module")
def host(bucket: Store, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host with the role api that has been up once, on a lake of its own, and has ended."""
    found = on_s3(bucket, database_url, tmp_path_factory.mktemp("host"), "api")
    found.begin()
    found.wait_until_up()
    found.end()
    yield found
    end([found])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"AWS_ACCESS_KEY_ID": "another"}, "AWS_ACCESS_KEY_ID is not known there"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "it does not answer"),
    ],
)
def test_a_host_that_knows_its_lake_refuses_one_that_refuses_it_and_one_elsewhere(
    host: Host, changed: dict[str, str], reason: str
) -> None:
    done = subprocess.run(
        host.command("up"), env=host.environment | changed, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert reason in done.stderr.splitlines()[-1] and WAITS not in done.stdout


@pytest.mark.slow
def test_a_host_that_starts_while_s3_is_away_takes_events_and_the_rest_comes_with_it(host: Host, bucket: Store) -> None:
    keys = project(host)
    with bucket.away():
        host.begin()
        until(lambda: WAITS in host.said())
        assert "cannot be reached: it does not answer (" in host.said()
        assert "; only events are taken until it does" in host.said()
        assert track(host, keys) == 200
        answer = httpx.get(f"{host.url}/v1/topics", headers={"X-API-Key": keys.read_key}, timeout=30)
        assert answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0, answer.text
        assert httpx.get(f"{host.url}/readyz", timeout=30).status_code == 200
    until(lambda: "everything runs" in host.said())
    until(lambda: n_raw(host, keys) == 1)
    until(
        lambda: httpx.get(f"{host.url}/v1/topics", headers={"X-API-Key": keys.read_key}, timeout=60).status_code == 200
    )


@pytest.mark.long
@pytest.mark.timeout(900)
def test_everything_is_current_once_s3_is_back_that_was_away_when_everything_started(
    bucket: Store, make_database: Callable[[], str], tmp_path: Path
) -> None:
    host = on_s3(bucket, make_database(), tmp_path, "all")
    try:
        host.begin()
        host.wait_until_up()
        keys = project(host)
        host.end()
        with bucket.away():
            host.begin()
            until(lambda: WAITS in host.said())
            assert track(host, keys) == 200
        until(lambda: "everything runs" in host.said(), BUILT_S)
        until(lambda: n_raw(host, keys) == 1)
        until(lambda: not pending_stages(lake(host), None)[keys.project_id], BUILT_S)
    finally:
        end([host])


def on_s3(bucket: Store, database_url: str, folder: Path, role: str) -> Host:
    found = Host(folder, "ada", role, database_url, folder)
    found.environment["TURRET_LAKE"] = f"s3://{bucket.bucket}/{folder.name}"
    return found


def project(host: Host) -> NewProject:
    with closing(
        Accounts(host.environment["TURRET_DATABASE_URL"].replace("postgresql:", "postgresql+psycopg2:"))
    ) as accounts:
        # The database is one for all tests of the session.
        return accounts.create_project(f"shop {host.environment['TURRET_LAKE']}")


def track(host: Host, keys: NewProject) -> int:
    body = {"name": "asked", "metadata": {"plan": "free"}}
    return httpx.post(f"{host.url}/track", json=body, headers={"X-API-Key": keys.write_key}, timeout=30).status_code


def lake(host: Host) -> Lake:
    return Settings.from_environment(host.environment).open_lake()


def n_raw(host: Host, keys: NewProject) -> int:
    return read_parts(lake(host), list_parts(lake(host), keys.project_id)).height
