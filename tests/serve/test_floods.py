"""Floods of bytes from clients that have no key, or only a write key: answered, cut off, and never held."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import resource
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.collector.conftest import Server, accounts, new_project, preloaded  # noqa: F401
from turret_api.accounts import NewProject
from turret_api.serve.protocol import MOST_FIELDS, MOST_HEAD_BYTES

MIB = 2**20
MOST_MEMORY = 400 * MIB
BODY_ROUTES = [
    ("POST", "/v1/keys"),
    ("POST", "/v1/topics/edits"),
    ("PATCH", "/v1/fields/plan"),
    ("PATCH", "/v1/fields?field=plan"),
]
ROUTES = [*BODY_ROUTES, ("POST", "/track"), ("POST", "/sign-in"), ("POST", "/sign-out"), ("POST", "/nowhere")]
ROUTES += [("GET", path) for path in ("/", "/healthz", "/readyz", "/metrics", "/v1/topics", "/v1/messages?q=x")]
IDS = [" ".join(route) for route in ROUTES]
EVENT = {"name": "n", "metadata": {"prompt": "Where is my parcel?"}}


@pytest.fixture(scope="module")
def server(tmp_path_factory, database_url: str, preloaded) -> Iterator[Server]:  # noqa: F811
    running = Server(tmp_path_factory.mktemp("floods"), database_url, preloaded).start()
    yield running
    running.kill()


@pytest.fixture(scope="module")
def project(new_project: Callable[..., NewProject]) -> NewProject:  # noqa: F811
    return new_project()


def memory(server: Server) -> int:
    """Return the most memory that the server has had in use, in bytes."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


@contextlib.contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    with contextlib.closing(socket.create_connection(("127.0.0.1", server.port), timeout=30)) as connection:
        yield connection


def answers(connection: socket.socket) -> bytes:
    """Return all that the server says until it closes the connection."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            said += piece
    return said


def pour(connection: socket.socket, piece: bytes, n_bytes: int) -> int:
    """Send `piece` again and again until `n_bytes` are sent or the server has closed; return how many were sent."""
    sent = 0
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while sent < n_bytes:
            connection.sendall(piece)
            sent += len(piece)
    return sent


def head(method: str, path: str, *fields: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "host: x", *fields, "", ""]).encode()


def head_of(n_bytes: int, *fields: str) -> bytes:
    """Return a `GET /healthz` whose head has so many bytes."""
    padded = "x-padding: " + "a" * (n_bytes - len(head("GET", "/healthz", *fields, "x-padding: ")))
    return head("GET", "/healthz", *fields, padded)


def is_alive(server: Server) -> bool:
    return server.request("GET", "/healthz").json == {"status": "alive"}


def test_a_head_may_have_64_kib_and_no_byte_more(server: Server) -> None:
    for n_bytes, status in ((MOST_HEAD_BYTES, b"200"), (MOST_HEAD_BYTES + 1, b"431")):
        request = head_of(n_bytes, "connection: close")
        assert len(request) == n_bytes
        with connected(server) as connection:
            connection.sendall(request)
            said = answers(connection)
        assert said.startswith(b"HTTP/1.1 " + status)
    assert b'"INVALID_REQUEST"' in said and b"connection: close" in said


@pytest.mark.parametrize("n_before", [1, 3])
def test_a_later_head_on_a_connection_has_the_same_limit(server: Server, n_before: int) -> None:
    with connected(server) as connection:
        connection.sendall(head("GET", "/healthz") * n_before + head_of(2 * MOST_HEAD_BYTES))
        said = answers(connection)
    assert said.count(b"HTTP/1.1 200") == n_before


@pytest.mark.parametrize(
    "start",
    [
        b"GET /",
        b"GET /?",
        b"GET / HTTP/1.1\r\nx: ",
        b"GET / HTTP/1.1\r\n",
        b"POST /v1/keys HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ",
        b"POST /v1/keys HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5;x=",
    ],
    ids=["path", "query", "value", "name", "trailer", "chunk extension"],
)
def test_an_endless_head_is_refused_while_it_comes(server: Server, start: bytes) -> None:
    with connected(server) as connection:
        connection.sendall(start)
        sent = pour(connection, b"a" * 65536, 40 * MIB)
        said = answers(connection)
    assert said.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400", b"HTTP/1.1 401"))
    assert sent <= 40 * MIB
    assert is_alive(server)
    assert memory(server) < MOST_MEMORY


def test_more_fields_than_any_client_sends_are_refused(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(head("GET", "/healthz", *["a: b"] * (MOST_FIELDS + 1)))
        assert answers(connection).startswith(b"HTTP/1.1 431")


def test_requests_that_are_sent_at_once_are_all_answered_in_order(server: Server) -> None:
    n = 3000
    with connected(server) as connection:
        connection.sendall(head("GET", "/healthz") * n + head("GET", "/nowhere", "connection: close"))
        said = answers(connection)
    assert said.count(b"HTTP/1.1 200") == n
    assert said.rpartition(b"HTTP/1.1 ")[2].startswith(b"404")


def test_a_client_that_goes_away_before_its_answers_leaves_no_traceback(server: Server) -> None:
    for _ in range(20):
        with connected(server) as connection:
            connection.sendall(head("POST", "/v1/keys", "content-length: 0") * 200)
            connection.recv(1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert is_alive(server)
    assert "Traceback" not in server.log()


def test_what_is_no_http_behind_a_request_ends_the_connection_after_its_answer(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(head("GET", "/healthz") + b"\x00\x01 nonsense\r\n\r\n")
        said = answers(connection)
    assert said.startswith(b"HTTP/1.1 200") and b'{"status":"alive"}' in said


@pytest.mark.parametrize("is_chunked", [False, True], ids=["announced", "chunked"])
def test_a_body_of_a_client_without_a_key_is_not_kept(server: Server, is_chunked: bool) -> None:
    field = "transfer-encoding: chunked" if is_chunked else f"content-length: {600 * MIB}"
    piece = b"10000\r\n" + b"a" * 65536 + b"\r\n" if is_chunked else b"a" * 65536

    def flood(method: str, path: str) -> tuple[bytes, bool]:
        with connected(server) as connection:
            connection.sendall(head(method, path, field, "content-type: application/json") + 2 * piece)
            return connection.recv(9), pour(connection, piece, 100 * MIB) < 100 * MIB

    # All routes at once: the server reads on for seconds before it cuts a client off.
    with ThreadPoolExecutor(len(ROUTES)) as threads:
        floods = dict(zip(IDS, threads.map(flood, *zip(*ROUTES, strict=True)), strict=True))
    assert floods == dict.fromkeys(IDS, (b"HTTP/1.1 ", True))
    assert is_alive(server)
    assert memory(server) < MOST_MEMORY


@pytest.mark.parametrize(("method", "path"), BODY_ROUTES, ids=IDS[: len(BODY_ROUTES)])
def test_a_body_larger_than_its_route_takes_is_refused(
    server: Server, project: NewProject, method: str, path: str
) -> None:
    fields = {"X-API-Key": project.admin_key, "Content-Type": "application/json"}
    chunks = iter([b" " * 4096] * 17)
    for body in (b" " * (64 * 1024 + 1), chunks):
        with contextlib.closing(server.connect()) as connection:
            connection.request(method, path, body, fields, encode_chunked=body is chunks)
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["code"]) == (413, "INVALID_REQUEST")
    within = server.request(method, path, b" " * (64 * 1024 - 2) + b"{}", fields)
    assert within.status == 400


@pytest.mark.parametrize(("method", "path"), [*BODY_ROUTES, ("GET", "/v1/topics?limit=x&feild=y")])
def test_the_key_is_judged_before_anything_else(server: Server, project: NewProject, method: str, path: str) -> None:
    for key in ({}, {"X-API-Key": project.write_key}):
        for body in (b"", b"{", b" " * 100_000):
            answer = server.request(method, path, body, {"Content-Type": "application/json", **key})
            assert (answer.status, answer.code) == (401, "INVALID_API_KEY")


def test_two_keys_are_refused_everywhere_even_if_both_are_good(server: Server, project: NewProject) -> None:
    routes = [("GET", "/v1/topics", project.read_key), ("GET", "/v1/keys", project.admin_key)]
    routes += [(method, path, project.admin_key) for method, path in BODY_ROUTES]
    routes += [("POST", "/track", project.write_key)]
    assert server.request("GET", "/v1/topics", None, {"X-API-Key": project.read_key}).status == 200
    for method, path, key in routes:
        for keys in ((key, key), (key, "nonsense"), ("nonsense", key), ("", key), (key, "")):
            connection = http.client.HTTPConnection("127.0.0.1", server.port)
            connection.putrequest(method, path)
            for each in keys:
                connection.putheader("X-API-Key", each)
            connection.putheader("Content-Length", "0")
            connection.endheaders()
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["code"]) == (401, "INVALID_API_KEY"), (method, path, keys)
            connection.close()


def test_with_few_file_descriptors_connections_leave_enough_for_the_work(
    tmp_path,
    database_url: str,
    preloaded,  # noqa: F811
    project: NewProject,
) -> None:
    server = Server(tmp_path / "few", database_url, preloaded).start()
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (128, 128))
    with contextlib.ExitStack() as stack:
        for n in range(200):
            stack.enter_context(connected(server))
            assert n % 20 or is_alive(server)
        assert server.track(project.write_key, EVENT).status == 200
        assert server.request("GET", "/v1/fields", None, {"X-API-Key": project.read_key}).status == 200
    assert server.wait_for_events(project.project_id, 1).height == 1
    assert "Too many open files" not in server.log()
    server.kill()


def test_all_are_answered_who_ask_much_at_once(server: Server, project: NewProject) -> None:
    def questions(n: int) -> list[socket.socket]:
        asked = [stack.enter_context(connected(server)) for _ in range(n)]
        for number, connection in enumerate(asked):
            path = f"/v1/messages?from=2026-01-01T00:00:00.{number:06d}"
            connection.sendall(head("GET", path, f"x-api-key: {project.read_key}", "connection: close"))
        return asked

    with contextlib.ExitStack() as stack:
        asked = questions(150)
        assert server.track(project.write_key, EVENT).status == 200
        assert is_alive(server)
        assert {answers(each)[:12] for each in asked} == {b"HTTP/1.1 200"}


PACKED = gzip.compress(json.dumps(EVENT).encode())
EMPTY = gzip.compress(b"")


@pytest.mark.parametrize(
    ("packed", "status"),
    [
        (EMPTY * 100_000, 400),
        (EMPTY * 100_000 + PACKED, 200),
        (EMPTY * (16 * MIB // len(EMPTY)), 400),
        (gzip.compress(b" " * (17 * MIB)), 413),
        (gzip.compress(b" " * MIB) * 17, 413),
        (PACKED + EMPTY * 1000 + PACKED[:-1], 400),
        (PACKED + b"\x00", 400),
    ],
    ids=["empty", "empty, then an event", "as many as fit", "bomb", "bombs", "cut off", "damaged"],
)
def test_a_packed_body_is_unpacked_within_the_limits(
    server: Server, project: NewProject, packed: bytes, status: int
) -> None:
    answer = server.track(project.write_key, packed, content_encoding="gzip")
    assert answer.status == status
    assert is_alive(server)
    assert memory(server) < MOST_MEMORY


def test_unpacking_copies_each_byte_a_bounded_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    from turret_api.collector import body

    n_given = 0
    opened = zlib.decompressobj

    class Counting:
        def __init__(self, wbits: int) -> None:
            self._inner = opened(wbits=wbits)

        def decompress(self, piece: memoryview, most: int) -> bytes:
            nonlocal n_given
            n_given += len(piece)
            return self._inner.decompress(piece, most)

        def __getattr__(self, name: str):
            return getattr(self._inner, name)

    monkeypatch.setattr(body.zlib, "decompressobj", Counting)
    packed = EMPTY * 20_000 + gzip.compress(b"a b " * 300_000)
    assert len(body.unpack(packed)) == 1_200_000
    assert n_given < 20 * len(packed)
