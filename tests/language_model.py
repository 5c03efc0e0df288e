"""A server that stands for a language model behind an OpenAI-compatible address; what it says is the test's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server(ThreadingHTTPServer):
    """A language model that says what `say` makes of a request's JSON body: text, or a whole answer as bytes."""

    daemon_threads = True

    def __init__(self, say: Callable[[dict[str, Any]], str | bytes], status: int = 200, drip_s: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.say, self.status, self.drip_s = say, status, drip_s
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        assert self.path == "/v1/chat/completions"
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.requests.append(body)
        server.keys.append(self.headers["Authorization"])
        said = server.say(body)
        answer = said if isinstance(said, bytes) else json.dumps({"choices": [{"message": {"content": said}}]}).encode()
        self.send_response(server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        try:
            for start in range(0, len(answer), 1 if server.drip_s else len(answer)):
                self.wfile.write(answer[start : start + (1 if server.drip_s else len(answer))])
                time.sleep(server.drip_s)
        except OSError:
            pass  # the client has hung up

    def log_message(self, *args: object) -> None:
        pass
