"""The broker asks Postgres as often as there is something to tell it, and seldom where there is nothing."""

from __future__ import annotations

import datetime as dt
import queue
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

import pytest

from tests.processes.conftest import until
from turret_api.accounts.plans import ENTERPRISE, Plan
from turret_api.collector import broker
from turret_api.collector.broker import Broker
from turret_api.collector.ledger import Quota

Name = tuple[str, str]


class Grants:
    """Grants that count how often they are asked, and remember what was reported."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.reported: dict[Name, int] = {}
        self.looks_at_report = 0
        self.on_look: Callable[[], None] = lambda: None

    def report(self, used: Mapping[Name, int], brought_in: int | None = None) -> None:
        self.asked["report"] += 1
        if used:
            self.looks_at_report = self.asked["wanted"]
        self.reported |= used

    def used_elsewhere(self, periods: Iterable[Name]) -> dict[Name, tuple[int, int]]:
        self.asked["used elsewhere"] += 1
        return {}

    def wanted(self) -> set[Name]:
        self.asked["wanted"] += 1
        self.on_look()
        return set()

    def all_granted(self) -> dict[Name, int]:
        return {}


class Ledger:
    """One quota, from which events are taken by hand."""

    def __init__(self) -> None:
        plan = Plan(ENTERPRISE, None, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        self.one = Quota("shop", "2026-11", plan)

    def quotas(self) -> list[Quota]:
        return [self.one]

    def quota(self, project_id: str, now_s: float) -> Quota:
        return self.one


@pytest.fixture
def grants() -> Grants:
    return Grants()


@pytest.fixture
def ledger(grants: Grants, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """The ledger of a broker that runs, with all its times a tenth as long."""
    for name in ("SYNC_S", "IDLE_SYNC_S", "BUSY_S", "ALIVE_S"):
        monkeypatch.setattr(broker, name, getattr(broker, name) / 10)
    ledger = Ledger()
    ran = Broker(grants, ledger, None, queue.SimpleQueue())  # type: ignore[arg-type]
    ran.start()
    yield ledger
    ledger.one.granted = ledger.one.used
    ran.stop()


def wait_until_idle(grants: Grants) -> None:
    """Return once the broker has found nothing new for a second, which is its `BUSY_S` here."""
    until(lambda: grants.reported)
    time.sleep(1.2)


@pytest.mark.slow
def test_a_collector_that_stores_nothing_asks_seldom_and_says_all_the_same_that_it_lives(
    grants: Grants, ledger: Ledger
) -> None:
    wait_until_idle(grants)
    began_s, before = time.monotonic(), grants.asked.copy()
    time.sleep(2)
    asked = {name: n - before[name] for name, n in grants.asked.items()}
    took_s = time.monotonic() - began_s
    assert 1 <= asked["wanted"] <= took_s / 0.2 + 1, "once in 0.2 s, not in 0.05"
    assert 1 <= asked["report"] <= took_s / 0.5 + 1


@pytest.mark.slow
def test_what_is_stored_after_a_quiet_time_is_reported_as_soon_as_ever(grants: Grants, ledger: Ledger) -> None:
    wait_until_idle(grants)
    stored_at: list[int] = []

    def store() -> None:
        if not stored_at:
            stored_at.append(grants.asked["wanted"])
            ledger.one.used = 7

    grants.on_look = store
    until(lambda: grants.reported.get(("shop", "2026-11")) == 7)
    assert [grants.looks_at_report] == stored_at, "it does not wait for the look that is due next"
