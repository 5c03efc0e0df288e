"""The Python client where a process forks, ends, or is interrupted: scripts as applications have them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.scripted import hung

BEGIN = """
import multiprocessing, os, signal, sys, threading, time
import turret_client
client = turret_client.Client(linger_s=0.01, exit_s=60)
def children(n, work):
    pids = []
    for child in range(n):
        pid = os.fork()
        if pid == 0:
            work(child)
            sys.exit(0)
        pids.append(pid)
    return [os.waitpid(pid, 0)[1] for pid in pids]
"""


@pytest.fixture
def run(server, project, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a script that has a `client` of the server, to its end."""

    def run(script: str, begin: str = BEGIN, **environment: str) -> subprocess.CompletedProcess[str]:
        settings = {"TURRET_URL": f"http://127.0.0.1:{server.port}", "TURRET_WRITE_KEY": project.write_key}
        file = tmp_path / "application.py"
        file.write_text(begin + script)
        return subprocess.run(
            [sys.executable, "-W", "error", str(file)],
            env={**os.environ, **settings, **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


@pytest.fixture
def stored(server, project) -> Callable[[str, int], Counter[str]]:
    """Returns how often each `who` is among the stored events of a name, of which there are to be `n`."""

    def count(name: str, n: int) -> Counter[str]:
        deadline = time.monotonic() + 90
        while True:
            events = server.events(project.project_id)
            found = [json.loads(each)["who"] for each in events.filter(name=name)["metadata"]] if events.height else []
            if len(found) >= n or time.monotonic() > deadline:
                return Counter(found)
            time.sleep(0.1)

    return count


def test_the_end_of_the_process_sends_what_waits(run: Callable, stored: Callable) -> None:
    done = run("turret_client.track('end', {'who': 'shared'})\nclient.track('end', {'who': 'own'})")

    assert (done.returncode, done.stderr) == (0, "")
    assert stored("end", 2) == {"shared": 1, "own": 1}


def test_an_application_that_ends_with_an_error_sends_what_waits(run: Callable, stored: Callable) -> None:
    assert run("client.track('error', {'who': 'it'})\n1 / 0").returncode == 1
    assert stored("error", 1) == {"it": 1}


def test_finalizers_run_once_all_is_sent(run: Callable, stored: Callable) -> None:
    """Python ran them first: urllib3's closed the connection, and ended in an error where the thread added another."""
    done = run(
        """
import weakref
client = turret_client.Client(linger_s=60, exit_s=60)
client.track('late', {'who': 'it'})
def say(stats): print(stats().n_waiting)
weakref.finalize(sys.modules['threading'], say, client.stats)
"""
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
    assert stored("late", 1) == {"it": 1}


def test_a_forked_child_begins_with_nothing_and_sends_its_own(run: Callable, stored: Callable) -> None:
    done = run(
        """
client = turret_client.Client(linger_s=60, exit_s=60)
client.track('fork', {'who': 'parent'})
assert children(4, lambda child: client.track('fork', {'who': f'child {child}'})) == [0] * 4
assert client.stats().n_waiting == 1
"""
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert stored("fork", 5) == {"parent": 1, **{f"child {n}": 1 for n in range(4)}}


def test_forks_amid_the_work_of_threads_lose_and_double_nothing(run: Callable, stored: Callable) -> None:
    done = run(
        """
over, n_tracked = threading.Event(), [0, 0]
def work(worker):
    while not over.is_set():
        client.track('amid', {'who': f'parent {worker} {n_tracked[worker]}'})
        n_tracked[worker] += 1
        time.sleep(0.0002)
threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
for thread in threads: thread.start()
def child(number):
    for n in range(5): client.track('amid', {'who': f'child {number} {n}'})
assert children(20, child) == [0] * 20
over.set()
for thread in threads: thread.join()
print(sum(n_tracked))
"""
    )

    assert (done.returncode, done.stderr) == (0, "")
    n = int(done.stdout) + 100
    found = stored("amid", n)
    assert (len(found), sum(found.values())) == (n, n)
    assert len([who for who in found if who.startswith("child")]) == 100


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing_send_what_they_tracked(run: Callable, stored: Callable, method: str) -> None:
    done = run(
        f"""
import multiprocessing, turret_client
def work(n): turret_client.track('by {method}', {{'who': n}})
if __name__ == '__main__':
    turret_client.track('by {method}', {{'who': 'parent'}})
    at = multiprocessing.get_context('{method}')
    processes = [at.Process(target=work, args=(n,)) for n in range(2)]
    for each in processes: each.start()
    for each in processes: each.join()
    assert [each.exitcode for each in processes] == [0, 0]
""",
        begin="",
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert stored(f"by {method}", 3) == {"parent": 1, 0: 1, 1: 1}


@pytest.mark.slow
def test_a_signal_handler_may_track_while_the_same_thread_tracks(run: Callable, stored: Callable) -> None:
    done = run(
        """
import itertools
numbers = itertools.count()
def handle(*_): client.track('signal', {'who': f'handler {next(numbers)}'})
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0005)
for n in range(3_000): client.track('signal', {'who': f'main {n}'})
signal.setitimer(signal.ITIMER_REAL, 0)
assert client.flush(30)
print(next(numbers))
"""
    )

    assert (done.returncode, done.stderr) == (0, "")
    n_handled = int(done.stdout)
    assert n_handled > 10
    found = stored("signal", 3_000 + n_handled)
    assert (len(found), sum(found.values())) == (3_000 + n_handled, 3_000 + n_handled)


def test_the_end_of_the_process_does_not_wait_for_a_server_that_hangs(run: Callable, script: Callable) -> None:
    began_s = time.monotonic()
    done = run(
        "client = turret_client.Client(exit_s=0.5)\nclient.track('n', {'who': 'it'})",
        TURRET_URL=f"http://127.0.0.1:{script(hung).port}",
    )

    assert time.monotonic() - began_s < 10
    assert done.returncode == 0
    assert "1 still wait" in done.stderr or "1 event lost" in done.stderr, "whichever thread is the first to see it"


def test_settings_that_cannot_work_do_not_stop_who_uses_the_client_of_the_process(run: Callable) -> None:
    done = run(
        "import turret_client\nturret_client.track('n', {'a': 1})\nturret_client.track('n', {'a': 1})\n"
        "assert turret_client.flush()",
        begin="",
        TURRET_URL="nowhere",
    )

    assert done.returncode == 0
    assert done.stderr == "Nothing is sent to Turret: url: nowhere is no address such as http://127.0.0.1:8000\n"


def test_an_idle_client_takes_no_time(run: Callable) -> None:
    done = run(
        """
client.track('idle', {'who': 'it'})
assert client.flush()
before_s = time.process_time()
time.sleep(1)
print(time.process_time() - before_s)
"""
    )

    assert float(done.stdout) < 0.01


def test_a_process_that_is_told_to_end_by_a_signal_may_send_what_waits(run: Callable, stored: Callable) -> None:
    script = """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
client.track('term', {'who': 'it'})
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(60)
"""
    assert run(script).returncode == 0
    assert stored("term", 1) == {"it": 1}
