"""Dagster's storage in Postgres, with connections that are kept.

`dagster_postgres` opens a connection for every statement: a thousand in a small run, which are more than half of its
time. Here a process keeps `KEPT` and opens more where more are wanted at once, as before. A connection is looked at
before it is used, so that a database that was started again is found like one that was always there.

Dagster's web server asks for bounds of its own (`optimize_for_webserver`), for which `dagster_postgres` makes three
pools that do not look at a connection first. It gets its bounds on the one pool.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster._core.storage.config import PostgresStorageConfig
from dagster._serdes import ConfigurableClassData
from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from dagster_postgres.utils import create_pg_engine, pg_url_from_config, set_pg_statement_timeout
from sqlalchemy import Engine, event
from sqlalchemy.pool import QueuePool

KEPT = 2
"""Connections that a process keeps, of the server's hundred; Turret has up to ten processes that use Dagster."""


class KeptConnections(DagsterPostgresStorage):
    """`DagsterPostgresStorage` whose parts share one engine with a pool; `dagster_home/dagster.yaml` names it."""

    _is_bounded = False

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None, **how: Any) -> None:
        super().__init__(postgres_url, inst_data=inst_data, **how)
        self._share(max_overflow=-1)
        for part in self._parts:
            part.optimize_for_webserver = self._bound  # type: ignore[method-assign]

    @property
    def _parts(self) -> tuple[PostgresRunStorage, PostgresEventLogStorage, PostgresScheduleStorage]:
        return self._run_storage, self._event_log_storage, self._schedule_storage

    def _share(self, **bounds: Any) -> Engine:
        """Give the parts one engine with a pool within `bounds`; return it."""
        engine = create_pg_engine(
            self.postgres_url,
            isolation_level="AUTOCOMMIT",
            poolclass=QueuePool,
            pool_size=KEPT,
            pool_pre_ping=True,
            hide_parameters=True,  # errors go into logs, and what they would quote may be of an event
            **bounds,
        )
        for part in self._parts:
            part._engine = engine
        return engine

    def _bound(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """Bound the pool and what a statement may take, in milliseconds; asked of each part, with the same bounds."""
        if self._is_bounded:
            return
        self._is_bounded = True
        event.listen(
            self._share(pool_recycle=pool_recycle, max_overflow=max_overflow),
            "connect",
            lambda connection, _: set_pg_statement_timeout(connection, statement_timeout),
        )

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: PostgresStorageConfig | Mapping[str, Any]
    ) -> KeptConnections:
        """Return the storage that `dagster.yaml` describes."""
        return cls(pg_url_from_config(config_value), inst_data)
