"""What floods do to a server: how long `/healthz` takes meanwhile, and how much memory the server holds.

`turret serve` runs alone. Each flood comes over eight connections of one client process, anew as soon as the server has
closed one, while `/healthz` is asked over a connection of its own. The yardstick is `/healthz` without a flood, in the
same run. Goals: a p99 below 50 ms, and memory below 400 MiB.

    python benchmarks/floods.py [--seconds 3] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import itertools
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop
from collector import EVENT, start

from turret_api.processes.postgres import database
from turret_pipeline.settings import Settings

MIB = 2**20
CONNECTIONS = 8
MOST_A_CONNECTION = 128 * MIB
ROUTES = ["POST /v1/keys", "POST /v1/topics/edits", "PATCH /v1/fields/plan", "POST /sign-in", "POST /track"]
ROUTES += ["GET /", "GET /metrics", "GET /v1/topics", "POST /nowhere"]

Flood = tuple[bytes, bytes]
"""What a connection sends first, and then again and again."""


def floods(write_key: str) -> Iterator[tuple[str, Flood]]:
    """Yield the floods, each with its name."""
    piece = b"a" * 65536
    for route in ROUTES:
        first = f"{route} HTTP/1.1\r\nhost: x\r\n".encode()
        body = b"content-type: application/json\r\n"
        yield f"endless header, {route}", (first + b"x: ", piece)
        yield f"endless headers, {route}", (first, b"x: y\r\n" * 10_000)
        yield f"600 MiB, {route}", (first + body + b"content-length: %d\r\n\r\n" % (600 * MIB), piece)
        chunk = b"10000\r\n" + piece + b"\r\n"
        yield f"endless chunks, {route}", (first + body + b"transfer-encoding: chunked\r\n\r\n", chunk)
        yield f"requests at once, {route}", (b"", (first + b"content-length: 0\r\n\r\n") * 200)
    track = f"POST /track HTTP/1.1\r\nhost: x\r\nx-api-key: {write_key}\r\ncontent-type: application/json\r\n"
    empty, event = gzip.compress(b""), json.dumps(EVENT).encode()
    many_values = b'{"name":"n","metadata":{"a":[' + b"1," * 1_900_000 + b"1]}}"
    for name, packed, is_packed in (
        ("100,000 empty members", empty * 100_000, True),
        ("16 MiB of empty members", empty * (16 * MIB // len(empty)), True),
        ("a bomb of 1 GiB", gzip.compress(bytes(1024 * MIB), 9), True),
        ("100,000 members, then an event", empty * 100_000 + gzip.compress(event), True),
        ("1,900,000 numbers in an event", many_values, False),
    ):
        encoding = "content-encoding: gzip\r\n" if is_packed else ""
        yield name, (b"", f"{track}{encoding}content-length: {len(packed)}\r\n\r\n".encode() + packed)


async def _flood(port: int, flood: Flood) -> None:
    first, again = flood
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            reading = asyncio.create_task(_read_all(reader))
            writer.write(first)
            for _ in range(MOST_A_CONNECTION // len(again)):
                writer.write(again)
                await writer.drain()
                if reading.done():
                    break
            reading.cancel()
            writer.transport.abort()
        await asyncio.sleep(0)


async def _read_all(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(65536):
            pass


def pour(port: int, flood: Flood) -> None:
    """Flood the server until this process is ended."""

    async def all_connections() -> None:
        await asyncio.gather(*(_flood(port, flood) for _ in range(CONNECTIONS)))

    uvloop.run(all_connections())


async def _ask(port: int, seconds: float) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    latencies, until = [], time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"}")
        latencies.append(time.perf_counter() - began)
        await asyncio.sleep(0.005)
    writer.close()
    return latencies


def measure(port: int, pid: int, flood: Flood | None, seconds: float) -> tuple[float, float]:
    """Return the p99 of `/healthz` in milliseconds, and the most memory of the server in MiB, under a flood."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    process = None
    if flood is not None:
        process = multiprocessing.get_context("spawn").Process(target=pour, args=(port, flood))
        process.start()
        time.sleep(1.0)
    try:
        latencies = uvloop.run(_ask(port, seconds))
        p99_ms = (statistics.quantiles(latencies, n=100)[98] if len(latencies) > 99 else max(latencies)) * 1000
    finally:
        if process is not None:
            process.kill()
            process.join()
    status = Path(f"/proc/{pid}/status").read_text()
    return p99_ms, int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    tell = sys.stderr if options.json else sys.stdout
    figures: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory(prefix="turret-bench-") as home:
        settings = Settings.from_environment({"TURRET_HOME": home})
        turret = [sys.executable, "-c", "from turret_api.command.main import main; main()"]
        with database(settings) as url:
            environment = {**os.environ, "TURRET_HOME": home, "TURRET_DATABASE_URL": url.replace("+psycopg2", "", 1)}
            create = [*turret, "project", "create", "bench", "--json"]
            key = json.loads(subprocess.check_output(create, env=environment, text=True))["write_key"]
            server, port = start([*turret, "serve", "--port", "0"], environment)
            try:
                for name, flood in itertools.chain([("none", None)], floods(key)):
                    figures[name] = measure(port, server.pid, flood, options.seconds)
                    print(f"{name:<48} {figures[name][0]:>8.1f} ms {figures[name][1]:>8.0f} MiB", file=tell, flush=True)
            finally:
                server.terminate()
                server.wait(60)
    if options.json:
        calm_ms, _ = figures.pop("none")
        slowest = max(figures, key=lambda name: figures[name][0])
        largest = max(figures, key=lambda name: figures[name][1])
        print(
            json.dumps(
                {
                    "healthz_calm_p99_ms": calm_ms,
                    "healthz_flooded_p99_ms": figures[slowest][0],
                    "slowest_flood": slowest,
                    "memory_mib": figures[largest][1],
                    "largest_flood": largest,
                }
            )
        )


if __name__ == "__main__":
    main()
