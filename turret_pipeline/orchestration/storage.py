"""Dagster's storage in Postgres, with connections that are kept.

`dagster_postgres` opens a connection for every statement: a thousand in a small run, which are more than half of its
time. Here a process keeps `KEPT` and opens more where more are wanted at once, as before. A connection is looked at
before it is used, so that a database that was started again is found like one that was always there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster._core.storage.config import PostgresStorageConfig
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import create_pg_engine, pg_url_from_config
from sqlalchemy.pool import QueuePool

KEPT = 2
"""Connections that a process keeps, of the server's hundred; Turret has up to ten processes that use Dagster."""


class KeptConnections(DagsterPostgresStorage):
    """`DagsterPostgresStorage` whose parts share one engine with a pool; `dagster_home/dagster.yaml` names it."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None, **how: Any) -> None:
        super().__init__(postgres_url, inst_data=inst_data, **how)
        engine = create_pg_engine(
            postgres_url,
            isolation_level="AUTOCOMMIT",
            poolclass=QueuePool,
            pool_size=KEPT,
            max_overflow=-1,
            pool_pre_ping=True,
        )
        for part in (self._run_storage, self._event_log_storage, self._schedule_storage):
            part._engine = engine

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: PostgresStorageConfig | Mapping[str, Any]
    ) -> KeptConnections:
        """Return the storage that `dagster.yaml` describes."""
        return cls(pg_url_from_config(config_value), inst_data)
