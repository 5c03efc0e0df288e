"""One server of S3 for all tests here, and one lake on it that has been built once: to build takes most of the time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.s3_server import Store, store
from tests.test_one_event import build, client, environment, other_events, raw_events, serve, until
from turret_api.accounts import Accounts, NewProject
from turret_pipeline.lake import files
from turret_pipeline.lake.paths import Lake
from turret_pipeline.settings import Settings


@pytest.fixture(scope="module")
def bucket() -> Iterator[Store]:
    """An empty bucket that everything finds by its environment."""
    with store() as found, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in found.environment.items():
            patch.setenv(name, value)
        yield found


@dataclass(frozen=True)
class Story:
    """A lake on S3 into which events were sent by HTTP, and that was built; the server that took them still runs."""

    bucket: Store
    settings: Settings
    database_url: str
    project: NewProject
    read: httpx.Client
    write: httpx.Client

    @property
    def lake(self) -> Lake:
        """The lake."""
        return self.settings.open_lake()

    def build(self) -> None:
        """Build the project to its end."""
        build(self.settings, self.database_url, self.project.project_id)

    def turret(self, *words: str, **changed: str) -> tuple[int, str]:
        """Run a command, with some variables changed; return its exit status and what it said."""
        command = [sys.executable, "-m", "turret_api", *words]
        env = environment(self.settings, self.database_url) | changed
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def send(self, mark: str, n: int = 10) -> int:
        """Send `n` events that were not sent yet; return `n`."""
        events = [{**each, "event_id": f"{each['event_id']}-{mark}"} for each in other_events()[:n]]
        answer = self.write.post("/track", json=events)
        assert answer.status_code == 200 and answer.json()["accepted"] == n
        return n


@pytest.fixture(scope="module")
def story(
    bucket: Store,
    database_url: str,
    keep_model: Callable[[Lake], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Story]:
    """Return the lake after its first build."""
    home = tmp_path_factory.mktemp("home")
    settings = Settings.from_environment({"TURRET_HOME": str(home), "TURRET_LAKE": f"s3://{bucket.bucket}//lake/"})
    model_of(settings.open_lake(), keep_model, tmp_path_factory.mktemp("model"))
    accounts = Accounts(database_url)
    accounts.migrate()
    project = accounts.create_project("on s3")
    accounts.close()
    with (
        serve(settings, database_url) as url,
        client(url, project.read_key) as read,
        client(url, project.write_key) as write,
    ):
        whole = Story(bucket, settings, database_url, project, read, write)
        assert write.post("/track", json=other_events()).json()["accepted"] == len(other_events())
        until(lambda: raw_events(settings, project.project_id) == len(other_events()))
        whole.build()
        yield whole


def model_of(lake: Lake, keep_model: Callable[[Lake], None], folder: Path) -> None:
    """Put the embedding model into a lake on S3, as a first build would."""
    local = Lake(str(folder))
    keep_model(local)
    for file in (folder / "models").iterdir():
        files.write(lake, f"{lake.root}/models/{file.name}", file.read_bytes())
