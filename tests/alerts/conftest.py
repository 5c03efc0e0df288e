"""A planted course of days, accounts in a real Postgres, and a receiver of hooks."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import ipaddress
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import create_engine, text

from tests.read.conftest import C, N, P, R, write_lake
from turret_api.accounts import Accounts
from turret_api.alerts.book import AlertBook
from turret_api.alerts.outbox import Outbox
from turret_api.alerts.run import run
from turret_api.alerts.store import AlertStore
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import BUILDS
from turret_pipeline.settings import Settings

NOW = dt.datetime(2026, 3, 20, 12, 0, tzinfo=dt.UTC)
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(1)
PROJECT = "shop"
PER_DAY = 12
QUIET_DAY = [[P, R], [P, R, N], [R], [P], [R, P], [N, R], [P, R], [R], [P, N], [R, P], [P], [R, N]]
"""Sessions of a day on which nobody asks for declined cards."""


def course(n_days: int, new_from: int | None = None) -> dict[str, list[str]]:
    """Return the sessions of so many days; from the day `new_from` on every other one asks for declined cards too."""
    sessions = {}
    for day in range(n_days):
        for i, said in enumerate(QUIET_DAY):
            is_new = new_from is not None and day >= new_from and i % 2 == 0
            sessions[f"d{day:02d}-{i:02d}"] = [*said, C] if is_new else said
    return sessions


class Receiver(ThreadingHTTPServer):
    """Takes what is posted to it and answers with the next of `statuses`, then with 200."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.headers: dict[str, str] = {}
        self.before_answer: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, _, body in self.got]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Receiver)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.got.append((self.path, dict(self.headers.items()), body))
        server.before_answer()
        self.send_response(server.statuses.pop(0) if server.statuses else 200)
        for name, value in server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        raise AssertionError("a hook is only posted to")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def alerts_url(database_url: str) -> str:
    """URL of a database with the accounts' tables and nothing else."""
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE alerts"))
    engine.dispose()
    url = f"{database_url.rpartition('/')[0]}/alerts"
    with contextlib.closing(Accounts(url)) as accounts:
        accounts.migrate()
    return url


@dataclass
class Shop:
    """A project `shop` with its lake, rules and targets, and a clock that the test sets."""

    settings: Settings
    accounts: Accounts
    lake: Lake
    project_id: str
    made: Callable[[int, int | None], Path]
    now: dt.datetime = NOW

    @property
    def store(self) -> AlertStore:
        return AlertStore(self.accounts)

    @property
    def book(self) -> AlertBook:
        return AlertBook(self.accounts)

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.accounts)

    def build(self, n_days: int, new_from: int | None = None, after: dt.timedelta = dt.timedelta()) -> None:
        """Bring the tables to what so many days make of them, some time later."""
        self.now += after
        shutil.rmtree(self.lake.root, ignore_errors=True)
        shutil.copytree(self.made(n_days, new_from), self.lake.root)
        builds = store.read(self.lake, BUILDS, PROJECT).with_columns(
            built_at=pl.lit(self.now, BUILDS.schema["built_at"])
        )
        store.replace(self.lake, BUILDS, builds, PROJECT)

    def run(self, after: dt.timedelta = dt.timedelta()) -> dict[str, Any]:
        """Look at the rules and send what is due, some time later."""
        self.now += after
        return run(self.settings, self.accounts, [self.project_id], lambda: self.now)

    def sentences(self, *, is_open: bool | None = None) -> list[str]:
        return [each.sentence for each in self.book.alerts(self.project_id, is_open=is_open)]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int | None], Path]:
    """Return what makes the lake of a course, once."""
    folder = tmp_path_factory.mktemp("courses")

    def make(n_days: int, new_from: int | None) -> Path:
        lake = folder / f"{n_days}-{new_from}"
        if not lake.exists():
            write_lake(Lake(str(lake)), PROJECT, course(n_days, new_from), per_day=PER_DAY)
        return lake

    return make


@pytest.fixture
def shop(alerts_url: str, tmp_path: Path, made: Callable[[int, int | None], Path]) -> Iterator[Shop]:
    """A project without events, whose messages may go to this machine."""
    settings = Settings.from_environment({"TURRET_HOME": str(tmp_path / "home"), "TURRET_ALERTS_PRIVATE": "1"})
    settings = dataclasses.replace(settings, database_url=alerts_url)
    with contextlib.closing(Accounts(alerts_url)) as accounts:
        with accounts.engine.begin() as connection:
            for table in ("api_keys", "projects", "deleted_projects"):
                connection.execute(text(f"DELETE FROM turret.{table}"))
        assert accounts.create_project(PROJECT).project_id == PROJECT
        yield Shop(settings, accounts, settings.open_lake(), PROJECT, made)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Files with a certificate of 127.0.0.1 that nobody vouches for, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - DAY).not_valid_after(now + DAY).add_extension(here, False)
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(files[0]), str(files[1])
