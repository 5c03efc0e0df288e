"""Who may come in at `/mcp`, and what of HTTP is answered there; a server that is not asked loads nothing for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.collector.conftest import Answer, Server
from tests.collector.conftest import accounts as accounts
from tests.collector.conftest import new_project as new_project
from tests.collector.conftest import preloaded as preloaded
from turret_api.accounts import NewProject

ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, database_url: str, preloaded: Any) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("door"), database_url, preloaded).start()
    yield running
    running.kill()


@pytest.fixture(scope="module")
def project(new_project: Callable[..., NewProject]) -> NewProject:
    return new_project()


def post(server: Server, headers: dict[str, str], body: Any = PING) -> Answer:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return server.request("POST", "/mcp", sent, ACCEPT | headers)


@pytest.mark.parametrize("header", ["X-API-Key: {}", "Authorization: Bearer {}", "authorization: bearer {} "])
@pytest.mark.parametrize("scope", ["read_key", "admin_key"])
def test_a_read_key_and_an_admin_key_are_let_in(server: Server, project: NewProject, header: str, scope: str) -> None:
    name, _, value = header.format(getattr(project, scope)).partition(": ")
    answer = post(server, {name: value})
    assert (answer.status, answer.json["result"]) == (200, {})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer tr_unknown"},
        {"Authorization": "Basic READ"},
        {"Authorization": "Bearer WRITE"},
        {"X-API-Key": "WRITE"},
        {"X-API-Key": "tr_unknown", "Authorization": "Bearer READ"},
        {"Cookie": "turret_session=x"},
    ],
)
def test_no_other_key_is_let_in(server: Server, project: NewProject, headers: dict[str, str]) -> None:
    sent = {
        name: value.replace("READ", project.read_key).replace("WRITE", project.write_key)
        for name, value in headers.items()
    }
    answer = post(server, sent)
    assert (answer.status, answer.code) == (401, "INVALID_API_KEY")
    assert answer.headers["www-authenticate"] == 'Bearer realm="Turret"'


def test_of_two_keys_in_one_header_neither_is_taken(server: Server, project: NewProject) -> None:
    connection = server.connect()
    connection.putrequest("POST", "/mcp")
    for _ in range(2):
        connection.putheader("Authorization", f"Bearer {project.read_key}")
    connection.putheader("Content-Length", "0")
    connection.endheaders()
    assert connection.getresponse().status == 401
    connection.close()


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://127.0.0.1:PORT", 200), ("https://attacker.example", 403), ("null", 403), ("http://127.0.0.1:1", 403)],
)
def test_a_page_comes_from_this_host_only(server: Server, project: NewProject, origin: str, status: int) -> None:
    headers = {"X-API-Key": project.read_key, "Origin": origin.replace("PORT", str(server.port))}
    assert post(server, headers).status == status


def test_behind_a_proxy_any_host_is_taken(server: Server, project: NewProject) -> None:
    headers = {"X-API-Key": project.read_key, "Host": "turret.example", "Origin": "https://turret.example"}
    assert post(server, headers).status == 200


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_only_post_is_there_so_that_no_connection_is_held(server: Server, project: NewProject, method: str) -> None:
    answer = server.request(method, "/mcp", None, ACCEPT | {"X-API-Key": project.read_key}, timeout=10)
    assert (answer.status, answer.code, answer.headers["allow"]) == (405, "INVALID_REQUEST", "POST")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 60_000, 400),
        (b'{"a":' * 12_000, 400),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":5}}', 200),
        (b'{"jsonrpc":"2.0","id":1,"method":"nothing"}', 200),
        (b'{"jsonrpc":"2.0","method":"notifications/initialized"}', 202),
        (b'{"id":' + b"9" * 5_000 + b"}", 400),
        (b" " * 70_000, 413),
    ],
)
@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28", "1999-01-01"])
def test_a_body_that_is_no_request_is_refused_and_breaks_nothing(
    server: Server, project: NewProject, body: bytes, status: int, version: str
) -> None:
    headers = {"X-API-Key": project.read_key, "MCP-Protocol-Version": version}
    answer = post(server, headers, body)
    assert answer.status == status if version == "2025-06-18" else answer.status in (status, 400, 404)
    assert post(server, {"X-API-Key": project.read_key}).status == 200
    assert "Traceback" not in server.log()


def test_the_log_holds_nothing_of_what_is_asked(server: Server, project: NewProject) -> None:
    search = {"name": "search", "arguments": {"q": "my secret question"}}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": search}
    assert post(server, {"X-API-Key": project.read_key}, call).json["result"]["isError"] is False
    assert "secret" not in server.log() and "HTTP Request" not in server.log()


def test_the_document_of_the_api_does_not_list_it(server: Server) -> None:
    assert "/mcp" not in server.request("GET", "/openapi.json").json["paths"]


def test_a_server_that_takes_events_only_has_no_such_door(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, preloaded: Any, project: NewProject
) -> None:
    server = Server(tmp_path_factory.mktemp("events"), database_url, preloaded, options=["--events-only"]).start()
    try:
        assert post(server, {"X-API-Key": project.read_key}).status == 404
    finally:
        server.kill()


@pytest.mark.slow
def test_a_server_loads_the_protocol_with_the_first_request_for_it() -> None:
    script = """
import sys, tempfile
from turret_api.accounts import Accounts
from turret_api.app import create_app
from turret_api.collector.collector import Collector
import turret_api.command.serve, turret_api.serve.server
from turret_pipeline.settings import Settings
settings = Settings.from_environment({"TURRET_HOME": tempfile.mkdtemp()})
accounts = Accounts("postgresql+psycopg2://nobody@127.0.0.1:1/nothing")
create_app(settings, accounts, collector=Collector(settings, accounts))
print(*sys.modules)
"""
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "turret_api.assistants.door" in loaded
    assert not {"mcp", "mcp_types", "httpx", "httpx2", "turret_api.assistants.server"} & set(loaded)
