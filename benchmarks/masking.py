"""What masking costs: `POST /track` for a project that masks everything beside one that masks nothing.

One server, one client process, 64 connections with one request at a time on each. A request is one event with a prompt,
or an array of 500 of them. One prompt in fifty has something to mask. Rounds alternate between the two projects; the
figures are medians. `core` counts events by the seconds of a core that the server used, which other processes do not
change. Then, without a server, the time for the slowest of some hostile texts of 100,000 characters.

    python benchmarks/masking.py [--texts FILE.parquet] [--seconds 4] [--rounds 5] [--clients 64] [--json]

FILE has a column `text`, such as prompts that people sent; default: the sample's messages.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import polars as pl
import psutil
import uvloop
from collector import _Client, start
from report import say, show

from turret_api.command.sample import make_sample
from turret_api.masking.kinds import ALWAYS
from turret_api.masking.mask import Mask
from turret_api.masking.rule import Rule
from turret_api.processes.postgres import database
from turret_pipeline.settings import Settings

EVENTS = 500
PLANTED = (
    "Reach me at ann.lee@example.com.",
    "My number is +1 415 555 2671.",
    "Card 4012 8888 8888 1881, exp 12/29.",
    "IBAN GB29 NWBK 6016 1331 9268 19.",
    "My SSN is 536-90-4399.",
    "Server 203.0.113.77 is down.",
    "password=hunter2-x",
)
PLANTED_IN = 50
HOSTILE = (
    "a", "1", "@", ".", "-", "1 ", "a@", "a.", "1.", "1-", "(1", "+1 ", "4111 ", "4111-1111-", "DE89 ", "1:", "::",
    "f:", "password=", "password: a", "Bearer ", "sk-", "eyJ", "aA1", "-----BEGIN PRIVATE KEY-----", "x@x.", "://a:",
    "%40", "0171 ", "call 1234567 ", "ssn 123456789 ", "RSSMRA85T10A562S ", "\u200b1", "\uff11", "<EMAIL>", "\\n1",
    "12345678Z ", "Aa", "aaA", "AKIA", "1.1.1.1 ", "a b 1234567 c ",
)  # fmt: skip
LENGTH = 100_000


def prompts(file: Path | None) -> list[str]:
    """Return texts, one in fifty with something to mask."""
    if file is not None:
        texts = pl.read_parquet(file)["text"].drop_nulls().to_list()
    else:
        sample = make_sample(dt.datetime(2026, 1, 31, tzinfo=dt.UTC), n_sessions=1000)
        texts = [message.event["metadata"]["prompt"] for message in sample]
    draw = random.Random(0)
    draw.shuffle(texts)
    return [f"{text} {draw.choice(PLANTED)}" if n % PLANTED_IN == 0 else text for n, text in enumerate(texts)]


def event(text: str, number: int) -> dict[str, object]:
    """Return an event that has no id of its own, so that each time it is new."""
    about = {"model": "large", "tokens": 412, "latency_ms": 1234.5, "cached": False}
    return {
        "name": "message_sent",
        "session_id": f"ses-{number // 5}",
        "user_id": f"usr-{number // 20}",
        "metadata": {"prompt": text, **about},
    }


async def _drive(port: int, requests: list[bytes], n_clients: int, seconds: float) -> float:
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    began_s = time.perf_counter()
    clients = [_Client(requests[n % len(requests)], latencies, began_s + seconds) for n in range(n_clients)]
    for each in clients:
        await loop.create_connection(lambda client=each: client, "127.0.0.1", port)
    await asyncio.gather(*(each.done for each in clients))
    return len(latencies) / (time.perf_counter() - began_s)


def load(port: int, key: str, bodies: list[bytes], n_clients: int, seconds: float) -> float:
    """Return the requests a second that clients got answered, each sending one of `bodies` again and again."""
    requests = [
        (
            f"POST /track HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nx-api-key: {key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode()
        + body
        for body in bodies
    ]
    return uvloop.run(_drive(port, requests, n_clients, seconds))


def measure(home: str, texts: list[str], seconds: float, n_rounds: int, n_clients: int) -> dict[str, float]:
    """Return the medians of all figures that a server gives."""
    environment = {**os.environ, "TURRET_HOME": home}
    turret = [sys.executable, "-c", "from turret_api.command.main import main; main()"]
    with database(Settings.from_environment({"TURRET_HOME": home})) as url:
        environment["TURRET_DATABASE_URL"] = url.replace("+psycopg2", "")
        keys = []
        for name, option in (("off", []), ("on", ["--mask"])):
            create = [*turret, "project", "create", name, "--plan", "enterprise", *option, "--json"]
            made = subprocess.run(create, env=environment, capture_output=True, text=True, check=True)
            keys.append(json.loads(made.stdout)["write_key"])
        process, port = start([*turret, "serve", "--port", "0"], environment)
        try:
            _expect_masked(port, keys[1])
            return _measure(process.pid, port, keys, texts, seconds, n_rounds, n_clients)
        finally:
            process.terminate()
            process.wait(60)


def _expect_masked(port: int, key: str) -> None:
    body = json.dumps({"name": "a", "metadata": {"a": 1}, "user_id": "ann@example.com"}).encode()
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/track", body, headers)
    with urllib.request.urlopen(request) as answer:
        if b"ann@example.com" in answer.read():
            raise RuntimeError("nothing is masked")


def _measure(
    pid: int, port: int, keys: list[str], texts: list[str], seconds: float, n_rounds: int, n_clients: int
) -> dict[str, float]:
    events = [event(text, number) for number, text in enumerate(texts)]
    single = [json.dumps(each).encode() for each in events[: 4 * n_clients]]
    arrays = [
        json.dumps(events[first : first + EVENTS]).encode() for first in range(0, min(len(events), 8 * EVENTS), EVENTS)
    ]
    rates: dict[str, list[float]] = {}
    server = psutil.Process(pid)
    for bodies, name, clients, n in ((single, "single", n_clients, 1), (arrays, "array", 8, EVENTS)):
        for key in keys:
            load(port, key, bodies, clients, 1.0)
        for number in range(n_rounds):
            turns = [("off", keys[0]), ("on", keys[1])]
            for state, key in turns if number % 2 else reversed(turns):
                before_s, began_s = sum(server.cpu_times()[:2]), time.perf_counter()
                rate = n * load(port, key, bodies, clients, seconds)
                n_events = rate * (time.perf_counter() - began_s)
                rates.setdefault(f"{name}_{state}", []).append(rate)
                used_s = sum(server.cpu_times()[:2]) - before_s
                rates.setdefault(f"{name}_{state}_core", []).append(n_events / used_s)
            last = {key: each[-1] for key, each in rates.items() if key.startswith(name)}
            say(f"{name}, round {number + 1}: " + ", ".join(f"{key} {rate:,.0f}" for key, rate in last.items()))
    figures = {f"{name}_events_per_s": statistics.median(each) for name, each in rates.items()}
    for name in ("single", "array"):
        for kind in ("", "_core"):
            pairs = zip(rates[f"{name}_on{kind}"], rates[f"{name}_off{kind}"], strict=True)
            figures[f"{name}{kind}_ratio"] = statistics.median(on / off for on, off in pairs)
    return figures


def alone(texts: list[str]) -> dict[str, float]:
    """Return the microseconds of a core that masking the JSON of a text takes, and the slowest of the hostile texts."""
    mask = Mask(Rule(frozenset(ALWAYS), secret="ab" * 32), "bench")
    for each in PLANTED:
        mask.text(each, "s")
    encoded = [json.dumps(text, ensure_ascii=False).encode() for text in texts]
    took = []
    for json_text, text in zip(encoded, texts, strict=True):
        began_s = time.process_time()
        among = mask.kinds_in(json_text)
        if among:
            mask.text(text, "s", among)
        took.append(time.process_time() - began_s)
    hostile = {}
    for unit in HOSTILE:
        text = (unit * (LENGTH // len(unit) + 1))[:LENGTH]
        began_s = time.process_time()
        mask.text(text, "s", mask.kinds_in(text.encode()))
        hostile[unit] = time.process_time() - began_s
    worst = max(hostile, key=lambda unit: hostile[unit])
    say(
        "slowest: "
        + ", ".join(
            f"{unit!r} {took_s * 1e3:.0f} ms" for unit, took_s in sorted(hostile.items(), key=lambda pair: -pair[1])[:8]
        )
    )
    return {
        "characters_mean": statistics.mean(map(len, texts)),
        "text_median_us": statistics.median(took) * 1e6,
        "text_mean_us": statistics.mean(took) * 1e6,
        "hostile_median_ms": statistics.median(hostile.values()) * 1e3,
        "hostile_worst_ms": hostile[worst] * 1e3,
    }


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    texts = prompts(options.texts)
    figures = alone(texts)
    if options.rounds:
        with tempfile.TemporaryDirectory(prefix="turret-bench-") as home:
            figures |= measure(home, texts, options.seconds, options.rounds, options.clients)
    show(figures, options.json)


if __name__ == "__main__":
    main()
