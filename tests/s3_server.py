"""An S3 server for tests: moto's, behind a proxy that writes down each request, and may delay or refuse all of them.

Everything speaks HTTP: what the product sends is what a store in a data centre would get. moto keeps the objects in
memory and refuses a second `If-None-Match: *`. It judges no signature, so the proxy refuses other keys than its own.
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import secrets
import threading
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from moto.server import ThreadedMotoServer

ACCESS_KEY = "turret-test-key"
_REFUSED = b"<?xml version='1.0'?><Error><Code>InvalidAccessKeyId</Code><Message>No such key.</Message></Error>"
_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "date", "server", "content-length"}


@dataclass(frozen=True)
class Request:
    """One request that came: its method, its key in the bucket ("" of a listing), and its query by name."""

    method: str
    key: str
    query: dict[str, str]

    @property
    def words(self) -> str:
        """The request in one line."""
        return f"{self.method} {self.key}{'?' if self.query else ''}{urllib.parse.urlencode(self.query)}"


@dataclass
class Store:
    """A bucket on a server that runs.

    Args:
        endpoint: address of the proxy.
        backend: host and port of moto's server.
        bucket: its name, which no other has: a process remembers what it knows of a lake by its address.
        requests: those that came, in order.
        delay_s: time that each answer is held back.
        leaves_at: a piece of a key; at the first request for such a key the store goes away; "": it does not.
        holds_at: a piece of an address; requests for such are held for ever, and lost; "": none is.
        is_held: set once a request is held.
        is_away: whether connections are closed without an answer, as where the network is gone.
        lacks_conditions: whether `If-None-Match` is dropped on its way, as by stores that do not know it.
    """

    endpoint: str
    backend: tuple[str, int]
    bucket: str = field(default_factory=lambda: f"turret-{secrets.token_hex(4)}")
    requests: list[Request] = field(default_factory=list)
    delay_s: float = 0.0
    is_away: bool = False
    leaves_at: str = ""
    holds_at: str = ""
    is_held: threading.Event = field(default_factory=threading.Event)
    _released: threading.Event = field(default_factory=threading.Event)
    lacks_conditions: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which everything finds the store."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }

    @contextlib.contextmanager
    def counting(self) -> Iterator[list[Request]]:
        """Yield a list that holds, once the block has ended, the requests that came in it."""
        found: list[Request] = []
        before = len(self.requests)
        yield found
        found += self.requests[before:]

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Answer nothing for the length of the block."""
        self.is_away = True
        try:
            yield
        finally:
            self.is_away = False

    @contextlib.contextmanager
    def holding(self, piece: str) -> Iterator[threading.Event]:
        """Hold each request whose address has this piece; yield what is set once there is one. They get no answer."""
        self.holds_at = piece
        self.is_held.clear()
        self._released.clear()
        try:
            yield self.is_held
        finally:
            self.holds_at = ""
            self._released.set()

    def keep(self, address: str) -> bool:
        """Hold a request until the block of `holding` has ended, where it is one to be held; return whether it was."""
        if not self.holds_at or self.holds_at not in address:
            return False
        self.is_held.set()
        self._released.wait()
        return True

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys of all objects under `prefix`, past the proxy."""
        return self._listed("list-type=2&max-keys=100000", prefix)

    def uploads(self) -> list[str]:
        """Return the keys of uploads in parts that were begun and not ended, past the proxy."""
        return self._listed("uploads", "")

    def make_bucket(self) -> None:
        """After this call the bucket is there, with nothing in it."""
        self._ask("PUT", f"/{self.bucket}")

    def content(self, key: str) -> bytes:
        """Return what the object holds, past the proxy."""
        return self._ask("GET", f"/{self.bucket}/{urllib.parse.quote(key)}")

    def keep_versions(self) -> None:
        """From this call on the bucket keeps what is replaced or removed."""
        body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        self._ask("PUT", f"/{self.bucket}?versioning", body)

    def versions(self) -> int:
        """Return how many versions of objects there are, past the proxy."""
        return self._ask("GET", f"/{self.bucket}?versions&max-keys=100000").count(b"<Version>")

    def _listed(self, query: str, prefix: str) -> list[str]:
        text = self._ask("GET", f"/{self.bucket}?{query}&prefix={urllib.parse.quote(prefix)}").decode()
        assert "<IsTruncated>true" not in text
        return [urllib.parse.unquote(each.partition("</Key>")[0]) for each in text.split("<Key>")[1:]]

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        connection = http.client.HTTPConnection(*self.backend, timeout=30)
        with contextlib.closing(connection):
            # Where a request names no credential, moto takes it for one to another service.
            signed = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request"
            connection.request(method, path, body, {"Authorization": signed})
            answer = connection.getresponse()
            assert answer.status == 200, (answer.status, path)
            return answer.read()


@contextlib.contextmanager
def store() -> Iterator[Store]:
    """Run the server and its proxy for the length of the block; yield an empty bucket."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it tells of each request
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        proxy = _Proxy(moto.get_host_and_port())
        thread = threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            proxy.store.make_bucket()
            yield proxy.store
        finally:
            proxy.shutdown()
            proxy.server_close()
            thread.join()
    finally:
        moto.stop()


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, backend: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store = Store(f"http://127.0.0.1:{self.server_port}", backend)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client may go at any time."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        self._backend: http.client.HTTPConnection | None = None

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        if self._backend is not None:
            self._backend.close()

    def handle_expect_100(self) -> bool:
        is_welcome = super().handle_expect_100()
        self.wfile.flush()  # or the client waits for a second
        return is_welcome

    def log_message(self, *words: object) -> None:
        """Say nothing."""

    def _pass(self) -> None:
        server: _Proxy = self.server  # type: ignore[assignment]
        if server.store.leaves_at and server.store.leaves_at in self.path:
            server.store.is_away, server.store.leaves_at = True, ""
        if server.store.is_away or server.store.keep(self.path):
            self.close_connection = True
            return
        body = self._body()
        parts = urllib.parse.urlsplit(self.path)
        _, _, key = parts.path.lstrip("/").partition("/")
        query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        server.store.requests.append(Request(self.command, urllib.parse.unquote(key), query))
        time.sleep(server.store.delay_s)
        if f"Credential={ACCESS_KEY}/" not in self.headers.get("Authorization", ""):
            self._answer(403, "Forbidden", [("Content-Type", "application/xml")], _REFUSED)
            return
        dropped = {"expect", "transfer-encoding", "content-length"}
        if server.store.lacks_conditions:
            dropped.add("if-none-match")
        sent = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
        if body or self.command in ("PUT", "POST"):
            sent["Content-Length"] = str(len(body))
        if self._backend is None:
            self._backend = http.client.HTTPConnection(*server.store.backend, timeout=60)
        self._backend.request(self.command, self.path, body or None, sent)
        answer = self._backend.getresponse()
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP]
        self._answer(answer.status, answer.reason, headers, answer.read(), answer.getheader("Content-Length") or "0")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # a trailer of HTTP's, behind the one of aws-chunked
        return found

    def _answer(
        self, status: int, reason: str, headers: list[tuple[str, str]], content: bytes, told_length: str = "0"
    ) -> None:
        self.send_response_only(status, reason)
        for name, value in headers:
            self.send_header(name, value)
        is_head = self.command == "HEAD"
        self.send_header("Content-Length", told_length if is_head else str(len(content)))
        self.end_headers()
        if not is_head:
            self.wfile.write(content)
        self.wfile.flush()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass  # noqa: N815
