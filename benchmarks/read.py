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
import datetime as dt
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import uvloop
from collector import Round, drive, start
from report import say, show

from turret_api.accounts import Accounts
from turret_api.processes.postgres import database
from turret_pipeline.analysis.fields.detect import detect_types, profile_fields
from turret_pipeline.lake import store
from turret_pipeline.lake.tables import (
    ANSWERS,
    EVENTS,
    FIELD_OUTCOMES,
    FIELD_OVERRIDES,
    FIELD_TYPES,
    FRICTION,
    JOURNEY_EDGES,
    JOURNEY_MOVES,
    JOURNEY_STEPS,
    MESSAGES,
    STEP_VALUES,
    TEXT_SENTIMENT,
    TOPIC_ASSIGNMENTS,
    TOPIC_DAYS,
    TOPICS,
    Table,
)
from turret_pipeline.settings import Settings
from turret_pipeline.stages import STAGE_OF
from turret_pipeline.stages.work import Work

N_DAYS, N_TOPICS, N_TEXTS, SESSION = 30, 60, 200_000, 10
N_ANSWERS, ANSWERED, N_TOPICS_OF_ANSWERS = 20_000, 4, 30
"""Distinct answers, and their topics; one event in so many has one."""
N_THEMES = 9
FIRST_DAY = dt.date(2026, 3, 1)
RENEWED = (
    *(EVENTS, MESSAGES, TOPICS, TOPIC_ASSIGNMENTS, TEXT_SENTIMENT, JOURNEY_STEPS, TOPIC_DAYS, STEP_VALUES, FRICTION),
    *(ANSWERS, JOURNEY_MOVES, JOURNEY_EDGES),
)
"""What a build of new events writes."""
MOST_S = 300.0
ROUTES = {"topics": "/v1/topics", "journeys": "/v1/journeys", "fields": "/v1/fields"}
UNPACKED = {**ROUTES, "journeys_100": "/v1/journeys?limit=100"}


def day_of_events(number: int, n: int) -> pl.DataFrame:
    """Return `n` events of day `number`, in sessions of `SESSION`: columns of `EVENTS` and `text`, `text_id`."""
    random = np.random.default_rng(number)
    day = FIRST_DAY + dt.timedelta(days=number)
    at = np.sort(random.integers(0, 86_400_000_000, n)) + int(
        dt.datetime(*day.timetuple()[:3], tzinfo=dt.UTC).timestamp() * 1e6
    )
    place = np.arange(n)
    # Texts follow a power law, and sessions tend to stay near the text that they began with.
    text = np.minimum((N_TEXTS * random.power(0.5, n)).astype(np.int64), N_TEXTS - 1)
    frame = pl.DataFrame({"at": at, "i": place, "text_number": text, "tokens": random.integers(1, 4000, n)})
    session = pl.col("i") % max(n // SESSION, 1)
    metadata = pl.concat_str(
        pl.lit('{"plan":"plan_'),
        (session % 3).cast(pl.String),
        pl.lit('","resolved":'),
        (session % 7 < 4).cast(pl.String),
        pl.lit(',"tokens":'),
        pl.col("tokens").cast(pl.String),
        pl.lit("}"),
    )
    text_id = pl.col("text_number").cast(pl.String).str.zfill(32)
    return frame.select(
        project_id=pl.lit(""),
        received_date=pl.lit(day),
        event_id=pl.concat_str(pl.lit(f"evt_{number:02d}"), pl.col("i").cast(pl.String).str.zfill(24)),
        session_id=pl.concat_str(pl.lit(f"ses_{number:02d}"), session.cast(pl.String).str.zfill(24)),
        user_id=pl.concat_str(pl.lit("usr_"), (session % 50_000).cast(pl.String)),
        name=pl.lit("user_prompt"),
        timestamp=pl.col("at").cast(pl.Datetime("us", "UTC")),
        received_at=pl.col("at").cast(pl.Datetime("us", "UTC")),
        seq="i",
        metadata=metadata,
        part=pl.lit("generated.parquet"),
        text_id=text_id,
        text=pl.concat_str(pl.lit("how do I get what I asked for in case "), pl.col("text_number").cast(pl.String)),
    )


def answers_to(events: pl.DataFrame) -> pl.DataFrame:
    """Return the answers to one event in `ANSWERED`, as `day_of_events` returns events: some refuse."""
    number = pl.col("text_id").cast(pl.Int64) % N_ANSWERS
    said = pl.when(number % 9 == 0).then(pl.lit("I cannot do that in case ")).otherwise(pl.lit("Here it is, in case "))
    return events.gather_every(ANSWERED).with_columns(
        text=pl.concat_str(said, number.cast(pl.String)),
        text_id=pl.concat_str(pl.lit("a"), number.cast(pl.String).str.zfill(31)),
        field=pl.lit("response"),
    )


def generate(work: Work, n_messages: int, n_topics: int = N_TOPICS) -> None:
    """After this call the project's tables hold `n_messages` requests and the answers to some, a day at a time.

    What is there already, of a call that was cut short, stays.
    """

    def write(table: Table, rows: pl.DataFrame) -> None:
        named = rows.with_columns(project_id=pl.lit(work.project_id))
        work.open(table).append(named.select(table.schema.names()))

    known = {table.name: set(work.open(table).days()) for table in (EVENTS, MESSAGES)}
    for number in range(N_DAYS):
        day = FIRST_DAY + dt.timedelta(days=number)
        if all(day in days for days in known.values()):
            continue
        rows = day_of_events(number, n_messages // N_DAYS).with_columns(field=pl.lit("prompt"))
        if day not in known[EVENTS.name]:
            write(EVENTS, rows)
        if day not in known[MESSAGES.name]:
            write(MESSAGES, pl.concat([rows, answers_to(rows)]))
    if work.open(TOPIC_ASSIGNMENTS).state() is None:
        _generate_topics(write, n_topics, n_messages // N_DAYS * N_DAYS)
    for name in (
        "journey_steps",
        "topic_days",
        "step_values",
        "friction",
        "answers",
        "journey_moves",
        "journey_edges",
    ):
        STAGE_OF[name].bring(work)


def renew(work: Work) -> None:
    """After this call each table that a build writes has a new version, with the same rows."""
    last = FIRST_DAY + dt.timedelta(days=N_DAYS - 1)
    for table in RENEWED:
        days = {"received_date": last} if "received_date" in table.partition_by else {}
        rows = store.scan(work.lake, table, work.project_id)
        here = rows.filter(pl.col("received_date") == last) if days else rows
        store.replace(work.lake, table, here.collect(), work.project_id, **days)


def _generate_topics(write: Callable[[Table, pl.DataFrame], None], n_topics: int, n_events: int) -> None:
    """After this call there are the fields' types, an outcome, `n_topics` topics, and what is told of each text."""
    rows = day_of_events(0, 10_000)
    text, rest = pl.concat_str(pl.lit('"'), "text", pl.lit('",')), pl.col("metadata").str.slice(1)
    sample = rows.with_columns(
        metadata=pl.concat_str(pl.lit('{"prompt":'), text, pl.lit('"response":'), text, rest),
    )
    profiles = profile_fields(sample).with_columns(received_date=pl.lit(FIRST_DAY))
    types = detect_types(profiles, None, FIELD_OVERRIDES.empty()).types
    n_answers = pl.when(pl.col("field") == "response").then(n_events // ANSWERED).otherwise(n_events)
    write(FIELD_TYPES, types.with_columns(n_events=n_answers.cast(pl.Int64), n_null=pl.lit(0, pl.Int64)))
    marked = {"field": "resolved", "decided_at": dt.datetime(2026, 3, 1, tzinfo=dt.UTC), "better": None}
    write(FIELD_OUTCOMES, pl.DataFrame([{**marked, "good": ["true"]}], schema_overrides={"better": pl.String}))
    vectors = np.random.default_rng(0).normal(size=(n_topics, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    columns: dict[str, object] = {
        "field": "prompt",
        "level": 0,
        "parent_id": None,
        "keywords": ["case", "asked"],
        "examples": ["how do I get what I asked for"] * 5,
        "n_messages": 0,
        "n_texts": N_TEXTS // n_topics,
        "radius": 0.5,
        "model_version": 1,
        "fitted_texts": N_TEXTS,
    }
    topics = [
        {
            **columns,
            "topic_id": f"t_{i:02d}",
            "label": f"Topic {i}",
            "parent_id": f"theme_{i % N_THEMES}",
            "centroid": vectors[i].tolist(),
            "x": float(i % 17),
            "y": float(i // 17),
        }
        for i in range(n_topics)
    ]
    themes = [
        {**topics[i], "topic_id": f"theme_{i}", "label": f"Theme {i}", "level": 1, "parent_id": None}
        for i in range(N_THEMES)
    ]
    known = {name: dtype for name, dtype in TOPICS.schema.items() if name != "project_id"}
    of_prompts = pl.DataFrame([{name: row.get(name) for name in known} for row in topics + themes], schema=known)
    of_answers = of_prompts.head(N_TOPICS_OF_ANSWERS).with_columns(
        field=pl.lit("response"), topic_id=pl.concat_str(pl.lit("r"), "topic_id"), parent_id=pl.lit(None, pl.String)
    )
    write(TOPICS, pl.concat([of_prompts, of_answers]))
    numbers = pl.DataFrame({"i": np.arange(N_TEXTS)})
    number = pl.col("i") % (n_topics + 1)
    around = np.random.default_rng(1).normal(scale=0.25, size=(2, N_TEXTS)).astype(np.float32)
    assignments = numbers.select(
        field=pl.lit("prompt"),
        text_id=pl.col("i").cast(pl.String).str.zfill(32),
        # One in `n_topics` + 1 has no topic.
        topic_id=pl.when(number < n_topics).then(pl.concat_str(pl.lit("t_"), number.cast(pl.String).str.zfill(2))),
        similarity=pl.lit(0.8),
        model_version=pl.lit(1, dtype=pl.Int64),
        found_topic_id=pl.lit(None, dtype=pl.String),
        x=(number % 17).cast(pl.Float32) + pl.Series(around[0]),
        y=(number // 17).cast(pl.Float32) + pl.Series(around[1]),
    )
    write(TOPIC_ASSIGNMENTS, pl.concat([assignments, _of_answers(assignments)]))
    sounds = pl.when(pl.col("i") % 9 == 0).then(pl.lit("negative")).when(pl.col("i") % 11 == 0).then(pl.lit("positive"))
    told = numbers.select(
        text_id=pl.col("i").cast(pl.String).str.zfill(32),
        model=pl.lit("generated"),
        sentiment=sounds.otherwise(pl.lit("neutral")),
        score=pl.lit(0.0, dtype=pl.Float32),
    )
    write(TEXT_SENTIMENT, told)


def _of_answers(assignments: pl.DataFrame) -> pl.DataFrame:
    """Return what is told of the answers: topics of their own."""
    number = pl.col("text_id").cast(pl.Int64)
    topic = pl.concat_str(pl.lit("rt_"), (number % N_TOPICS_OF_ANSWERS).cast(pl.String).str.zfill(2))
    return assignments.head(N_ANSWERS).with_columns(
        field=pl.lit("response"),
        topic_id=pl.when(number % (N_TOPICS_OF_ANSWERS + 1) > 0).then(topic),
        text_id=pl.concat_str(pl.lit("a"), number.cast(pl.String).str.zfill(31)),
    )


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
