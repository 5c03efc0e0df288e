"""Dagster's storage keeps its connections, and does without those that are gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster_postgres import PostgresEventLogStorage
from sqlalchemy import create_engine, event, text

from turret_pipeline.orchestration.storage import KEPT

ROOT = Path(__file__).parents[2]


@pytest.fixture
def url(make_database: Callable[[], str]) -> str:
    """URL of a database of the test's own."""
    return make_database()


@pytest.fixture
def instance(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """The Dagster of `dagster_home/dagster.yaml` over it."""
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster_home" / "dagster.yaml").read_text())
    monkeypatch.setenv("TURRET_DAGSTER_DATABASE_URL", url)
    monkeypatch.setenv("TURRET_DAGSTER_STORAGE", str(tmp_path / "storage"))
    with dg.DagsterInstance.from_config(str(tmp_path)) as made:
        yield made


@dg.asset
def table() -> int:
    """Something to run."""
    return 1


def run(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    return dg.materialize([table], instance=instance)


def test_a_run_uses_the_connections_that_are_kept(instance: dg.DagsterInstance) -> None:
    storage = instance.event_log_storage
    assert isinstance(storage, PostgresEventLogStorage)
    opened: list[object] = []
    event.listen(storage._engine, "connect", lambda *made: opened.append(made))
    assert run(instance).success
    assert len(opened) <= KEPT


def test_the_web_server_has_its_bounds_on_the_same_pool(instance: dg.DagsterInstance, url: str) -> None:
    instance.optimize_for_webserver(statement_timeout=4321, pool_recycle=3600, max_overflow=1)
    storages = (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
    (engine,) = {getattr(each, "_storage", each)._engine for each in storages}
    assert engine.pool.size() == KEPT and engine.pool._max_overflow == 1 and engine.pool._pre_ping
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == "4321ms"
    assert run(instance).success


def test_a_database_that_was_started_again_is_used_like_one_that_was_always_there(
    instance: dg.DagsterInstance, url: str
) -> None:
    assert run(instance).success
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as other:
        ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
        ended = other.execute(text(ends + "pg_backend_pid()")).fetchall()
    assert ended, "connections were kept"
    again = run(instance)
    assert again.success
    assert instance.get_run_by_id(again.run_id) is not None
