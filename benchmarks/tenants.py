"""What one tenant's worst questions cost another: the latency of `POST /track` of A, alone and while B asks.

`turret serve` runs as in production. A sends an event `--rate` times a second, far below what the server takes, over
eight connections; each is due at a time, and its latency counts from then. B asks over `--clients` connections the
questions that cost most, each other than all before it, so that none is answered from memory: over all time, with all
filters, with the largest limits, as files, and searches by meaning; and answers that are kept, as fast as it can. Both
are processes of their own; B's stands back (nice 19), as if it ran on another machine. Rounds alternate; the ratio is
that of the medians of the rounds' 99th percentiles. Goal: at most 1.5.

    python benchmarks/tenants.py [--messages 100000] [--seconds 5] [--rounds 5] [--clients 200] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from urllib.parse import quote

import numpy as np
import polars as pl
import uvloop
from collector import EVENT, start
from large_lake import N_TEXTS, N_TOPICS, generate
from report import say, show
from search import WORDS, make_vectors

from turret_api.accounts import Accounts
from turret_api.processes.postgres import database
from turret_pipeline.embedder.embed import open_embedder
from turret_pipeline.embedder.kept import write_model
from turret_pipeline.lake.tables import EMBEDDINGS
from turret_pipeline.semantics.vectors import pack, quantize
from turret_pipeline.settings import Settings
from turret_pipeline.stages.work import Work

CONNECTIONS = 8
ANSWER_S = 60.0
KEPT = ["/v1/topics", "/v1/journeys", "/v1/fields", "/v1/events"]


@dataclass
class Round:
    """A's latencies in milliseconds in one round, and how many answers B got, by status."""

    p50_ms: float
    p99_ms: float
    answers: dict[int, int]


def questions(seed: int) -> Iterator[str]:
    """Yield what B asks, without end and never the same."""
    chance = random.Random(seed)
    while True:
        n = chance.getrandbits(19)
        since = f"from=2026-02-28T00:00:00.{n:06d}&to=2026-04-01T00:00:00.{chance.getrandbits(19):06d}"
        steps = ",".join(f"t_{chance.randrange(N_TOPICS):02d}" for _ in range(20))
        words = quote(" ".join(chance.choices(WORDS, k=6)))
        one, other = chance.sample(range(3), 2)
        form = chance.choice(["", "&format=csv", "&format=parquet"])
        yield from (
            f"/v1/journeys?limit=100000&number=tokens&{since}",
            f"/v1/journeys/paths?depth=10&limit=1000&{since}{form}",
            f"/v1/journeys/funnel?steps={steps}&within_s={1e6 + n / 1e6}&{since}",
            f"/v1/journeys/returns?limit=1000&{since}",
            f"/v1/journeys/compare?a.segment.plan=plan_{one}&b.segment.plan=plan_{other}&limit=1000&{since}",
            f"/v1/journeys/sessions?limit=1000&{since}{form}",
            f"/v1/journeys/loops?limit=1000&segment.plan=plan_{one}&segment.plan=plan_{other}&{since}",
            f"/v1/topics?limit=1000&segment.plan=plan_{one}&{since}{form}",
            f"/v1/topics/t_{chance.randrange(N_TOPICS):02d}?{since}",
            f"/v1/topics/map?limit=100000&{since}",
            f"/v1/messages?limit=1000&{since}{form}",
            f"/v1/messages?q={words}&limit=1000&{since}{form}",
            f"/v1/messages?q={words}",
            chance.choice(KEPT),
        )


async def _ask(port: int, key: str, seed: int, answers: Counter[int]) -> None:
    for path in questions(seed):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            fields = f"host: x\r\nx-api-key: {key}\r\naccept-encoding: gzip\r\nconnection: close"
            writer.write(f"GET {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode())
            status = await reader.readuntil(b" ") + await reader.readuntil(b" ")
            answers[int(status.split()[1])] += 1
            while await reader.read(1 << 18):
                pass
            writer.close()


def ask_all(port: int, key: str, clients: int, seed: int, begun: Event, ending: Event, answers: object) -> None:
    """Ask over so many connections from now on until `ending`; then put the number of answers by status."""
    os.nice(19)

    async def run() -> None:
        found: Counter[int] = Counter()
        asking = [asyncio.create_task(_ask(port, key, seed + n, found)) for n in range(clients)]
        begun.set()
        while not ending.is_set():
            await asyncio.sleep(0.05)
        for each in asking:
            each.cancel()
        answers.put(dict(found))  # type: ignore[attr-defined]

    uvloop.run(run())


async def _send(port: int, key: str, rate: float, seconds: float) -> list[float]:
    """Return the latencies in seconds of events that are due `rate` times a second."""
    body = json.dumps(EVENT).encode()
    fields = f"host: x\r\nx-api-key: {key}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    request = f"POST /track HTTP/1.1\r\n{fields}\r\n\r\n".encode() + body
    latencies: list[float] = []
    began = time.perf_counter() + 0.2

    async def one(place: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for n in range(place, int(rate * seconds), CONNECTIONS):
            due = began + n / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            writer.write(request)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), ANSWER_S)
            assert head.startswith(b"HTTP/1.1 200"), head
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split()[0]))
            latencies.append(time.perf_counter() - due)
        writer.close()

    await asyncio.gather(*(one(place) for place in range(CONNECTIONS)))
    return latencies


def measure_round(
    port: int, write_key: str, read_key: str, rate: float, seconds: float, clients: int, seed: int
) -> Round:
    """Return what A got while B asked over `clients` connections (0: alone)."""
    context = multiprocessing.get_context("spawn")
    begun, ending, answers = context.Event(), context.Event(), context.SimpleQueue()
    process, found = None, {}
    if clients:
        process = context.Process(target=ask_all, args=(port, read_key, clients, seed, begun, ending, answers))
        process.start()
        begun.wait()
        time.sleep(1.0)
    try:
        latencies = uvloop.run(_send(port, write_key, rate, seconds))
    finally:
        if process is not None:
            ending.set()
            found = answers.get()
            process.join()
    cuts = statistics.quantiles(latencies, n=100)
    return Round(cuts[49] * 1000, cuts[98] * 1000, found)


def generate_vectors(work: Work) -> None:
    """After this call every text of the generated messages has a vector, and the lake the model that made it."""
    embedder = open_embedder(None)
    assert embedder.converted is not None
    write_model(work.lake, embedder.key, embedder.converted)
    vectors = make_vectors(np.random.default_rng(3), N_TEXTS)
    for start_at in range(0, N_TEXTS, 50_000):
        part = vectors[start_at : start_at + 50_000]
        numbers = pl.int_range(start_at, start_at + len(part), eager=True)
        rows = pl.DataFrame({"text_id": numbers.cast(pl.String).str.zfill(32), "quantized": pack(quantize(part))})
        rows = rows.with_columns(
            project_id=pl.lit(work.project_id),
            model=pl.lit(embedder.key),
            text=pl.concat_str(pl.lit("how do I get what I asked for in case "), numbers.cast(pl.String)),
            vector=pl.Series(part).cast(EMBEDDINGS.schema["vector"]),
        )
        work.open(EMBEDDINGS).append(rows.select(EMBEDDINGS.schema.names()))


@contextlib.contextmanager
def serving(n_messages: int, tell: Callable[[str], None], kept: Path | None) -> Iterator[tuple[int, str, str]]:
    """Serve a generated lake; give the port, A's write key and B's read key. kept: folder to make it in, and keep."""
    with tempfile.TemporaryDirectory(prefix="turret-bench-") as folder:
        home = kept or Path(folder)
        settings = Settings.from_environment({"TURRET_HOME": str(home)})
        with database(settings) as url:
            noted = home / "bench.json"
            if not noted.exists():
                accounts = Accounts(url)
                accounts.migrate()
                a, b = (accounts.create_project(name, "enterprise") for name in ("a", "b"))
                accounts.close()
                lake = settings.open_lake()
                lake.make()
                work = Work(lake, b.project_id)
                generate(work, n_messages)
                generate_vectors(work)
                noted.write_text(json.dumps([a.write_key, b.read_key]))
                tell(f"{n_messages:,} messages generated")
            write_key, read_key = json.loads(noted.read_text())
            environment = {**os.environ, "TURRET_HOME": str(home)}
            environment["TURRET_DATABASE_URL"] = url.replace("+psycopg2", "", 1)
            turret = [sys.executable, "-c", "from turret_api.command.main import main; main()"]
            process, port = start([*turret, "serve", "--port", "0"], environment)
            try:
                yield port, write_key, read_key
            finally:
                process.terminate()
                process.wait(60)


def measure(
    n_messages: int,
    rate: float,
    seconds: float,
    rounds: int,
    clients: int,
    tell: Callable[[str], None],
    kept: Path | None = None,
) -> dict[str, float]:
    """Return the medians over the rounds, and their ratio."""
    alone, asked = [], []
    with serving(n_messages, tell, kept) as (port, write_key, read_key):
        measure_round(port, write_key, read_key, rate, 1.0, 4, seed=0)  # the process that works on questions starts
        for n in range(1, rounds + 1):
            alone.append(measure_round(port, write_key, read_key, rate, seconds, 0, 0))
            asked.append(measure_round(port, write_key, read_key, rate, seconds, clients, seed=n * 10_000))
            tell(f"alone {alone[-1]}, asked {asked[-1]}")
    middle = statistics.median
    figures = {
        "track_alone_p50_ms": middle(each.p50_ms for each in alone),
        "track_alone_p99_ms": middle(each.p99_ms for each in alone),
        "track_alone_worst_p99_ms": max(each.p99_ms for each in alone),
        "track_asked_p50_ms": middle(each.p50_ms for each in asked),
        "track_asked_p99_ms": middle(each.p99_ms for each in asked),
        "answers_per_s": middle(each.answers.get(200, 0) / (seconds + 1) for each in asked),
    }
    figures["p99_ratio"] = figures["track_asked_p99_ms"] / figures["track_alone_p99_ms"]
    return figures


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--home", type=Path, help="folder to keep the tables in, for the next call to answer from")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    show(
        measure(options.messages, options.rate, options.seconds, options.rounds, options.clients, say, options.home),
        options.json,
    )


if __name__ == "__main__":
    main()
