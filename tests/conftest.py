"""What the tests of more than one room need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from turret_api.command.postgres import database
from turret_pipeline.lake.settings import Settings


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SQLAlchemy URL of a real, empty database on an embedded server that is there for the whole session."""
    with database(Settings.from_environment({"TURRET_HOME": str(tmp_path_factory.mktemp("home"))})) as url:
        yield url


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a new, empty home."""
    return Settings.from_environment({"TURRET_HOME": str(tmp_path / "home")})
