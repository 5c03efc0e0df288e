"""A real server over a lake that the pipeline built of what users wrote to fool a model, and real MCP clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client, types
from mcp.client.streamable_http import streamable_http_client

from tests.assistants.hostile import ORDERS
from tests.collector.conftest import Server
from tests.collector.conftest import accounts as accounts
from tests.collector.conftest import new_project as new_project
from tests.collector.conftest import preloaded as preloaded
from tests.read.conftest import OTHER_SESSIONS, write_lake
from tests.small_lake import DAYS, Row, bring, event, planted_rows, put
from turret_api.accounts import NewProject
from turret_pipeline.lake.paths import Lake

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Served:
    """A server with two projects: one full of orders to models, one with a canary."""

    server: Server
    hostile: NewProject
    other: NewProject

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def get(self, path: str, query: Sequence[tuple[str, str]] = (), project: NewProject | None = None) -> Any:
        key = (project or self.hostile).read_key
        answer = httpx.get(self.url + path, params=tuple(query), headers={"X-API-Key": key}, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def call(self, *calls: Call, key: str | None = None, **how: Any) -> list[types.CallToolResult]:
        """Call tools over HTTP, with the header that clients of the protocol set."""
        return asyncio.run(over_http(self.url, key or self.hostile.read_key, in_turn(*calls), **how))


Use = Callable[[Client], Awaitable[Any]]


async def over_http(url: str, key: str, use: Use, **how: Any) -> Any:
    """Return what `use` makes of a client that is connected to a server."""
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), **how) as client,
    ):
        return await use(client)


def in_turn(*calls: Call) -> Use:
    """Return what calls tools one after the other, and returns the results."""

    async def use(client: Client) -> list[types.CallToolResult]:
        return [await client.call_tool(name, arguments) for name, arguments in calls]

    return use


@pytest.fixture(scope="session")
def served(
    tmp_path_factory: pytest.TempPathFactory,
    database_url: str,
    preloaded: Any,
    new_project: Callable[..., NewProject],
    keep_model: Callable[[Lake], None],
) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("assistants")
    hostile, other = new_project(), new_project()
    lake = Lake(str(home / "lake"))
    lake.make()
    keep_model(lake)
    rows = planted_rows()
    for number, day in enumerate(DAYS):
        put(lake, day, f"planted-{number}", rows[number * 80 : number * 80 + 80], hostile.project_id)
    put(lake, DAYS[-1], "hostile", hostile_rows(), hostile.project_id)
    bring(lake, hostile.project_id, until="")
    write_lake(lake, other.project_id, OTHER_SESSIONS)
    server = Server(home, database_url, preloaded).start()
    made = Served(server, hostile, other)
    try:
        edit(made)
        yield made
    finally:
        server.kill()


def hostile_rows() -> list[Row]:
    """Return two events of each order: as text and answer, ids, event name, name of a field, and value of another."""
    rows = []
    for number, order in enumerate(ORDERS):
        for turn in range(2):
            metadata = {"prompt": order, "response": order, order[:200]: f"v{number % 3}", "plan": order[:200]}
            rows.append(
                event(
                    1000 + 2 * number + turn,
                    DAYS[-1],
                    event_id=f"{turn}{order}"[:200],
                    session_id=order[:200],
                    user_id=order[:200],
                    name=order[:200],
                    metadata=json.dumps(metadata),
                )
            )
    return rows


def edit(served: Served) -> None:
    """After this call topics are called by orders, and orders stand at a day and as a note."""
    headers = {"X-API-Key": served.hostile.admin_key}
    topics = served.get("/v1/topics")["data"]
    assert len(topics) > 2
    with httpx.Client(base_url=served.url, headers=headers, timeout=60) as client:
        for topic, order in zip(topics, ORDERS, strict=False):
            label = order.replace("\n", " ")[:100]
            renamed = {"action": "rename", "topic_id": topic["topic_id"], "value": label}
            answer = client.post("/v1/topics/edits", json=renamed)
            assert answer.status_code == 200, answer.text
        annotation = {"date": str(DAYS[1]), "text": ORDERS[0]}
        assert client.post("/v1/annotations", json=annotation).status_code == 200
        note = client.post(f"/v1/topics/{topics[0]['topic_id']}/notes", json={"text": ORDERS[1]})
        assert note.status_code == 200, note.text
