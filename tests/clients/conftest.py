"""A real server for the clients, and one that answers as a test wants."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from turret_client import Client

from tests.clients.scripted import Say, Scripted
from tests.collector.conftest import Server, accounts, make_server, new_project, preloaded, project, server

__all__ = ["accounts", "make_client", "make_server", "new_project", "preloaded", "project", "script", "server"]


@pytest.fixture
def make_client() -> Iterator[Callable[..., Client]]:
    """Makes clients of a server, and ends them without waiting."""
    made: list[Client] = []

    def make(of: Server | Scripted | int, key: str = "tw_any", **given: object) -> Client:
        port = of if isinstance(of, int) else of.port
        made.append(Client(f"http://127.0.0.1:{port}", key, **{"linger_s": 0.01, **given}))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for client in made:
        client.close(0)


@pytest.fixture
def script() -> Iterator[Callable[[Say], Scripted]]:
    """Starts servers that answer each array of events as `say` does."""
    running: list[Scripted] = []

    def start(say: Say) -> Scripted:
        running.append(Scripted(say))
        threading.Thread(target=running[-1].serve_forever, args=(0.02,), daemon=True).start()
        return running[-1]

    yield start
    for each in running:
        each.is_over.set()
        each.shutdown()
        each.server_close()
