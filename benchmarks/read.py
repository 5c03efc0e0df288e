"""What the read API gives on large tables: topics, journeys and fields beside a bare JSON route of the same server.

Messages are generated straight into the lake's tables, a day at a time, in a folder that is removed afterwards. `turret
serve` answers from them as in production: one process with one calculator. One client process drives each route over
50 connections, one request at a time on each, and accepts gzip as browsers do. The yardstick is `/healthz`, a FastAPI
route of the same server that answers two words of JSON, driven in the same way. Rounds alternate; figures are medians.
`…_unpacked` is the same without gzip, `journeys_100` the graph's largest hundred edges.
Before that, each answer's first making (`…_first_s`), and questions that are all different, of 4 connections: paths and
funnels, none of which is answered from memory. What is not answered within five minutes counts as infinity.

    python benchmarks/read.py [--messages 1000000] [--seconds 4] [--rounds 3] [--clients 50] [--home FOLDER] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import uvloop
from collector import Round, drive, start
from large_lake import N_TOPICS, generate
from report import say, show

from turret_api.accounts import Accounts
from turret_api.processes.postgres import database
from turret_pipeline.settings import Settings
from turret_pipeline.stages.work import Work

MOST_S = 300.0
ROUTES = {"topics": "/v1/topics", "journeys": "/v1/journeys", "fields": "/v1/fields"}
UNPACKED = {**ROUTES, "journeys_100": "/v1/journeys?limit=100"}


class Server:
    """A server over the generated lake, a read key for it, and its project's tables."""

    def __init__(self, port: int, key: str, work: Work) -> None:
        self.port = port
        self.key = key
        self.work = work

    def request(self, path: str, packing: str = "gzip") -> bytes:
        """Return the bytes of a `GET` that takes answers packed so."""
        headers = f"host: 127.0.0.1:{self.port}\r\nx-api-key: {self.key}\r\naccept-encoding: {packing}\r\n"
        return f"GET {path} HTTP/1.1\r\n{headers}\r\n".encode()

    def drive(self, path: str, clients: int, seconds: float, packing: str = "gzip") -> Round:
        """Return what `clients` connections get that each keep one request under way for so many seconds."""
        return drive(self.port, self.request(path, packing), clients, seconds)

    def ask(self, path: str) -> float:
        """Return the seconds that one question takes, asked again while told to; infinity if it is not answered."""
        return uvloop.run(self._ask(path))

    async def _ask(self, path: str, began: float | None = None) -> float:
        began = time.perf_counter() if began is None else began
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(self.request(path).replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        answer = await reader.read()
        writer.close()
        if answer.startswith(b"HTTP/1.1 503") and time.perf_counter() - began < MOST_S:
            # Told to come back: what was read by then is kept, so that the next one finds it.
            await asyncio.sleep(1)
            return await self._ask(path, began)
        if not answer.startswith(b"HTTP/1.1 200"):
            print(answer[-300:].decode(), file=sys.stderr)
            return float("inf")
        return time.perf_counter() - began

    def ask_all(self, paths: list[str], at_once: int) -> list[float]:
        """Return the seconds that each of `paths` takes, `at_once` under way at any time."""

        async def ask() -> list[float]:
            places = asyncio.Semaphore(at_once)

            async def one(path: str) -> float:
                async with places:
                    return await self._ask(path)

            return await asyncio.gather(*map(one, paths))

        return uvloop.run(ask())


@contextmanager
def serving(
    n_messages: int, n_topics: int, tell: Callable[[str], None], kept: Path | None = None
) -> Iterator[tuple[Server, int]]:
    """Serve a generated lake; give the server and the id of its process.

    kept: folder of the lake, which is then kept, and is served as it is if it was made before.
    """
    with tempfile.TemporaryDirectory(prefix="turret-bench-") as folder:
        home = str(kept or folder)
        settings = Settings.from_environment({"TURRET_HOME": home})
        environment = {**os.environ, "TURRET_HOME": home}
        with database(settings) as url:
            project_id, read_key = _project(url, Path(home) / "bench.json")
            lake = settings.open_lake()
            lake.make()
            started = time.perf_counter()
            work = Work(lake, project_id)
            generate(work, n_messages, n_topics)
            tell(f"{n_messages:,} messages generated in {time.perf_counter() - started:.0f} s")
            environment["TURRET_DATABASE_URL"] = url.replace("+psycopg2", "", 1)
            turret = [sys.executable, "-c", "from turret_api.command.main import main; main()"]
            process, port = start([*turret, "serve", "--port", "0"], environment)
            try:
                yield Server(port, read_key, work), process.pid
            finally:
                process.terminate()
                process.wait()


def _project(url: str, noted: Path) -> tuple[str, str]:
    """Return id and read key of the project in the database at `url`, made at the first call and `noted`."""
    if noted.exists():
        project_id, read_key = json.loads(noted.read_text())
        return project_id, read_key
    accounts = Accounts(url)
    accounts.migrate()
    made = accounts.create_project("bench", "business")
    accounts.close()
    noted.write_text(json.dumps([made.project_id, made.read_key]))
    return made.project_id, made.read_key


def measure(
    n_messages: int, seconds: float, rounds: int, clients: int, tell: Callable[[str], None], kept: Path | None = None
) -> dict[str, float]:
    """Return all figures: rates in requests a second, times as their names say."""
    with serving(n_messages, N_TOPICS, tell, kept) as (server, pid):
        return _measure(server, pid, seconds, rounds, clients, tell)


def _measure(
    server: Server, pid: int, seconds: float, rounds: int, clients: int, tell: Callable[[str], None]
) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, path in {
        **ROUTES,
        "topic": "/v1/topics/t_00",
        "paths": "/v1/journeys/paths",
        "messages": "/v1/messages",
    }.items():
        figures[f"{name}_first_s"] = server.ask(path)
        tell(f"{name}: first answer after {figures[f'{name}_first_s']:.2f} s")
    steps = [f"t_{i % N_TOPICS:02d},t_{(i + 1 + i // N_TOPICS) % N_TOPICS:02d}" for i in range(40)]
    for name, paths in {
        "funnels": [f"/v1/journeys/funnel?steps={each}&within_s={3600 + i}" for i, each in enumerate(steps)],
        "paths": [f"/v1/journeys/paths?topic_id=t_{i % N_TOPICS:02d}&depth={2 + i // N_TOPICS}" for i in range(40)],
    }.items():
        times = server.ask_all(paths, at_once=4)
        figures[f"{name}_p95_s"] = statistics.quantiles(times, n=20)[18]
        tell(f"{name}: p95 {figures[f'{name}_p95_s']:.2f} s")
    asked = {"bare": ("/healthz", "gzip"), **{name: (path, "gzip") for name, path in ROUTES.items()}}
    asked |= {f"{name}_unpacked": (path, "identity") for name, path in UNPACKED.items()}
    found: dict[str, list[Round]] = {name: [] for name in asked}
    for _ in range(rounds):
        for name, (path, packing) in asked.items():
            found[name].append(server.drive(path, clients, seconds, packing))
            tell(f"{name}: {found[name][-1]}")
    bare = statistics.median(each.rate for each in found["bare"])
    for name, measured in found.items():
        figures[f"{name}_rate"] = statistics.median(each.rate for each in measured)
        figures[f"{name}_p99_ms"] = statistics.median(each.p99_ms for each in measured)
        if name != "bare":
            figures[f"{name}_of_bare"] = figures[f"{name}_rate"] / bare
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    figures["memory_mb"] = sum(each.memory_info().rss for each in processes) / 1e6
    return figures


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--home", type=Path, help="folder to keep the tables in, for the next call to answer from")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    show(measure(options.messages, options.seconds, options.rounds, options.clients, say, options.home), options.json)


if __name__ == "__main__":
    main()
