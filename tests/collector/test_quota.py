"""Exactly the limit is accepted: by racing clients, over two processes, over kills, restarts and month ends."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.collector.conftest import seconds_to_mid_month
from turret_api.accounts import Accounts
from turret_api.accounts.plans import Plan

GOOD = {"name": "n", "metadata": {"a": 1}}


def race(ports: list[int], key: str, n_requests: int, n_clients: int = 64) -> Counter[str]:
    """Send events, every tenth twice and every tenth bad, from many clients at once; return how they were answered."""
    outcomes: Counter[str] = Counter()
    lock = threading.Lock()

    def run(client: int) -> None:
        own: Counter[str] = Counter()
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", ports[client % len(ports)], timeout=60)
        ) as connection:
            n = 0
            while n < n_requests // n_clients:
                event = {**GOOD, "event_id": f"{client}-{n - 1 if n % 10 == 5 else n}"}
                if n % 10 == 7:
                    event = {"metadata": {"a": 1}}
                connection.request(
                    "POST", "/track", json.dumps(event), {"X-API-Key": key, "Content-Type": "application/json"}
                )
                response = connection.getresponse()
                answer = json.loads(response.read())
                if response.status == 503:
                    time.sleep(0.1)
                    continue
                n += 1
                own["duplicate" if answer.get("duplicate") else str(response.status)] += 1
        with lock:
            outcomes.update(own)

    threads = [threading.Thread(target=run, args=(client,)) for client in range(n_clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@pytest.mark.slow
@pytest.mark.parametrize("n_processes", [1, 2])
def test_exactly_the_limit_is_accepted(
    make_server: Callable, new_project: Callable, accounts: Accounts, n_processes: int
) -> None:
    project = new_project("enterprise", 700)
    home = make_server().home
    servers = [make_server(home=home) for _ in range(n_processes)]
    for each in servers:
        each.start()

    outcomes = race([each.port for each in servers], project.write_key, 1280)

    assert outcomes["200"] == 700
    assert outcomes["400"] == 128
    assert outcomes["429"] == 1280 - 700 - 128 - outcomes["duplicate"]
    assert [each.stop() for each in servers] == [0] * n_processes
    assert servers[0].events(project.project_id).height == 700
    assert accounts.usage(project.project_id).used == 700


def test_a_used_up_plan_says_when_to_come_back(make_server: Callable, new_project: Callable, tmp_path: Path) -> None:
    project, ahead_s = new_project("enterprise", 3), seconds_to_mid_month()
    (tmp_path / "clock").write_text(str(ahead_s))
    server = make_server(launch=["--clock", str(tmp_path / "clock")]).start()

    many = server.track(project.write_key, [GOOD] * 5)
    one = server.track(project.write_key, GOOD)
    bad = server.track(project.write_key, {})

    assert (many.status, many.json["accepted"], many.json["rejected"]) == (207, 3, 2)
    assert (one.status, one.code) == (429, "RATE_LIMIT_EXCEEDED")
    assert (one.json["limit"], one.json["used"]) == (3, 3)
    now = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=ahead_s)
    reset = dt.datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=dt.UTC)
    assert dt.datetime.fromisoformat(one.json["retry_at"]) == reset
    assert abs(int(one.headers["retry-after"]) - (reset - now).total_seconds()) < 60
    assert one.json["retry_at"] in one.json["error"]
    assert (one.headers["ratelimit-limit"], one.headers["ratelimit-remaining"]) == ("3", "0")
    assert (bad.status, bad.headers["ratelimit-remaining"]) == (400, "0")


@pytest.mark.slow
def test_a_larger_plan_lets_events_in_again_within_seconds(
    make_server: Callable, new_project: Callable, accounts: Accounts
) -> None:
    project = new_project("enterprise", 1)
    server = make_server().start()
    assert [server.track(project.write_key, GOOD).status for _ in range(2)] == [200, 429]

    accounts.change_plan(project.project_id, "enterprise", 3)

    deadline = time.monotonic() + 10
    while (status := server.track(project.write_key, GOOD).status) == 429 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert status == 200
    assert [server.track(project.write_key, GOOD).status for _ in range(2)] == [200, 429]


@pytest.mark.slow
def test_what_was_used_is_known_after_kills(make_server: Callable, new_project: Callable) -> None:
    project = new_project("enterprise", 20)
    server = make_server()
    accepted = 0
    for _ in range(3):
        server.start()
        accepted += sum(server.track(project.write_key, GOOD).status == 200 for _ in range(8))
        server.kill()

    assert accepted == 20


def test_a_trial_ends_after_14_days_and_never_renews() -> None:
    created = dt.datetime(2026, 1, 31, tzinfo=dt.UTC)
    plan = Plan("trial", 250_000, created)

    assert plan.period(created) == plan.period(created + dt.timedelta(days=200)) == "trial"
    assert plan.over_at_s() == dt.datetime(2026, 2, 14, tzinfo=dt.UTC).timestamp()
    assert plan.resets_at(created) is None


@pytest.mark.parametrize(
    ("now", "period", "reset"),
    [
        ("2026-11-30T23:59:59.999999", "2026-11", "2026-12-01"),
        ("2026-12-01T00:00:00", "2026-12", "2027-01-01"),
        ("2028-02-29T12:00:00", "2028-02", "2028-03-01"),
    ],
)
def test_a_month_begins_at_midnight_utc(now: str, period: str, reset: str) -> None:
    moment = dt.datetime.fromisoformat(now).replace(tzinfo=dt.UTC)
    plan = Plan("pro", 1_000_000, moment)

    assert plan.period(moment) == period
    assert plan.resets_at(moment) == dt.datetime.fromisoformat(reset).replace(tzinfo=dt.UTC)
