"""The sensor of alerts starts a run when there is something to look at or to send, and at no other time."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from sqlalchemy import text

from turret_api.accounts import Accounts
from turret_api.alerts.hours import DigestPlan
from turret_api.alerts.outbox import Outbox
from turret_api.alerts.rules import Filters
from turret_api.alerts.store import AlertStore
from turret_pipeline.lake import store
from turret_pipeline.lake.tables import BUILDS
from turret_pipeline.lake.waiting import Seen, Wait, write
from turret_pipeline.orchestration.alerts import EVERY_S, PATIENCE_S, PAUSE_S, due
from turret_pipeline.orchestration.definitions import build_definitions
from turret_pipeline.orchestration.workshop import Workshop
from turret_pipeline.settings import Settings

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@dataclasses.dataclass
class Place:
    """A home with a project `shop`, and a clock."""

    settings: Settings
    accounts: Accounts
    now: float = NOON.timestamp()
    built_at: float | None = None

    def rule(self, kind: str) -> None:
        AlertStore(self.accounts).add_rule("shop", kind, kind, Filters(), None, urgent=False)

    def looked(self) -> None:
        """Note that the rules were looked at now."""
        with self.accounts.engine.begin() as connection:
            times = f"looked_at = to_timestamp({self.now}), built_at = to_timestamp({self.built_at or 'NULL'})"
            connection.execute(text(f"UPDATE turret.alert_looks SET {times}"))

    def built(self) -> None:
        """Note that a table was built now."""
        self.built_at = self.now
        at = dt.datetime.fromtimestamp(self.now, dt.UTC)
        rows = pl.DataFrame([("shop", "topics", None, at, "1", 1, 0.1)], schema=BUILDS.schema, orient="row")
        store.replace(self.settings.open_lake(), BUILDS, rows, "shop")

    def due(self, after: float = 0.0) -> tuple[tuple[str, ...], bool]:
        self.now += after
        found = due(self.settings, self.now)
        return found.projects, found.messages


@pytest.fixture
def place(make_database: Callable[[], str], tmp_path: Path) -> Iterator[Place]:
    environment = {"TURRET_HOME": str(tmp_path / "home"), "TURRET_ALERTS_PRIVATE": "1"}
    settings = dataclasses.replace(Settings.from_environment(environment), database_url=make_database())
    settings.open_lake().make()
    with contextlib.closing(Accounts(str(settings.database_url))) as accounts:
        accounts.migrate()
        accounts.create_project("shop")
        yield Place(settings, accounts)


def test_nothing_is_due_where_there_are_no_rules_nor_even_accounts(
    place: Place, make_database: Callable[[], str]
) -> None:
    place.built()
    assert place.due() == ((), False)
    assert not due(dataclasses.replace(place.settings, database_url=make_database()), place.now)
    assert not due(dataclasses.replace(place.settings, database_url=None), place.now)


def test_changes_are_looked_at_after_a_build_and_not_too_often(place: Place) -> None:
    place.rule("new_topic")
    assert place.due() == (("shop",), False)
    place.looked()
    assert place.due(after=EVERY_S) == ((), False)
    place.built()
    assert place.due() == (("shop",), False)
    place.looked()
    place.built()
    place.now += 60
    place.built()
    assert place.due() == ((), False)
    assert place.due(after=EVERY_S) == (("shop",), False)
    place.looked()
    assert place.due(after=10 * EVERY_S) == ((), False)


def test_on_a_new_day_changes_are_looked_at_at_once(place: Place) -> None:
    place.rule("new_topic")
    place.now = dt.datetime(2026, 11, 20, 23, 59, tzinfo=dt.UTC).timestamp()
    place.looked()
    place.now += 30
    place.built()
    assert place.due() == ((), False)
    assert place.due(after=60) == (("shop",), False)


def test_a_look_waits_for_the_end_of_a_build_but_not_for_ever(place: Place) -> None:
    place.rule("new_topic")
    place.looked()
    place.now += EVERY_S
    place.built()
    for after, expected in ((0.0, ()), (PATIENCE_S, ("shop",))):
        place.now += after
        write(place.settings.open_lake(), Seen(place.now, {"shop": {"topics": Wait(place.now - 60, 1, place.now)}}))
        assert place.due() == (expected, False)


def test_lateness_is_looked_at_though_nothing_is_built(place: Place) -> None:
    place.rule("freshness")
    place.looked()
    lake = place.settings.open_lake()
    write(lake, Seen(place.now, {"shop": {"topics": Wait(place.now, 1, place.now)}}))
    assert place.due() == ((), False)
    place.now += place.settings.late_s + 1
    write(lake, Seen(place.now, {"shop": {"topics": Wait(place.now - 601, 1, place.now - 601)}}))
    assert place.due() == (("shop",), False)
    place.looked()
    assert place.due(after=1.0) == ((), False), "what could not be looked at is not tried each minute"
    write(lake, Seen(place.now + PAUSE_S, {"shop": {"topics": Wait(place.now - 601, 1, place.now - 601)}}))
    assert place.due(after=PAUSE_S) == (("shop",), False)


def test_messages_and_digests_are_due_when_their_time_has_come(place: Place) -> None:
    alerts = AlertStore(place.accounts)
    plan = DigestPlan(every="day", hour=13)
    target = alerts.add_target("shop", "webhook", "hook", "http://127.0.0.1:1/", digest=plan, now=NOON)
    assert place.due() == ((), False)
    assert place.due(after=3600.0) == ((), True)
    outbox = Outbox(place.accounts)
    outbox.put_digests(dt.datetime.fromtimestamp(place.now, dt.UTC))
    outbox.claim(dt.datetime.fromtimestamp(place.now, dt.UTC))
    assert place.due() == ((), False)
    assert place.due(after=121.0) == ((), True)
    alerts.remove_target("shop", target.target_id)
    assert place.due() == ((), False)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.mark.slow
def test_the_sensor_starts_a_run_that_looks_and_says_what_it_found(place: Place, instance: dg.DagsterInstance) -> None:
    definitions = build_definitions(Workshop(place.settings))
    sensor = definitions.resolve_sensor_def("alerts")

    def tick() -> dg.SensorResult:
        with dg.build_sensor_context(instance=instance, definitions=definitions) as context:
            found = sensor(context)
        assert isinstance(found, dg.SensorResult)
        return found

    assert "no rule is to be looked at" in str(tick().skip_reason)
    place.rule("silence")
    (request,) = tick().run_requests or []
    job = definitions.resolve_job_def("alerts")
    done = job.execute_in_process(run_config=request.run_config, instance=instance)
    assert done.success
    (event,) = done.asset_materializations_for_node("told_alerts")
    told = {name: value.value for name, value in event.metadata.items()}
    assert told["projects looked at"] == 1 and told["new alerts"] == told["dead letters"] == 0
    assert tick().skip_reason is not None
    instance.add_run(dg.DagsterRun("alerts", run_id="r", status=dg.DagsterRunStatus.STARTED))
    AlertStore(place.accounts).add_target(
        "shop", "webhook", "h", "http://127.0.0.1:1/", digest=DigestPlan(), now=NOON - dt.timedelta(30)
    )
    assert time.time() > NOON.timestamp() and "under way" in str(tick().skip_reason)
