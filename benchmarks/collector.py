"""What a durable answer costs: `POST /track` beside a FastAPI + pydantic route that stores nothing.

Both are measured in one run under the same uvicorn (uvloop, httptools, no access log), one process each, one after the
other. One client process drives them over 64 connections, with one request at a time on each. Rounds alternate between
the two; the figures are medians. Arrays of 500 events follow, and the number of events in a commit.

    python benchmarks/collector.py [--seconds 5] [--rounds 5] [--clients 64] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from pydantic import BaseModel, Field

ROOT = Path(__file__).parents[1]
METADATA = {"prompt": "How do I change the address on my account?", "model": "large", "tokens": 412, "cached": False}
EVENT = {"name": "message_sent", "session_id": "ses-1", "user_id": "usr-1", "metadata": METADATA}


class Event(BaseModel):
    """The yardstick's idea of an event: what a FastAPI user would write."""

    name: str = Field(min_length=1, max_length=200)
    metadata: dict[str, Any] = Field(min_length=1, max_length=256)
    session_id: str | None = Field(default=None, max_length=200)
    user_id: str | None = Field(default=None, max_length=200)
    timestamp: str | None = None
    event_id: str | None = Field(default=None, max_length=200)


def yardstick_app() -> Any:
    """Return a FastAPI application whose /track checks an event with pydantic and stores nothing."""
    import secrets

    from fastapi import FastAPI, Header

    app = FastAPI()

    @app.post("/track")
    async def track(event: Event, x_api_key: str = Header()) -> dict[str, Any]:
        return {
            "success": True,
            "message": "Event tracked successfully",
            "event_id": f"evt_{secrets.token_hex(15)}",
            "session_id": event.session_id,
            "user_id": event.user_id,
        }

    return app


@dataclass
class Round:
    """One round of load: requests a second, and the 50th and 99th percentile of their latency in milliseconds."""

    rate: float
    p50_ms: float
    p99_ms: float


class _Client(asyncio.Protocol):
    """One connection with one request under way at any time."""

    def __init__(self, request: bytes, latencies: list[float], until: float) -> None:
        self._request = request
        self._latencies = latencies
        self._until = until
        self._seen = b""
        self._missing = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._seen += data
            head, separator, body = self._seen.partition(b"\r\n\r\n")
            if not separator:
                return
            if not head.startswith(b"HTTP/1.1 200"):
                self.done.set_exception(RuntimeError(self._seen.decode()[:500]))
                return
            length = int(re.search(rb"content-length: (\d+)", head, re.I)[1])  # type: ignore[index]
            self._missing = length - len(body)
            self._seen = b""
        if self._missing:
            return
        now = time.perf_counter()
        self._latencies.append(now - self._sent_at)
        if now < self._until:
            self._send()
        else:
            self._transport.close()
            self.done.set_result(None)


async def _drive(port: int, request: bytes, clients: int, seconds: float) -> Round:
    latencies: list[float] = []
    started = time.perf_counter()
    loop = asyncio.get_running_loop()
    connections = []
    for _ in range(clients):
        connections.append(
            await loop.create_connection(lambda: _Client(request, latencies, started + seconds), "127.0.0.1", port)
        )
    await asyncio.gather(*(client.done for _, client in connections))
    took = time.perf_counter() - started
    cuts = statistics.quantiles(latencies, n=100)
    return Round(len(latencies) / took, cuts[49] * 1000, cuts[98] * 1000)


def load(port: int, body: bytes, key: str, clients: int, seconds: float) -> Round:
    """Return what `clients` connections got out of the server in `seconds`."""
    head = (
        f"POST /track HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nx-api-key: {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return drive(port, head.encode() + body, clients, seconds)


def drive(port: int, request: bytes, clients: int, seconds: float) -> Round:
    """Return what `clients` connections that send `request` again and again got out of the server in `seconds`."""
    return uvloop.run(_drive(port, request, clients, seconds))


def metric(port: int, name: str) -> float:
    """Return one figure from the collector's /metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(name + "{"):
                return float(line.rsplit(" ", 1)[1])
    raise KeyError(name)


def start(command: list[str], environment: dict[str, str]) -> tuple[subprocess.Popen[str], int]:
    """Start a server and return it with its port, once it says where it listens."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
            return process, int(found[1])
    raise RuntimeError(f"{command} did not start")


def serve_yardstick() -> None:
    """Serve the yardstick on a free port."""
    import socket

    import uvicorn

    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    server = uvicorn.Server(uvicorn.Config(yardstick_app(), log_level="warning", access_log=False))
    server.run(sockets=[listener])


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--yardstick", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.yardstick:
        serve_yardstick()
        return
    with tempfile.TemporaryDirectory(prefix="turret-bench-") as home:
        report = measure(home, options.seconds, options.rounds, options.clients)
    if options.json:
        print(json.dumps(report))
    else:
        show(report)


def measure(home: str, seconds: float, rounds: int, clients: int) -> dict[str, float]:
    """Return the medians of all figures."""
    from turret_api.processes.postgres import database
    from turret_pipeline.settings import Settings

    environment = {**os.environ, "TURRET_HOME": home}
    settings = Settings.from_environment({"TURRET_HOME": home})
    turret = [sys.executable, "-c", "from turret_api.command.main import main; main()"]
    with database(settings) as url:
        environment["TURRET_DATABASE_URL"] = url.replace("+psycopg2", "")
        made = subprocess.run(
            [*turret, "project", "create", "bench", "--plan", "enterprise", "--limit", "1000000000", "--json"],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        key = json.loads(made.stdout)["write_key"]
        ours, our_port = start([*turret, "serve", "--port", "0"], environment)
        theirs, their_port = start([sys.executable, __file__, "--yardstick"], environment)
        try:
            return _measure(our_port, their_port, key, seconds, rounds, clients)
        finally:
            for process in (ours, theirs):
                process.terminate()
                process.wait(60)


def _measure(ours: int, theirs: int, key: str, seconds: float, rounds: int, clients: int) -> dict[str, float]:
    one = json.dumps(EVENT).encode()
    many = json.dumps([EVENT] * 500).encode()
    load(ours, one, key, clients, 1.0)
    load(theirs, one, key, clients, 1.0)
    single: list[Round] = []
    yardstick: list[Round] = []
    arrays: list[Round] = []
    commits, events = metric(ours, "turret_commit_events_count"), metric(ours, "turret_commit_events_sum")
    for _ in range(rounds):
        single.append(load(ours, one, key, clients, seconds))
        yardstick.append(load(theirs, one, key, clients, seconds))
    a_commit = (metric(ours, "turret_commit_events_sum") - events) / (
        metric(ours, "turret_commit_events_count") - commits
    )
    for _ in range(rounds):
        arrays.append(load(ours, many, key, 8, seconds))
    middle = statistics.median
    return {
        "single_per_s": middle(each.rate for each in single),
        "single_p50_ms": middle(each.p50_ms for each in single),
        "single_p99_ms": middle(each.p99_ms for each in single),
        "yardstick_per_s": middle(each.rate for each in yardstick),
        "yardstick_p99_ms": middle(each.p99_ms for each in yardstick),
        "ratio": middle(a.rate / b.rate for a, b in zip(single, yardstick, strict=True)),
        "array_events_per_s": middle(each.rate * 500 for each in arrays),
        "events_a_commit": a_commit,
    }


def show(report: dict[str, float]) -> None:
    """Print the report as a table."""
    rows = [
        ("durable single events a second", f"{report['single_per_s']:,.0f}", "", ""),
        ("  latency p50 / p99, ms", f"{report['single_p50_ms']:.1f} / {report['single_p99_ms']:.1f}", "p99 <= 50", ""),
        ("FastAPI + pydantic, stores nothing", f"{report['yardstick_per_s']:,.0f}", "", ""),
        ("  ratio (median of rounds)", f"{report['ratio']:.2f}", ">= 1.0", ""),
        ("events a second in arrays of 500", f"{report['array_events_per_s']:,.0f}", "", ""),
        ("  times the single rate", f"{report['array_events_per_s'] / report['single_per_s']:.1f}", ">= 10", ""),
        ("events a commit, single events", f"{report['events_a_commit']:.1f}", "", ""),
    ]
    print(f"{'collector':<38} {'measured':>14}   goal")
    for name, value, goal, _ in rows:
        print(f"{name:<38} {value:>14}   {goal}")


if __name__ == "__main__":
    main()
