"""What the tests of more than one room need."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sqlalchemy import create_engine, text

from tests.language_model import Server
from turret_api.processes.postgres import database
from turret_pipeline import failpoint
from turret_pipeline.embedder import open as opening
from turret_pipeline.embedder.embed import DEFAULT_MODEL
from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.lake.paths import Lake
from turret_pipeline.settings import Settings

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("turret", deadline=None)
hypothesis.settings.load_profile("turret")


SLOW_FIRST = (
    *("command", "s3", "corpora", "erasing", "retention", "orchestration", "dashboard", "stages", "collector"),
    *("test_main_job_otlp.py", "test_one_event.py"),
)
"""What starts processes, browsers and fits comes first, the longest files before all: none is left for the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tests = Path(__file__).parent
    rank = {room: number for number, room in enumerate(SLOW_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.relative_to(tests).parts[0], len(rank)))


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SQLAlchemy URL of a real, empty database on an embedded server that is there for the whole session."""
    with database(Settings.from_environment({"TURRET_HOME": str(tmp_path_factory.mktemp("home"))})) as url:
        yield url


@pytest.fixture
def make_database(database_url: str) -> Iterator[Callable[[], str]]:
    """Return what makes a database of its own, with nothing in it, and returns its SQLAlchemy URL."""
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT")
    made: list[str] = []

    def make() -> str:
        made.append(f"own_{secrets.token_hex(6)}")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {made[-1]}"))
        return f"{database_url.rpartition('/')[0]}/{made[-1]}"

    yield make
    with engine.connect() as connection:
        for name in made:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a new, empty home."""
    return Settings.from_environment({"TURRET_HOME": str(tmp_path / "home")})


@pytest.fixture(scope="session", autouse=True)
def one_model() -> Iterator[None]:
    """Every test of the process that opens an embedding model gets the one that is open."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "_open", {})
        yield


@pytest.fixture(scope="session")
def keep_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Lake], None]:
    """Return what gives a new lake the embedding model as a first build would keep it there.

    To convert it takes seconds: it is done once, for all workers of this run.
    """
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if os.environ.get("PYTEST_XDIST_WORKER") else folder
    first = Lake(str(folder / "with-model"))
    with (folder / "with-model.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not Path(first.model(DEFAULT_MODEL)).parent.is_dir():
            open_lake_embedder(first, None)

    def keep(lake: Lake) -> None:
        models = Path(lake.model(DEFAULT_MODEL)).parent
        models.mkdir(parents=True, exist_ok=True)
        for kept in Path(first.model(DEFAULT_MODEL)).parent.iterdir():
            if not (models / kept.name).exists():
                os.link(kept, models / kept.name)

    return keep


@pytest.fixture
def interrupted_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], contextlib.AbstractContextManager[None]]:
    """Return a block that must reach the failpoint of this name, and ends there, as if it were killed."""

    @contextlib.contextmanager
    def interrupted(point: str) -> Iterator[None]:
        def stop(name: str) -> None:
            if name == point:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(failpoint, "on_reached", stop)
            with pytest.raises(KeyboardInterrupt):
                yield

    return interrupted


@pytest.fixture
def serve_model() -> Iterator[Callable[..., Server]]:
    """Return what starts a stand-in for a language model that says what the given function says."""
    running: list[Server] = []

    def start(say: Callable[[dict[str, Any]], str | bytes], **how: Any) -> Server:
        server = Server(say, **how)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.shutdown()
        server.server_close()
