"""The Python client among tasks and threads, and at its end: each event is counted once, and nobody waits too long."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable

import pytest
from turret_client import Client, Loss

from tests.clients.scripted import Scripted, error, hung, stored
from tests.processes.conftest import until


def test_tasks_go_on_while_events_are_flushed(script: Callable) -> None:
    others_went_on = threading.Event()

    def waits(server: Scripted, events: list) -> tuple:
        others_went_on.wait()
        return stored(server, events)

    async def application() -> bool:
        async with Client(f"http://127.0.0.1:{script(waits).port}", "tw_any") as client:
            client.track("n", {"id": 1})
            flushing = asyncio.create_task(client.aflush())
            for _ in range(10):
                await asyncio.sleep(0.01)
            others_went_on.set()
            return await flushing

    assert asyncio.run(application())


@pytest.mark.slow
def test_many_threads_track_at_once_and_each_event_is_counted_once(script: Callable, make_client: Callable) -> None:
    server = script(stored)
    client = make_client(server, batch_events=50)

    def work(worker: int) -> None:
        for n in range(500):
            client.track("n", {"id": f"{worker}-{n}"})

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert client.flush()
    sent = [each["metadata"]["id"] for request in server.requests for each in request]
    assert sorted(sent) == sorted(f"{worker}-{n}" for worker in range(8) for n in range(500))


def test_what_is_tracked_after_the_end_is_counted_as_lost(script: Callable, make_client: Callable) -> None:
    client = make_client(script(stored))
    client.track("n", {"id": 1})
    assert client.close()

    client.track("n", {"id": 2})

    assert client.stats().n_sent == 1
    assert client.stats().n_lost_by_cause == {"closed": 1}


@pytest.mark.slow
def test_each_event_that_is_tracked_around_the_end_is_counted_once(script: Callable, make_client: Callable) -> None:
    client = make_client(script(stored), batch_events=20, linger_s=0)
    n_calls = [0] * 4

    def work(worker: int) -> None:
        until_s = time.monotonic() + 1.0
        while time.monotonic() < until_s:
            client.track("n", {"id": worker})
            n_calls[worker] += 1
            time.sleep(0.0005)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    client.close()
    for thread in threads:
        thread.join()

    stats = client.stats()
    assert stats.n_waiting == 0
    assert stats.n_sent + stats.n_lost_by_cause["closed"] == sum(n_calls)


def test_the_end_waits_no_longer_than_it_is_told(script: Callable, make_client: Callable) -> None:
    client = make_client(script(hung), batch_events=10, timeout_s=0.5)
    for n in range(100):
        client.track("n", {"id": n})

    began_s = time.monotonic()
    assert not client.close(0.5)

    assert time.monotonic() - began_s < 8, "less than where it is told nothing"
    until(lambda: client.stats().n_lost_by_cause == {"closed": 100})


def test_an_application_that_fails_in_on_loss_or_its_log_does_not_stop_the_client(
    script: Callable, make_client: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("the log's disk is full")

    def fail(_: Loss) -> None:
        raise RuntimeError("a mistake")

    handler = Failing()
    monkeypatch.setattr(logging.getLogger("turret_client"), "handlers", [handler])

    def say(server: Scripted, events: list) -> tuple:
        return error(400, "INVALID_REQUEST") if len(server.requests) == 1 else stored(server, events)

    client = make_client(script(say), on_loss=fail)
    client.track("n", None)
    client.track("n", {"id": 1})
    assert client.flush()

    client.track("n", {"id": 2})

    assert client.flush()
    stats = client.stats()
    assert (stats.n_sent, stats.n_lost_by_cause) == (1, {"unsendable": 1, "refused": 1})


def test_a_client_that_is_dropped_sends_what_it_has_and_ends_its_thread(script: Callable) -> None:
    server = script(stored)
    before = set(threading.enumerate())
    client = Client(f"http://127.0.0.1:{server.port}", "tw_any", linger_s=60)
    client.track("n", {"id": 1})
    (thread,) = [each for each in set(threading.enumerate()) - before if each.name == "turret-client"]

    del client

    thread.join(10)
    assert not thread.is_alive()
    assert [len(request) for request in server.requests] == [1]
