"""What a span costs beside an event: `POST /v1/traces` beside `POST /track`, with the same fields.

One server, one client process, some connections with one request at a time on each. A request has 500 spans, each a
call of a model with what OpenLLMetry's instrumentation of OpenAI writes, or an array of 500 events with the fields that
come of them. Every event is new and has an id. Rounds alternate between the two; the figures are medians. The time that
the server's process works is told too, which depends less on what else the machine does.

    python benchmarks/otlp.py [--seconds 4] [--rounds 5] [--clients 8] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any

import psutil
import uvloop
from collector import start
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

N_A_REQUEST = 500
MARK = b"#REQUEST"
"""Stands in a request where a number is to make it another one."""
PROMPT = "How do I change the address on my account?"
RESPONSE = "Open the settings, then choose Account and Address. " * 4
START_NS = 1_780_000_000 * 10**9
_numbers = itertools.count(time.time_ns() % 10**8 * 10**10)


def spans() -> bytes:
    """Return a request with calls of a model, in protobuf."""
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    _set(of_resource.resource.attributes, {"service.name": "shop"})
    scope = of_resource.scope_spans.add()
    for number in range(N_A_REQUEST):
        span = scope.spans.add(name="openai.chat", kind=3)
        span.trace_id, span.span_id = MARK + number.to_bytes(8), (number + 1).to_bytes(8)
        span.start_time_unix_nano, span.end_time_unix_nano = START_NS, START_NS + 812_000_000
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-5",
            "gen_ai.is_streaming": False,
            "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": PROMPT}]}]),
            "gen_ai.response.model": "gpt-5",
            "gen_ai.response.id": f"chatcmpl-{number}",
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.usage.input_tokens": 12,
            "gen_ai.usage.output_tokens": 34,
            "gen_ai.output.messages": json.dumps(
                [{"role": "assistant", "parts": [{"type": "text", "content": RESPONSE}], "finish_reason": "stop"}]
            ),
            "session.id": f"session-{number}",
            "user.id": f"user-{number}",
        }
        _set(span.attributes, attributes)
    return request.SerializeToString()


def _set(target: Any, attributes: dict[str, Any]) -> None:
    for key, value in attributes.items():
        pair = target.add(key=key)
        if isinstance(value, bool):
            pair.value.bool_value = value
        elif isinstance(value, int):
            pair.value.int_value = value
        elif isinstance(value, list):
            for each in value:
                pair.value.array_value.values.add(string_value=each)
        else:
            pair.value.string_value = value


def events() -> bytes:
    """Return an array with the events that come of `spans`."""
    made = [
        {
            "name": "chat",
            "session_id": f"session-{number}",
            "user_id": f"user-{number}",
            "event_id": f"{(MARK + number.to_bytes(8)).hex()}-{number:016x}",
            "timestamp": "2026-05-28T20:26:40Z",
            "metadata": {
                "service": "shop",
                "operation": "chat",
                "provider": "openai",
                "model": "gpt-5",
                "finish_reason": "stop",
                "input_tokens": 12,
                "output_tokens": 34,
                "latency_ms": 812.0,
                "prompt": PROMPT,
                "response": RESPONSE,
            },
        }
        for number in range(N_A_REQUEST)
    ]
    return json.dumps(made).encode().replace(MARK.hex().encode(), MARK * 2)


@dataclass
class Round:
    """One round of load: events a second, and microseconds that the server's process worked for each."""

    rate: float
    cpu_us: float


class _Client(asyncio.Protocol):
    """One connection that sends new requests one after the other."""

    def __init__(self, head: bytes, body: bytes, until: float) -> None:
        self._head, self._body, self._until = head, body, until
        self.n_sent = 0
        self._seen = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._send()

    def _send(self) -> None:
        number = next(_numbers) % 10**8
        # In an event it stands as 16 characters, in a span as 8 bytes.
        body = self._body.replace(MARK * 2, b"%016d" % number).replace(MARK, b"%08d" % number)
        self._transport.write(self._head + body)

    def data_received(self, data: bytes) -> None:
        self._seen += data
        head, separator, body = self._seen.partition(b"\r\n\r\n")
        if not separator:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(RuntimeError(self._seen.decode(errors="replace")[:500]))
            return
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length"))
        if len(body) < length:
            return
        self._seen = b""
        self.n_sent += 1
        if time.perf_counter() < self._until:
            self._send()
        else:
            self._transport.close()
            self.done.set_result(None)


async def _drive(port: int, head: bytes, body: bytes, clients: int, seconds: float) -> float:
    started = time.perf_counter()
    loop = asyncio.get_running_loop()
    made = [
        (await loop.create_connection(lambda: _Client(head, body, started + seconds), "127.0.0.1", port))[1]
        for _ in range(clients)
    ]
    await asyncio.gather(*(client.done for client in made))
    return sum(client.n_sent for client in made) * N_A_REQUEST / (time.perf_counter() - started)


def load(port: int, pid: int, key: str, path: str, kind: str, body: bytes, clients: int, seconds: float) -> Round:
    """Return what `clients` connections got out of the server in `seconds`."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nx-api-key: {key}\r\n"
        f"content-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    server = psutil.Process(pid)
    before, began = server.cpu_times(), time.perf_counter()
    rate = uvloop.run(_drive(port, head.encode(), body, clients, seconds))
    n = rate * (time.perf_counter() - began)
    after = server.cpu_times()
    return Round(rate, (after.user + after.system - before.user - before.system) * 1e6 / n)


def measure(home: str, seconds: float, rounds: int, clients: int) -> dict[str, float]:
    """Return the medians of all figures."""
    from turret_api.processes.postgres import database
    from turret_pipeline.settings import Settings

    settings = Settings.from_environment({"TURRET_HOME": home})
    turret = [sys.executable, "-c", "from turret_api.command.main import main; main()"]
    with database(settings) as url:
        environment = {**os.environ, "TURRET_HOME": home, "TURRET_DATABASE_URL": url.replace("+psycopg2", "")}
        made = subprocess.run(
            [*turret, "project", "create", "bench", "--plan", "enterprise", "--limit", "1000000000", "--json"],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        key = json.loads(made.stdout)["write_key"]
        process, port = start([*turret, "serve", "--port", "0"], environment)
        try:
            return _measure(port, process.pid, key, seconds, rounds, clients)
        finally:
            process.terminate()
            process.wait(60)


def _measure(port: int, pid: int, key: str, seconds: float, rounds: int, clients: int) -> dict[str, float]:
    of = {
        "/v1/traces": ("application/x-protobuf", spans()),
        "/track": ("application/json", events()),
    }
    found: dict[str, list[Round]] = {path: [] for path in of}
    for number in range(rounds + 1):
        for path, (kind, body) in of.items():
            taken = load(port, pid, key, path, kind, body, clients, seconds if number else 1.0)
            if number:
                found[path].append(taken)
    ours, theirs = found["/v1/traces"], found["/track"]
    middle = statistics.median
    return {
        "spans_per_s": middle(each.rate for each in ours),
        "events_per_s": middle(each.rate for each in theirs),
        "ratio": middle(a.rate / b.rate for a, b in zip(ours, theirs, strict=True)),
        "span_cpu_us": middle(each.cpu_us for each in ours),
        "event_cpu_us": middle(each.cpu_us for each in theirs),
        "cpu_ratio": middle(b.cpu_us / a.cpu_us for a, b in zip(ours, theirs, strict=True)),
    }


def show(report: dict[str, float]) -> None:
    """Print the report as a table."""
    rows = [
        ("spans a second, POST /v1/traces", f"{report['spans_per_s']:,.0f}", ""),
        ("events a second, POST /track", f"{report['events_per_s']:,.0f}", ""),
        ("  ratio (median of rounds)", f"{report['ratio']:.2f}", ">= 0.5"),
        ("µs of a core for a span", f"{report['span_cpu_us']:.1f}", ""),
        ("µs of a core for an event", f"{report['event_cpu_us']:.1f}", ""),
        ("  ratio", f"{report['cpu_ratio']:.2f}", ">= 0.5"),
    ]
    print(f"{'otlp':<38} {'measured':>14}   goal")
    for name, value, goal in rows:
        print(f"{name:<38} {value:>14}   {goal}")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="turret-bench-") as home:
        report = measure(home, options.seconds, options.rounds, options.clients)
    if options.json:
        print(json.dumps(report))
    else:
        show(report)


if __name__ == "__main__":
    main()
