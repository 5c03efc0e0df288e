"""What the Python client costs: a call of `track`, and events a second beside arrays posted without it.

`turret serve` runs alone. The yardstick posts the same events through urllib3 in arrays of 500 that are JSON already:
what is left is the request itself. The client makes the JSON, and packs it. Each begins when the lake has what came
before; which comes first alternates. Figures are medians.

    python benchmarks/client.py [--events 20000] [--rounds 9] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import urllib3
from collector import EVENT, METADATA, metric, start
from report import say, show
from turret_client import Client

from turret_api.processes.postgres import database
from turret_pipeline.settings import Settings

BATCH = 500
CALLS = 5_000
"""Calls of `track` that are timed together, as many as the queue would hold while a server is away for a moment."""


@contextmanager
def serving(home: str) -> Iterator[tuple[int, str]]:
    """Run a server with a home of its own; yield its port and a write key."""
    environment = {**os.environ, "TURRET_HOME": home}
    turret = [sys.executable, "-c", "from turret_api.command.main import main; main()"]
    with database(Settings.from_environment({"TURRET_HOME": home})) as url:
        environment["TURRET_DATABASE_URL"] = url.replace("+psycopg2", "")
        create = [*turret, "project", "create", "bench", "--plan", "enterprise", "--limit", "1000000000", "--json"]
        made = subprocess.run(create, env=environment, capture_output=True, text=True, check=True)
        process, port = start([*turret, "serve", "--port", "0"], environment)
        try:
            yield port, json.loads(made.stdout)["write_key"]
        finally:
            process.terminate()
            process.wait(60)


def rest(port: int) -> None:
    """Return once all events are in the lake, so that what is measured next does not pay for them."""
    while metric(port, "turret_spool_rows"):
        time.sleep(0.2)


def post(port: int, key: str, n_events: int, prefix: str) -> float:
    """Return the events a second of arrays that are JSON already, one after the other on one connection."""
    bodies = [
        json.dumps([{**EVENT, "event_id": f"{prefix}-{first + n}"} for n in range(BATCH)]).encode()
        for first in range(0, n_events, BATCH)
    ]
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    pool = urllib3.PoolManager(num_pools=1, maxsize=1)
    began_s = time.perf_counter()
    for body in bodies:
        answer = pool.request("POST", f"http://127.0.0.1:{port}/track", body=body, headers=headers, retries=False)
        if answer.status != 200:
            raise RuntimeError(answer.data.decode()[:500])
    return n_events / (time.perf_counter() - began_s)


def send(port: int, key: str, n_events: int) -> float:
    """Return the events a second through a client, from the first call to the last answer."""
    with Client(f"http://127.0.0.1:{port}", key, most_events=n_events, most_bytes=2**30) as client:
        began_s = time.perf_counter()
        for _ in range(n_events):
            client.track("message_sent", METADATA, session_id="ses-1", user_id="usr-1")
        is_flushed = client.flush(300)
        took_s = time.perf_counter() - began_s
        if not is_flushed or client.stats().n_sent != n_events:
            raise RuntimeError(str(client.stats()))
    return n_events / took_s


def call(port: int, key: str) -> tuple[float, float]:
    """Return the microseconds of a call of `track`, by the clock and of a core, while the other thread sends."""
    with Client(f"http://127.0.0.1:{port}", key) as client:
        client.track("message_sent", METADATA)
        began_s, began_cpu_s = time.perf_counter(), time.thread_time()
        for _ in range(CALLS):
            client.track("message_sent", METADATA, session_id="ses-1", user_id="usr-1")
        cpu_s, took_s = time.thread_time() - began_cpu_s, time.perf_counter() - began_s
    return took_s / CALLS * 1e6, cpu_s / CALLS * 1e6


def measure(port: int, key: str, n_events: int, n_rounds: int) -> dict[str, float]:
    """Return the medians of all figures."""
    call(port, key)
    post(port, key, n_events, "warm")
    calls: list[tuple[float, float]] = []
    clients: list[float] = []
    arrays: list[float] = []
    for number in range(n_rounds):
        for turn in (number, number + 1):
            rest(port)
            if turn % 2:
                arrays.append(post(port, key, n_events, str(number)))
            else:
                clients.append(send(port, key, n_events))
        rest(port)
        calls.append(call(port, key))
        say(f"round {number + 1}: {calls[-1][1]:.1f} us, {clients[-1]:,.0f} and {arrays[-1]:,.0f} events a second")
    return {
        "track_us": statistics.median(by_clock for by_clock, _ in calls),
        "track_core_us": statistics.median(of_core for _, of_core in calls),
        "client_events_per_s": statistics.median(clients),
        "arrays_events_per_s": statistics.median(arrays),
        "ratio": statistics.median(a / b for a, b in zip(clients, arrays, strict=True)),
    }


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="turret-bench-") as home, serving(home) as (port, key):
        show(measure(port, key, options.events, options.rounds), options.json)


if __name__ == "__main__":
    main()
