"""What the server does before the framework's layers: it takes events, and repeats answers that hold."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from starlette.types import Receive, Scope, Send

from turret_api.accounts import Accounts, NewProject
from turret_api.app import create_app
from turret_api.collector.collector import Collector
from turret_api.serve.routes import in_front
from turret_pipeline.settings import Settings


@pytest.mark.slow
def test_events_and_the_same_question_again_do_not_reach_the_framework(
    settings: Settings, accounts: Accounts, new_project: Callable[..., NewProject]
) -> None:
    project = new_project()
    collector = Collector(settings, accounts)
    collector.start()
    app = create_app(settings, accounts, collector=collector, keys=collector.keys)
    reached: list[str] = []

    async def framework(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            reached.append(scope["path"])
        await app(scope, receive, send)

    try:
        with TestClient(in_front(framework, app)) as client:
            event = {"name": "asked", "metadata": {"prompt": "hello"}}
            assert client.post("/track", json=event, headers={"X-API-Key": project.write_key}).status_code == 200
            first, again = (client.get("/v1/topics/edits", headers={"X-API-Key": project.read_key}) for _ in range(2))
            assert (first.status_code, again.content, again.headers) == (200, first.content, first.headers)
    finally:
        collector.stop()
    assert reached == ["/v1/topics/edits"]
