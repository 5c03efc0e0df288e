"""What floods do to a server: how long `/healthz` takes meanwhile, and how much memory the server holds.

`turret serve` runs alone. Each flood comes over eight connections of one client process, anew as soon as the server has
closed one, while `/healthz` is asked over a connection of its own. Two yardsticks in the same run: `/healthz` without a
flood, and a bare server that is as busy, but never for longer than 5 ms at a time, flooded in the same way. The latter
shows what the machine itself makes of it. Goals: a p99 below 50 ms, and memory below 400 MiB, but where the flood is of
large events that are stored: their way to the lake takes some times their size.

    python benchmarks/floods.py [--seconds 3] [--only WORDS] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import uvloop
from collector import EVENT, start

from turret_api.processes.postgres import database
from turret_pipeline.settings import Settings

MIB = 2**20
CONNECTIONS = 8
MOST_A_CONNECTION = 128 * MIB
ROUTES = ["POST /v1/keys", "POST /v1/topics/edits", "PATCH /v1/fields/plan", "POST /sign-in", "POST /track"]
ROUTES += ["GET /", "GET /metrics", "GET /v1/topics", "POST /nowhere"]

BUSY_S = 0.005
STORED = "stored: "
"""What the names of floods begin with that are no bodies to refuse."""
NOTHING, BARE = "none", "a bare server that is busy"

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
    track = f"POST /track HTTP/1.1\r\nhost: x\r\nx-api-key: {write_key}\r\ncontent-type: application/"
    for name, (kind, sent) in {**packed_bodies(), **bodies()}.items():
        yield name, (b"", f"{track}{kind}\r\ncontent-length: {len(sent)}\r\n\r\n".encode() + sent)


def packed_bodies() -> dict[str, tuple[str, bytes]]:
    """Return bodies that cost much to unpack, each with the rest of its headers."""
    empty, event = gzip.compress(b""), json.dumps(EVENT).encode()
    packed = {
        "100,000 empty members": empty * 100_000,
        "16 MiB of empty members": empty * (16 * MIB // len(empty)),
        "a bomb of 1 GiB": gzip.compress(bytes(1024 * MIB), 9),
        "100,000 members, then an event": empty * 100_000 + gzip.compress(event),
    }
    return {name: ("json\r\ncontent-encoding: gzip", body) for name, body in packed.items()}


def bodies() -> dict[str, tuple[str, bytes]]:
    """Return bodies that cost much to read, each with its media type."""

    def event(*members: bytes) -> bytes:
        return b'{"name":"n","metadata":{%s}}' % b",".join(members)

    texts = [b'"k%d":"%s"' % (n, b"a\\n " * 24_000) for n in range(160)]
    long = [event(b'"a":"%s"' % (b"how do I get " * 1200)) for _ in range(1000)]
    json_bodies = {
        "1,900,000 numbers in an event": event(b'"a":[' + b"1," * 1_900_000 + b"1]"),
        "a million keys in an event": event(b'"a":{%s}' % b",".join(b'"%x":1' % n for n in range(1_000_000))),
        f"{STORED}as many keys as an event may have": event(
            b'"a":{%s}' % b",".join(b'"%x":1' % n for n in range(124_000))
        ),
        "1,900,000 lists within each other": event(b'"a":' + b"[" * 1_900_000),
        "a text of 16 MiB": event(b'"a":"%s"' % (b"\\n" * (8 * MIB - 100))),
        f"{STORED}an event of 16 MiB": event(*texts),
        f"{STORED}1,000 events of 16 KiB": b"[" + b",".join(long) + b"]",
        "1,000 events of 16 KiB, cut off": b"[" + b",".join(long),
        "1,000 events of 16 KiB, one broken": b"[" + b",".join(long)[:-1] + b"]",
    }
    lines = {"1,900,000 blank lines": b" \n" * 1_900_000, f"{STORED}1,000 lines of 16 KiB": b"\n".join(long)}
    found = {name: ("json", body) for name, body in json_bodies.items()}
    found |= {name: ("x-ndjson", body) for name, body in lines.items()}
    # What is stored last: it is on its way to the lake for some seconds.
    return dict(sorted(found.items(), key=lambda item: item[0].startswith(STORED)))


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


def serve_bare() -> None:
    """Answer `}` to whatever comes, and work between the answers, `BUSY_S` at a time, on a port that is printed."""

    class Bare(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._transport: Any = transport

        def data_received(self, data: bytes) -> None:
            self._transport.write(b"}")

    async def run() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        await asyncio.get_running_loop().create_server(Bare, sock=listener)
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        while True:
            until = time.perf_counter() + BUSY_S
            while time.perf_counter() < until:
                pass
            await asyncio.sleep(0)

    uvloop.run(run())


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


def measure_all(seconds: float, wanted: str, tell: Callable[[str], None]) -> dict[str, tuple[float, float]]:
    """Return for each flood whose name has the words `wanted`, and for both yardsticks, what `measure` does."""
    figures: dict[str, tuple[float, float]] = {}

    def note(name: str, port: int, pid: int, flood: Flood | None) -> None:
        figures[name] = measure(port, pid, flood, seconds)
        tell(f"{name:<48} {figures[name][0]:>8.1f} ms {figures[name][1]:>8.0f} MiB")

    with tempfile.TemporaryDirectory(prefix="turret-bench-") as home, contextlib.ExitStack() as stack:
        url = stack.enter_context(database(Settings.from_environment({"TURRET_HOME": home})))
        turret = [sys.executable, "-c", "from turret_api.command.main import main; main()"]
        environment = {**os.environ, "TURRET_HOME": home, "TURRET_DATABASE_URL": url.replace("+psycopg2", "", 1)}
        create = [*turret, "project", "create", "bench", "--plan", "enterprise", "--json"]
        key = json.loads(subprocess.check_output(create, env=environment, text=True))["write_key"]
        server, port = _started(stack, [*turret, "serve", "--port", "0"], environment)
        note(NOTHING, port, server.pid, None)
        with contextlib.ExitStack() as busy:
            bare, bare_port = _started(busy, [sys.executable, __file__, "--yardstick"], environment)
            note(BARE, bare_port, bare.pid, next(floods(key))[1])
        for name, flood in floods(key):
            if wanted in name:
                note(name, port, server.pid, flood)
    return figures


def _started(
    stack: contextlib.ExitStack, command: list[str], environment: dict[str, str]
) -> tuple[subprocess.Popen[str], int]:
    process, port = start(command, environment)
    stack.callback(process.wait, 60)
    stack.callback(process.terminate)
    return process, port


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--only", default="", metavar="WORDS", help="only floods whose name has these words")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--yardstick", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.yardstick:
        serve_bare()
        return

    def tell(words: str) -> None:
        print(words, file=sys.stderr if options.json else sys.stdout, flush=True)

    figures = measure_all(options.seconds, options.only, tell)
    if options.json:
        calm_ms, bare_ms = figures.pop(NOTHING)[0], figures.pop(BARE)[0]
        slowest = max(figures, key=lambda name: figures[name][0])
        stored, refused = (
            {name: mib for name, (_, mib) in figures.items() if name.startswith(STORED) == is_stored}
            for is_stored in (True, False)
        )
        print(
            json.dumps(
                {
                    "healthz_calm_p99_ms": calm_ms,
                    "bare_busy_p99_ms": bare_ms,
                    "healthz_flooded_p99_ms": figures[slowest][0],
                    "slowest_flood": slowest,
                    "memory_mib": max(refused.values(), default=0.0),
                    "largest_flood": max(refused, key=lambda name: refused[name], default=""),
                    "memory_stored_mib": max(stored.values(), default=0.0),
                }
            )
        )


if __name__ == "__main__":
    main()
