"""The Python client against real servers: what is tracked is stored once, whatever happens to the server."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Callable

import pytest
from turret_client import Client, Loss

from tests.clients.scripted import Scripted, error, hung, stored
from tests.ports import free_ports


def stored_ids(server, project) -> list[int]:
    """Return the number in each event of a project, once the server has ended in order."""
    assert server.stop() == 0
    return sorted(json.loads(each)["id"] for each in server.events(project.project_id)["metadata"].to_list())


def until(is_true: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Return as soon as it is true: a client has sent all within a moment, and the server is to be killed meanwhile."""
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.mark.slow
def test_10000_events_through_a_server_that_is_killed_five_times_are_all_stored_once(
    make_server: Callable, new_project: Callable, make_client: Callable
) -> None:
    project, server = new_project(), make_server().start()
    client = make_client(server, project.write_key, batch_events=100)

    for n in range(5_000):
        client.track("n", {"id": n})
    for kill in range(5):
        until(lambda least=700 * (kill + 1): client.stats().n_sent >= least)
        n_failures = client.stats().n_failures
        server.kill()
        for n in range(1_000):
            client.track("n", {"id": 5_000 + 1_000 * kill + n})
        until(lambda before=n_failures: client.stats().n_failures > before)
        server.start()

    assert client.flush(120)
    stats = client.stats()
    assert (stats.n_sent, stats.n_lost, stats.n_waiting) == (10_000, 0, 0)
    assert stats.n_failures >= 5
    assert stored_ids(server, project) == list(range(10_000))


@pytest.mark.slow
def test_a_server_that_is_away_at_the_start_gets_the_events_once_it_is_there(
    make_server: Callable, new_project: Callable, make_client: Callable
) -> None:
    project, (port,) = new_project(), free_ports(1)
    client = make_client(port, project.write_key)
    client.track("n", {"id": 1})
    assert not client.flush(0.3)

    server = make_server(port=port).start()

    assert client.flush(30)
    assert stored_ids(server, project) == [1]


def test_an_event_keeps_its_texts_ids_and_time(server, project, make_client: Callable) -> None:
    client = make_client(server, project.write_key)
    client.track("user_prompt", {"prompt": "Wo ist\n„das“? 😀", "n": 3}, session_id="s-1", user_id=7,
                 timestamp=1_700_000_000.25, event_id="mine")  # fmt: skip
    assert client.flush()

    (event,) = server.wait_for_events(project.project_id, 1).filter(event_id="mine").to_dicts()
    assert (event["name"], event["session_id"], event["user_id"]) == ("user_prompt", "s-1", "7")
    assert json.loads(event["metadata"]) == {"prompt": "Wo ist\n„das“? 😀", "n": 3}
    assert event["timestamp"].timestamp() == 1_700_000_000.25


def test_an_event_that_the_server_refuses_costs_no_other(server, project, make_client: Callable) -> None:
    losses: list[Loss] = []
    client = make_client(server, project.write_key, on_loss=losses.append, linger_s=0.2)

    client.track("n", {"id": 1})
    client.track("n", {"id": 2}, timestamp="yesterday")
    client.track("n", {"id": 3})

    assert client.flush()
    assert client.stats().n_sent == 2
    (loss,) = losses
    assert (loss.cause, loss.n_events, json.loads(loss.events[0])["metadata"]) == ("refused", 1, {"id": 2})
    assert "ISO 8601" in loss.message


def test_a_plan_that_is_used_up_takes_what_it_has_room_for_and_does_not_hold_up_the_end(
    server, new_project: Callable, make_client: Callable
) -> None:
    client = make_client(server, new_project("enterprise", 3).write_key, batch_events=2)
    for n in range(5):
        client.track("n", {"id": n})
    until(lambda: client.stats().n_sent == 3)
    assert not client.flush(0.1)

    began_s = time.monotonic()
    assert not client.close(20)

    assert time.monotonic() - began_s < 15
    assert client.stats().n_lost_by_cause == {"closed": 2}


def test_a_wrong_key_costs_the_events_and_one_line_of_the_log(
    server, make_client: Callable, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(server, "tw_wrong", batch_events=1)
    for n in range(20):
        client.track("n", {"id": n})

    assert client.flush()
    assert client.stats().n_lost_by_cause == {"refused": 20}
    (line,) = [record.message for record in caplog.records]
    assert "401: Invalid API key" in line


def test_without_a_key_nothing_is_sent_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with Client("http://127.0.0.1:1") as client:
        client.track("n", {"id": 1})
        client.track("n", {"id": 2})

    assert client.stats().n_lost_by_cause == {"off": 2}
    assert [record.message for record in caplog.records] == [
        "There is no write key: set TURRET_WRITE_KEY, or give `key`; 1 event lost"
    ]


def test_url_and_key_come_from_the_environment(server, project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURRET_URL", f"http://127.0.0.1:{server.port}/")
    monkeypatch.setenv("TURRET_WRITE_KEY", f"{project.write_key}\n")
    with Client() as client:
        client.track("n", {"id": 1})
        assert client.flush()
        assert client.stats().n_sent == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"url": "turret.example.org"}, "is no address such as http://127.0.0.1:8000"),
        ({"url": "ftp://turret.example.org"}, "is no address"),
        ({"url": "http://user@turret.example.org"}, "is no address"),
        ({"key": "tw_\n_x"}, "visible characters"),
        ({"key": "tw_ü"}, "visible characters"),
        ({"batch_events": 1001}, "not between 1 and 1,000"),
        ({"most_events": 0}, "not above 0"),
        ({"timeout_s": float("nan")}, "not above 0"),
    ],
)
def test_arguments_that_cannot_work_are_refused_at_once(given: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Client(**given)


def test_track_takes_no_time_while_a_server_hangs(script: Callable, make_client: Callable) -> None:
    client = make_client(script(hung), most_events=5_000)
    took_s = []
    for n in range(20_000):
        began_s = time.perf_counter()
        client.track("n", {"id": n, "prompt": "Where is my order?"})
        took_s.append(time.perf_counter() - began_s)

    # Generous: other processes take the cores now and then. A request would take for ever.
    assert statistics.quantiles(took_s, n=100)[98] < 0.005
    assert client.stats().n_waiting == 5_000


def test_a_full_queue_keeps_what_came_first_and_counts_the_rest(
    script: Callable, make_client: Callable, caplog: pytest.LogCaptureFixture
) -> None:
    lost: list[Loss] = []
    client = make_client(script(hung), most_events=10, on_loss=lost.append)
    for n in range(25):
        client.track("n", {"id": n})

    assert [json.loads(loss.events[0])["metadata"]["id"] for loss in lost] == list(range(10, 25))
    stats = client.stats()
    assert (stats.n_waiting, stats.n_lost_by_cause) == (10, {"full": 15})
    assert [record.message for record in caplog.records] == ["The queue is full; 1 event lost"]


def test_a_queue_is_full_by_bytes_too_and_has_room_again_once_events_are_stored(
    script: Callable, make_client: Callable
) -> None:
    go = threading.Event()

    def say(server: Scripted, events: list) -> tuple:
        go.wait()
        return stored(server, events)

    client = make_client(script(say), most_bytes=5_000)
    for _ in range(3):
        client.track("n", {"text": "x" * 2_000})
    assert (client.stats().n_waiting, client.stats().n_lost) == (2, 1)
    go.set()
    assert client.flush()

    client.track("n", {"text": "x" * 2_000})

    assert client.flush()
    assert (client.stats().n_sent, client.stats().n_lost) == (3, 1)


def test_an_answer_that_comes_too_late_is_asked_for_again_with_the_same_ids(
    script: Callable, make_client: Callable
) -> None:
    def say(server: Scripted, events: list) -> tuple:
        return hung(server, events) if len(server.requests) == 1 else stored(server, events)

    server = script(say)
    client = make_client(server, timeout_s=0.5, linger_s=60)
    for n in range(3):
        client.track("n", {"id": n})

    assert client.flush(60)
    first, *again = [[each["event_id"] for each in request] for request in server.requests]
    assert again and all(ids == first for ids in again)
    assert len(set(first)) == 3
    assert client.stats().n_sent == 3


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_waited_for(script: Callable, make_client: Callable, status: int) -> None:
    def say(server: Scripted, events: list) -> tuple:
        if len(server.requests) == 1:
            return error(status, "SERVICE_UNAVAILABLE", Retry_After="1")
        return stored(server, events)

    server = script(say)
    client = make_client(server)
    client.track("n", {"id": 1})

    assert client.flush()
    assert server.at_s[1] - server.at_s[0] >= 1.0
    assert (client.stats().n_sent, client.stats().n_failures) == (1, 1)


def test_what_is_too_much_at_once_is_sent_in_smaller_parts_in_order(script: Callable, make_client: Callable) -> None:
    def say(server: Scripted, events: list) -> tuple:
        if len(events) > 3 or any(event["metadata"]["id"] == 7 for event in events):
            return error(413, "INVALID_REQUEST")
        return stored(server, events)

    server = script(say)
    client = make_client(server, linger_s=0.2)
    for n in range(20):
        client.track("n", {"id": n})

    assert client.flush()
    taken = [each["metadata"]["id"] for request in server.requests if len(request) <= 3 for each in request]
    assert [n for n in dict.fromkeys(taken) if n != 7] == [n for n in range(20) if n != 7]
    assert (client.stats().n_sent, client.stats().n_lost_by_cause) == (19, {"refused": 1})


@pytest.mark.parametrize("answer", [(200, {}, b"<html>Welcome to nginx</html>"), (502, {}, b""), (200, {}, [])])
def test_an_answer_that_is_not_turrets_is_not_taken_for_one(
    script: Callable, make_client: Callable, answer: tuple
) -> None:
    def say(server: Scripted, events: list) -> tuple:
        return answer if len(server.requests) == 1 else stored(server, events)

    client = make_client(script(say))
    client.track("n", {"id": 1})

    assert client.flush()
    assert (client.stats().n_sent, client.stats().n_failures) == (1, 1)


def test_a_redirect_is_not_followed_with_the_key(
    script: Callable, make_client: Callable, caplog: pytest.LogCaptureFixture
) -> None:
    other = script(stored)
    client = make_client(script(lambda *_: (308, {"Location": f"http://127.0.0.1:{other.port}/track"}, b"")))
    client.track("n", {"id": 1})

    assert client.flush()
    assert other.requests == []
    assert f"leads to http://127.0.0.1:{other.port}/track; give that server's URL" in caplog.text
