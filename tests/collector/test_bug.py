"""A bug in the server is answered in the contract's shape, and told in the log; the next event is taken."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from turret_api.accounts import Accounts, NewProject
from turret_api.app import create_app
from turret_api.collector.collector import Collector
from turret_pipeline.settings import Settings


def test_an_event_that_meets_a_bug_is_answered_and_the_next_is_taken(
    settings: Settings,
    accounts: Accounts,
    new_project: Callable[..., NewProject],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a bug")

    headers = {"X-API-Key": new_project().write_key}
    event = {"name": "asked", "metadata": {"prompt": "hello"}}
    collector = Collector(settings, accounts)
    collector.start()
    try:
        with TestClient(create_app(settings, accounts, collector=collector, keys=collector.keys)) as client:
            with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
                patch.setattr(collector.writer, "submit", broken)
                answer = client.post("/track", json=event, headers=headers)
            assert answer.status_code == 500
            assert (answer.json()["success"], answer.json()["code"]) == (False, "INTERNAL_ERROR")
            assert "unhandled error" in caplog.text
            assert client.post("/track", json=event, headers=headers).status_code == 200
    finally:
        collector.stop()
