"""A server that stands for Turret, or for what stands before it: a real one, which answers as a test wants."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str], Any]
Say = Callable[["Scripted", list[dict[str, Any]]], Answer]


class Scripted(ThreadingHTTPServer):
    """Keeps what it is sent: `events` of each request, and when it came."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, say: Say) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = self.server_address[1]
        self.say = say
        self.requests: list[list[dict[str, Any]]] = []
        self.at_s: list[float] = []
        self.is_over = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Scripted)
        assert self.path == "/track"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        events = json.loads(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
        server.requests.append(events)
        server.at_s.append(time.monotonic())
        status, headers, answer = server.say(server, events)
        payload = answer if isinstance(answer, bytes) else json.dumps(answer, separators=(",", ":")).encode()
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)
        except OSError:
            pass  # the client has hung up

    def log_message(self, *args: object) -> None:
        pass


def stored(_: Scripted, events: list[dict[str, Any]]) -> Answer:
    """Answer as Turret does when it has stored all."""
    results = [{"success": True, "event_id": event["event_id"]} for event in events]
    return 200, {}, {"success": True, "accepted": len(events), "rejected": 0, "results": results}


def hung(server: Scripted, events: list[dict[str, Any]]) -> Answer:
    """Answer nothing for as long as the test lasts."""
    server.is_over.wait()
    return stored(server, events)


def error(status: int, code: str, **headers: str) -> Answer:
    """Return an error as Turret has it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, named, {"success": False, "error": f"It is {code}.", "code": code}
