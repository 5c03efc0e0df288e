"""`turret serve` by itself, with the embedded database, as a real process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.command.test_build import turret
from tests.processes.conftest import processes_of, until
from turret_api.accounts import Accounts
from turret_api.processes.postgres import database, embedded_server, embedded_url
from turret_pipeline.settings import Settings


@contextlib.contextmanager
def serving(home: Path, *options: str, **environment: str) -> Iterator[str]:
    """A server; its address."""
    command = [sys.executable, "-u", "-m", "turret_api", "serve", "--port", "0", *options]
    variables = {**os.environ, "TURRET_HOME": str(home), **environment}
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = re.search(r"https?://\S+", process.stdout.readline())
            assert address is not None, "the server did not start"
            yield address[0]
        finally:
            process.terminate()
            process.wait(60)
    assert process.returncode == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_the_embedded_database_comes_back_when_it_is_killed_and_meanwhile_readyz_says_that_accounts_are_away(
    used_home: Path, workers: int
) -> None:
    settings = Settings.from_environment({"TURRET_HOME": str(used_home)})
    with serving(used_home, "--workers", str(workers)) as address:

        def accounts_are() -> str:
            with contextlib.suppress(httpx.HTTPError):
                ready = httpx.get(f"{address}/readyz", timeout=30)
                return str(ready.json().get("accounts", ready.json()))
            return "no answer yet"

        url = embedded_url(used_home)
        assert url is not None
        accounts = Accounts(url)
        until(lambda: accounts_are() == "reached")
        shop = accounts.create_project("shop")
        old = accounts.create_project("old")
        accounts.close()

        def sent(key: str) -> int:
            event = {"name": "asked", "metadata": {"prompt": "hello"}}
            return httpx.post(f"{address}/track", json=event, headers={"X-API-Key": key}, timeout=30).status_code

        # Every worker knows the keys, and has room for more events of one project than it will get.
        until(lambda: all(sent(old.write_key) == 200 for _ in range(20)))
        until(
            lambda: all(
                httpx.get(f"{address}/v1/fields", headers={"X-API-Key": shop.read_key}).status_code == 200
                for _ in range(20)
            )
        )
        # Nobody can start the database as long as this is held.
        with (used_home / "postgres" / "start.lock").open("a") as start:
            fcntl.flock(start, fcntl.LOCK_EX)
            for process in processes_of(used_home):
                if "postgres" in " ".join(process.cmdline()[:3]):
                    process.kill()
            until(lambda: accounts_are() == "away")
            assert {sent(old.write_key) for _ in range(10)} == {200}
            assert {sent(shop.write_key) for _ in range(10)} == {503}, "how much its plan allows is not known yet"
        until(lambda: embedded_server(settings.home) is not None)
        until(lambda: accounts_are() == "reached")
        late = accounts.create_project("made afterwards")
        accounts.close()
        assert sent(late.write_key) == sent(shop.write_key) == 200
    assert processes_of(used_home) == []


def test_a_server_that_has_never_known_a_key_is_not_ready_without_the_database(used_home: Path) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    with serving(used_home, TURRET_DATABASE_URL=nowhere) as address:
        ready = httpx.get(f"{address}/readyz", timeout=30)
    assert ready.status_code == 503
    assert ready.json()["error"] == "The accounts' database is away and no key is known yet."


def test_commands_beside_a_server_use_its_database(used_home: Path) -> None:
    with serving(used_home):
        assert turret(used_home, "project", "create", "shop").returncode == 0
    with database(Settings.from_environment({"TURRET_HOME": str(used_home)})) as url:
        accounts = Accounts(url)
        assert [each.project_id for each in accounts.projects()] == ["shop"]
        accounts.close()
