"""Requests take turns: no client has more of them worked on than its share, and none waits without end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turret_api.serve import turns
from turret_api.serve.turns import MOST_WAITING, OWN, TOGETHER, Turns

Ask = Callable[..., Awaitable[int]]


class App:
    """Answers 200 once it is told to, and notes who is worked on, and how many of each client were at most."""

    def __init__(self) -> None:
        self.going_on = asyncio.Event()
        self.working = Counter[str]()
        self.most = Counter[str]()
        self.most_together = 0
        self.order: list[str] = []
        self.messages: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        client = scope["client"]
        self.order.append(client)
        self.messages.append((await receive())["type"])
        self.working[client] += 1
        self.most[client] = max(self.most[client], self.working[client])
        self.most_together = max(self.most_together, self.working.total())
        try:
            await self.going_on.wait()
        finally:
            self.working[client] -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


def opened() -> tuple[App, Ask]:
    app = App()
    taking = Turns(app, lambda scope: scope["client"])

    async def ask(
        client: str, path: str = "/v1/topics", said: list[Any] | None = None, messages: Any = ("http.request",)
    ) -> int:
        said = [] if said is None else said
        coming = iter(messages)

        async def receive() -> Any:
            return {"type": next(coming)}

        async def send(message: Any) -> None:
            said.append(message)

        await taking({"type": "http", "path": path, "client": client}, receive, send)
        return int(said[0]["status"]) if said else 0

    return app, ask


async def rounds(n: int = 10) -> None:
    for _ in range(n):
        await asyncio.sleep(0)


def test_of_one_client_few_requests_are_worked_on_and_all_are_answered() -> None:
    async def run() -> None:
        app, ask = opened()
        asked = [asyncio.create_task(ask("b")) for _ in range(50)]
        await rounds()
        assert app.working == {"b": OWN}
        app.going_on.set()
        assert await asyncio.gather(*asked) == [200] * 50
        assert app.most == {"b": OWN}

    asyncio.run(run())


def test_a_client_that_asks_much_does_not_keep_another_from_its_turn() -> None:
    async def run() -> None:
        app, ask = opened()
        asked = [asyncio.create_task(ask("b")) for _ in range(100)]
        await rounds()
        asked.append(asyncio.create_task(ask("c")))
        await rounds()
        assert app.working == {"b": OWN, "c": 1}
        app.going_on.set()
        await asyncio.gather(*asked)

    asyncio.run(run())


def test_clients_that_wait_take_turns() -> None:
    async def run() -> None:
        app, ask = opened()
        first = [asyncio.create_task(ask(f"first {n}")) for n in range(TOGETHER)]
        await rounds()
        more = [asyncio.create_task(ask(client)) for client in "aaaabbcc"]
        await rounds()
        assert app.most_together == TOGETHER == len(app.order)
        app.going_on.set()
        await asyncio.gather(*first, *more)
        assert app.order[TOGETHER:] == list("abcabcaa")
        assert app.most_together == TOGETHER

    asyncio.run(run())


def test_what_is_answered_at_once_still_leaves_each_round_of_the_loop_to_others() -> None:
    async def run() -> None:
        app, ask = opened()
        app.going_on.set()
        asked = [asyncio.create_task(ask("b")) for _ in range(10 * OWN)]
        await asyncio.sleep(0)
        assert len(app.order) == OWN
        for _ in range(4):
            before = len(app.order)
            await asyncio.sleep(0)
            assert len(app.order) - before <= 2 * OWN
        assert await asyncio.gather(*asked) == [200] * 10 * OWN

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/track", "/healthz", "/readyz", "/readyz/pipeline"])
def test_events_and_load_balancers_wait_for_no_turn(path: str) -> None:
    async def run() -> None:
        app, ask = opened()
        asked = [asyncio.create_task(ask("b")) for _ in range(100)]
        asked += [asyncio.create_task(ask("b", path)) for _ in range(20)]
        await rounds()
        assert app.working["b"] == OWN + 20
        app.going_on.set()
        await asyncio.gather(*asked)

    asyncio.run(run())


def test_who_waits_in_vain_is_told_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE_S", 0.05)
    monkeypatch.setattr(turns, "FULL_S", 0.01)

    async def run() -> None:
        app, ask = opened()
        asked = [asyncio.create_task(ask("b")) for _ in range(OWN)]
        await rounds()
        said: list[Any] = []
        assert await ask("b", said=said) == 503
        assert (b"retry-after", b"5") in said[0]["headers"]
        assert msgspec.json.decode(said[1]["body"])["code"] == "SERVICE_UNAVAILABLE"
        monkeypatch.setattr(turns, "PATIENCE_S", 60.0)
        waiting = [asyncio.create_task(ask("b")) for _ in range(MOST_WAITING)]
        await rounds()
        assert await ask("b") == 503
        app.going_on.set()
        assert await asyncio.gather(*asked, *waiting) == [200] * (OWN + MOST_WAITING)

    asyncio.run(run())


def test_for_a_client_that_hung_up_while_it_waited_nothing_is_done() -> None:
    async def run() -> None:
        app, ask = opened()
        asked = [asyncio.create_task(ask("b")) for _ in range(OWN)]
        gone = [asyncio.create_task(ask("b", messages=["http.disconnect"])) for _ in range(20)]
        last = asyncio.create_task(ask("b", messages=["http.request", "http.disconnect"]))
        await rounds()
        app.going_on.set()
        assert await asyncio.gather(*asked, last) == [200] * (OWN + 1)
        assert await asyncio.gather(*gone) == [0] * 20
        assert app.messages == ["http.request"] * (OWN + 1)

    asyncio.run(run())


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["ask", "cancel", "go", "round"])), max_size=60))
def test_whatever_comes_and_goes_no_place_is_lost(steps: list[tuple[str, str]]) -> None:
    async def run() -> None:
        app, ask = opened()
        asked: list[asyncio.Task[int]] = []
        for client, step in steps:
            if step == "ask":
                asked += [asyncio.create_task(ask(client)) for _ in range(7)]
            elif step == "cancel" and asked:
                asked.pop(len(asked) // 2).cancel()
            elif step == "go":
                app.going_on.set()
                await rounds(2)
                app.going_on.clear()
            else:
                await rounds(1)
        app.going_on.set()
        assert set(await asyncio.gather(*asked)) <= {200}
        assert app.most_together <= TOGETHER and max(app.most.values(), default=0) <= OWN
        app.going_on.clear()
        again = [asyncio.create_task(ask(client)) for client in "abc" for _ in range(OWN)]
        await rounds()
        assert app.working.total() == 3 * OWN
        app.going_on.set()
        await asyncio.gather(*again)

    asyncio.run(run())
