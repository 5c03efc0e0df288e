"""Nothing acknowledged is lost and nothing is doubled, whenever the process is killed."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from turret_api.accounts import NewProject

POINTS = [
    "spool.before_commit",
    "spool.after_commit",
    "roll.after_plan",
    "part.mid_file",
    "part.after_rename",
    "part.after_folder_fsync",
    "roll.after_delete",
]
QUICK = "part.after_rename"


class Load:
    """Clients that send events without pause and note what was acknowledged and what was sent."""

    def __init__(self, port: int, key: str, name: str, n_clients: int = 4) -> None:
        self.acknowledged: list[str] = []
        self.sent: set[str] = set()
        self._port, self._key, self._name = port, key, name
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(n_clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, client: int) -> None:
        number = 0
        headers = {"X-API-Key": self._key, "Content-Type": "application/json"}
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)) as connection:
            while not self._stop.is_set():
                ids = [f"{self._name}-{client}-{number + n}" for n in range(1 if client % 2 else 5)]
                number += len(ids)
                self.sent.update(ids)
                body = json.dumps([{"name": "n", "metadata": {"id": each}, "event_id": each} for each in ids])
                try:
                    connection.request("POST", "/track", body, headers)
                    response = connection.getresponse()
                    answer = response.read()
                except (OSError, http.client.HTTPException):
                    return  # killed
                if response.status == 200:
                    self.acknowledged += [each["event_id"] for each in json.loads(answer)["results"]]


def kill_again_and_again(server, project: NewProject, n_kills: int, seed: int) -> tuple[int, int, int]:
    """Return how many events were acknowledged, lost and doubled over `n_kills` kills under load."""
    chance = random.Random(seed)
    acknowledged: list[str] = []
    sent: set[str] = set()
    for kill in range(n_kills):
        server.start()
        with Load(server.port, project.write_key, f"{kill}") as load:
            time.sleep(chance.uniform(0.05, 0.6))
            server.kill()
        acknowledged += load.acknowledged
        sent |= load.sent
    return _count(server, project, acknowledged, sent)


def _count(server, project: NewProject, acknowledged: list[str], sent: set[str]) -> tuple[int, int, int]:
    server.launch = []
    server.start()
    assert server.stop() == 0
    stored = Counter(server.events(project.project_id)["event_id"].to_list())
    assert set(stored) <= sent
    lost = set(acknowledged) - set(stored)
    return len(acknowledged), len(lost), sum(n - 1 for n in stored.values())


@pytest.mark.slow
def test_no_acknowledged_event_is_lost_or_doubled_by_8_kills(make_server: Callable, new_project: Callable) -> None:
    n, lost, doubled = kill_again_and_again(make_server(), new_project(), 8, seed=1)

    assert n > 100
    assert (lost, doubled) == (0, 0)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_no_acknowledged_event_is_lost_or_doubled_by_200_kills(make_server: Callable, new_project: Callable) -> None:
    n, lost, doubled = kill_again_and_again(make_server(), new_project(), 200, seed=2)

    assert n > 1000
    assert (lost, doubled) == (0, 0)


@pytest.mark.parametrize(
    "point", [pytest.param(each, marks=[] if each == QUICK else pytest.mark.slow) for each in POINTS]
)
def test_a_kill_at_a_failpoint_loses_and_doubles_nothing(
    make_server: Callable, new_project: Callable, point: str
) -> None:
    project = new_project()
    server = make_server(launch=["--die-at", point, "--after", "3" if point.startswith("spool") else "1"]).start()

    with Load(server.port, project.write_key, "a") as load:
        server.wait()

    n, lost, doubled = _count(server, project, load.acknowledged, load.sent)
    assert n > 0
    assert (lost, doubled) == (0, 0)


@pytest.mark.long
def test_the_test_sees_doubles_when_ranges_are_not_pinned(make_server: Callable, new_project: Callable) -> None:
    project = new_project()
    server = make_server(launch=["--without", "pin", "--die-at", "part.after_rename"]).start()

    with Load(server.port, project.write_key, "a") as load:
        server.wait()
    server.launch = ["--without", "pin"]
    server.start()
    server.stop()

    stored = Counter(server.events(project.project_id)["event_id"].to_list())
    assert load.acknowledged
    assert max(stored.values()) > 1


@pytest.mark.long
def test_the_test_sees_losses_when_the_answer_does_not_wait_for_the_commit(
    make_server: Callable, new_project: Callable
) -> None:
    # Any one kill may come just after a commit; one of a dozen does not.
    n, lost, _ = kill_again_and_again(make_server(launch=["--without", "commit"]), new_project(), 12, seed=3)

    assert n > 0
    assert lost > 0
