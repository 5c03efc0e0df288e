"""The server that the collector's tests talk to, and what becomes of spans without one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.collector.conftest import accounts, make_server, new_project, preloaded, project, server
from turret_api.otlp.calls import all_said
from turret_api.otlp.events import event_of
from turret_api.otlp.memory import Memory
from turret_api.otlp.turns import alone, plan
from turret_api.otlp.wire import Span

__all__ = ["accounts", "make_server", "new_project", "preloaded", "project", "server"]
MAX_TEXT = 100_000


class Taker:
    """Takes requests as the receiver does, but that nothing is stored."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.waiting: dict[str, float] = {}

    def take(self, *spans: Span) -> list[dict[str, Any]]:
        """Return the events of one request, each with its metadata as it is kept."""
        turns, whose, others = alone(self.memory, "p", list(spans), list(all_said(spans)))
        made = plan(self.memory, "p", list(spans), others)
        for turn in made.events:
            self.memory.forget(turn)
        for turn in made.waiting:
            self.memory.wait(turn)
        self.memory.remember("p", made.traces, whose | made.whose)
        return [_shown(event_of(turn, MAX_TEXT)) for turn in turns + made.events]

    def give_up(self) -> list[dict[str, Any]]:
        """Return the events of the turns that wait."""
        turns = list(self.memory.waiting.values())
        for turn in turns:
            self.memory.forget(turn)
        return [_shown(event_of(turn, MAX_TEXT)) for turn in turns]


def _shown(event: Any) -> dict[str, Any]:
    return {
        "id": event.event_id,
        "name": event.name,
        "session": event.session_id,
        "user": event.user_id,
        "timestamp_us": event.timestamp_us,
        **json.loads(event.metadata),
    }


@pytest.fixture
def taker() -> Taker:
    return Taker()


@pytest.fixture
def take(taker: Taker) -> Callable[..., list[dict[str, Any]]]:
    return taker.take
