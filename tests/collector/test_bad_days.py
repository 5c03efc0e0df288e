"""Overload, full disks, a database that is away, keys that are revoked, clients that dawdle: nothing is lost, and the
server says what it can and cannot do."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.collector.bomb import BOMB
from turret_api.accounts import Accounts
from turret_api.processes.postgres import database
from turret_pipeline.settings import Settings

GOOD = {"name": "n", "metadata": {"a": 1}}
WITHIN_S = 30.0
"""Seconds that things may take on a busy machine which are a matter of two or three on a quiet one."""


class SmallDisk:
    """A disk that can be filled: a file system of 48 MiB, or, where none may be mounted, one that acts full."""

    def __init__(self, folder: Path, is_mounted: bool) -> None:
        self.folder = folder
        self._is_mounted = is_mounted
        self._filler = folder / "filler"
        self.launch = [] if is_mounted else ["--disk-full-if", str(self._filler)]

    def fill(self) -> None:
        with contextlib.suppress(OSError), self._filler.open("wb", buffering=0) as stream:
            while self._is_mounted:
                stream.write(b"x" * 65536)

    def free(self) -> None:
        self._filler.unlink()


@pytest.fixture(params=["mounted", "acted"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk that can be filled; where none may be mounted, one that acts full."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)]
    is_mounted = request.param == "mounted" and subprocess.run(mount, capture_output=True).returncode == 0
    yield SmallDisk(folder, is_mounted)
    if is_mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk_is_answered_503_and_taken_up_again_when_there_is_room(
    make_server: Callable, new_project: Callable, small_disk: SmallDisk
) -> None:
    project = new_project()
    server = make_server(home=small_disk.folder / "home", launch=small_disk.launch).start()
    ids = [server.track(project.write_key, GOOD).json["event_id"] for _ in range(3)]

    small_disk.fill()
    deadline = time.monotonic() + WITHIN_S
    while (answer := server.track(project.write_key, GOOD)).status == 200 and time.monotonic() < deadline:
        ids.append(answer.json["event_id"])
    full = [server.track(project.write_key, GOOD) for _ in range(5)]
    ready = server.request("GET", "/readyz").status
    small_disk.free()
    deadline = time.monotonic() + WITHIN_S
    while (answer := server.track(project.write_key, GOOD)).status != 200 and time.monotonic() < deadline:
        time.sleep(0.05)

    assert {(each.status, each.code, each.headers["retry-after"]) for each in full} == {
        (503, "SERVICE_UNAVAILABLE", "5")
    }
    assert ready == 503
    assert answer.status == 200
    ids.append(answer.json["event_id"])
    assert server.stop() == 0
    assert sorted(server.events(project.project_id)["event_id"]) == sorted(ids)


def test_a_disk_below_the_reserve_takes_nothing(make_server: Callable, new_project: Callable) -> None:
    server = make_server(environment={"TURRET_DISK_RESERVE_MB": str(2**29)}).start()

    assert server.request("GET", "/readyz").status == 503
    assert server.track(new_project().write_key, GOOD).code == "SERVICE_UNAVAILABLE"


@pytest.mark.slow
def test_events_are_taken_while_the_database_is_away_even_after_a_restart(
    make_server: Callable, tmp_path: Path
) -> None:
    settings = Settings.from_environment({"TURRET_HOME": str(tmp_path / "database")})
    with database(settings) as url:
        accounts = Accounts(url)
        accounts.migrate()
        project = accounts.create_project("away", "enterprise", 100_000)
        server = make_server(database_url=url).start()
        assert server.track(project.write_key, GOOD).status == 200
        time.sleep(1.5)
        accounts.close()
        server.environment = {"TURRET_DATABASE_URL": url.replace("+psycopg2", "")}
    away = [server.track(project.write_key, GOOD).status for _ in range(20)]
    server.kill()
    server.start()
    restarted = [server.track(project.write_key, GOOD).status for _ in range(20)]
    unknown = server.track("tw_0000000000000000000000000000000024xlCz", GOOD).status

    assert set(away) == set(restarted) == {200}
    assert unknown == 401
    assert server.stop() == 0
    assert server.events(project.project_id).height == 41


@pytest.mark.slow
def test_a_key_works_at_once_and_is_refused_soon_after_it_is_revoked(
    make_server: Callable, new_project: Callable, accounts: Accounts
) -> None:
    project = new_project()
    server = make_server().start()
    key = accounts.create_key(project.project_id, "write")
    assert server.track(key.key, GOOD).status == 200

    accounts.revoke_key(key.key_id)
    deadline = time.monotonic() + WITHIN_S
    while (status := server.track(key.key, GOOD).status) == 200 and time.monotonic() < deadline:
        time.sleep(0.05)

    assert status == 401
    assert server.track(project.write_key, GOOD).status == 200
    assert key.key not in server.log() and project.write_key not in server.log()
    for file in (server.home / "spool").rglob("*"):
        assert not file.is_file() or key.key.encode() not in file.read_bytes()


@pytest.mark.slow
def test_memory_stays_bounded_under_200_large_bodies_and_a_bomb(make_server: Callable, new_project: Callable) -> None:
    # Not forked from the preloaded process: memory that it shared with its parent would be counted too.
    project = new_project()
    server = make_server(preloaded=None).start()
    text = "x" * 99_000
    body = json.dumps([{"name": "n", "metadata": {"t": text}}] * 168).encode()
    outcomes: Counter[int] = Counter()
    peak = [0]
    done = threading.Event()

    def watch() -> None:
        process = psutil.Process(server.pid)
        while not done.is_set():
            peak[0] = max(peak[0], process.memory_info().rss)
            time.sleep(0.02)

    def send(n: int) -> None:
        headers = {"X-API-Key": project.write_key, "Content-Type": "application/json"}
        if n % 20 == 0:
            headers["Content-Encoding"] = "gzip"
        try:
            with contextlib.closing(server.connect(120)) as connection:
                connection.request("POST", "/track", BOMB if n % 20 == 0 else body, headers)
                response = connection.getresponse()
                response.read()
                outcomes[response.status] += 1
        except (OSError, http.client.HTTPException):
            outcomes[0] += 1

    watcher = threading.Thread(target=watch)
    watcher.start()
    threads = [threading.Thread(target=send, args=(n,)) for n in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    watcher.join()

    assert len(body) > 15 * 2**20
    assert outcomes[413] + outcomes[503] + outcomes[200] == 200, outcomes
    assert outcomes[200] > 0
    assert peak[0] < 400 * 2**20, f"{peak[0] / 2**20:.0f} MiB"
    assert server.track(project.write_key, GOOD).status == 200


def test_sigterm_finishes_and_rolls_what_was_taken(make_server: Callable, new_project: Callable) -> None:
    project = new_project()
    server = make_server(environment={"TURRET_ROLL_SECONDS": "3600"}).start()
    answer = server.track(project.write_key, [GOOD] * 500)

    assert server.stop() == 0
    assert sorted(server.events(project.project_id)["event_id"]) == sorted(
        each["event_id"] for each in answer.json["results"]
    )


@pytest.mark.slow
def test_clients_that_dawdle_are_cut(make_server: Callable, new_project: Callable) -> None:
    project = new_project()
    server = make_server().start()
    head = f"POST /track HTTP/1.1\r\nHost: x\r\nX-API-Key: {project.write_key}\r\nContent-Type: application/json\r\n"
    half_head = socket.create_connection(("127.0.0.1", server.port), 40)
    half_head.sendall(b"POST /track HTTP/1.1\r\nHost:")
    half_body = socket.create_connection(("127.0.0.1", server.port), 40)
    half_body.sendall(head.encode() + b"Content-Length: 100\r\n\r\n{")
    started = time.monotonic()

    with half_head, half_body:
        answer = b"".join(iter(lambda: half_body.recv(10_000), b""))
        assert answer.startswith(b"HTTP/1.1 408") and b'"INVALID_REQUEST"' in answer
        with contextlib.suppress(ConnectionResetError):
            assert half_head.recv(10_000) == b""
    assert time.monotonic() - started < 30


def workers_of(server: Any) -> set[str]:
    """Return which workers' figures one scrape gives."""
    with contextlib.closing(server.connect()) as connection:
        connection.request("GET", "/metrics")
        return set(re.findall(r'worker="\d+"', connection.getresponse().read().decode()))


@pytest.mark.slow
def test_several_workers_share_a_port_and_each_has_a_spool(make_server: Callable, new_project: Callable) -> None:
    project = new_project("enterprise", 300)
    server = make_server(options=["--workers", "2"]).start()
    assert server.track(project.write_key, {}).status == 400
    children = psutil.Process(server.pid).children()
    statuses: Counter[int] = Counter()
    while sum(statuses.values()) < 400:
        answer = server.track(project.write_key, GOOD)
        statuses[answer.status] += 1
        if sum(statuses.values()) == 100:
            children[0].kill()
        if answer.status == 503:
            statuses[503] = 0

    deadline = time.monotonic() + 30
    while {'worker="0"', 'worker="1"'} - (found := workers_of(server)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert server.stop() == 0
    assert len(children) == 2 and found == {'worker="0"', 'worker="1"'}, "each process tells the figures of both"
    assert statuses[200] == 300 and statuses[429] == 100
    assert server.events(project.project_id).height == 300
    assert {folder.name for folder in (server.home / "spool").iterdir()} >= {"0", "1"}
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def test_a_port_in_use_is_said_in_one_line(make_server: Callable) -> None:
    running = make_server().start()
    second = make_server(port=running.port)
    second.begin()

    assert second.wait(60) == 1
    (line,) = second.log().splitlines()
    assert line.startswith(f"Error: cannot listen on 127.0.0.1:{running.port}: Address already in use")
