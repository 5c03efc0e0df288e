"""`turret serve` by itself, with the embedded database, as a real process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from tests.command.test_build import said
from tests.processes.conftest import processes_of, until
from turret_api.accounts import Accounts
from turret_api.accounts.tables import QUOTA_GRANTS
from turret_api.command.main import main
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


@pytest.mark.slow
@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.long), 2])
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

        def n_with_room() -> int:
            grants = select(func.count()).where(QUOTA_GRANTS.c.project_id == old.project_id)
            with accounts.engine.connect() as connection:
                return connection.scalar(grants) or 0

        def sent(key: str) -> int:
            event = {"name": "asked", "metadata": {"prompt": "hello"}}
            return httpx.post(f"{address}/track", json=event, headers={"X-API-Key": key}, timeout=30).status_code

        # Every worker knows the keys, and has room for more events of one project than it will get.
        until(lambda: all(sent(old.write_key) == 200 for _ in range(20)) and n_with_room() == workers)
        accounts.close()
        until(
            lambda: all(
                httpx.get(f"{address}/v1/fields", headers={"X-API-Key": shop.read_key}, timeout=60).status_code == 200
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


@pytest.mark.slow
def test_a_server_that_has_never_known_a_key_is_not_ready_without_the_database(used_home: Path) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    with serving(used_home, TURRET_DATABASE_URL=nowhere) as address:
        ready = httpx.get(f"{address}/readyz", timeout=30)
    assert ready.status_code == 503
    assert ready.json()["error"] == "The accounts' database is away and no key is known yet."


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a self-signed certificate of localhost and 127.0.0.1, its key, and what is none."""
    folder = tmp_path_factory.mktemp("pems")
    make_certificate(folder / "cert.pem", folder / "key.pem")
    make_certificate(folder / "another.pem", folder / "other")
    (folder / "text").write_text("no certificate")
    lock = ["openssl", "pkey", "-aes128", "-passout", "pass:secret", "-in", str(folder / "key.pem")]
    subprocess.run([*lock, "-out", str(folder / "locked")], check=True, capture_output=True)
    return folder


@pytest.fixture
def certificate(pems: Path) -> dict[str, str]:
    """The certificate with its key, as settings."""
    return {"TURRET_TLS_CERT": str(pems / "cert.pem"), "TURRET_TLS_KEY": str(pems / "key.pem")}


def make_certificate(cert: Path, key: Path) -> None:
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    words = ["openssl", "req", "-x509", *curve, "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", str(cert), "-keyout", str(key)]
    subprocess.run([*words, *names], check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.long)])
def test_with_a_certificate_the_server_speaks_https_and_its_cookie_is_secure(
    used_home: Path, certificate: dict[str, str], workers: int
) -> None:
    with serving(used_home, "--workers", str(workers), **certificate) as address:
        assert address.startswith("https://")
        url = embedded_url(used_home)
        assert url is not None
        trusted = ssl.create_default_context(cafile=certificate["TURRET_TLS_CERT"])
        with httpx.Client(base_url=address, verify=trusted, timeout=30) as client:
            until(lambda: client.get("/readyz").json()["accounts"] == "reached")
            accounts = Accounts(url)
            shop = accounts.create_project("shop")
            accounts.close()
            event = {"name": "asked", "metadata": {"prompt": "hello"}}
            sent = client.post("/track", json=event, headers={"X-API-Key": shop.write_key})
            assert sent.json()["success"] is True
            form, origin = {"key": shop.read_key}, {"Sec-Fetch-Site": "same-origin"}
            signed_in = client.post("/sign-in", data=form, headers=origin)
            assert signed_in.status_code == 303 and "Secure" in signed_in.headers["set-cookie"]
            assert client.get("/").status_code == 200
        with pytest.raises(httpx.HTTPError):
            httpx.get(address.replace("https", "http"), timeout=30)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"TURRET_TLS_KEY": ""}, "belong together"),
        ({"TURRET_TLS_CERT": "/nowhere/cert.pem"}, "TURRET_TLS_CERT: /nowhere/cert.pem cannot be read: No such file"),
        ({"TURRET_TLS_KEY": "other"}, "the key is not that of the certificate"),
        ({"TURRET_TLS_CERT": "text"}, "holds no certificate in PEM format"),
        ({"TURRET_TLS_KEY": "locked"}, "the key without a password"),
    ],
    ids=lambda of: next(iter(of)) if isinstance(of, dict) else "",
)
@pytest.mark.parametrize("command", ["serve", "up"])
def test_files_that_cannot_be_used_are_refused_at_the_start_in_one_line(
    home: Path, pems: Path, certificate: dict[str, str], command: str, changed: dict[str, str], words: str
) -> None:
    paths = {name: str(pems / value) if value else "" for name, value in changed.items()}
    done = CliRunner().invoke(main, [command], env={"TURRET_HOME": str(home), **certificate, **paths})
    assert done.exit_code == 1
    assert words in done.stderr and len(done.output.splitlines()) == 1, done.output
    assert not (home / "postgres").exists()


def test_commands_beside_a_server_use_its_database(used_home: Path) -> None:
    with serving(used_home):
        said(used_home, "project", "create", "shop")
    with database(Settings.from_environment({"TURRET_HOME": str(used_home)})) as url:
        accounts = Accounts(url)
        assert [each.project_id for each in accounts.projects()] == ["shop"]
        accounts.close()
