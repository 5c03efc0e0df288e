"""The small lake and a database of Dagster, for the tests of this room."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text

from tests.small_lake import before as before
from tests.small_lake import lake as lake
from tests.small_lake import lake_before as lake_before
from tests.small_lake import small_chunks as small_chunks
from tests.small_lake import undisturbed as undisturbed


@pytest.fixture(scope="session")
def dagster_url(database_url: str) -> str:
    """URL of a database for Dagster alone: its migrations and the accounts' each take `alembic_version` for theirs."""
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE dagster"))
    engine.dispose()
    return f"{database_url.rpartition('/')[0]}/dagster"
