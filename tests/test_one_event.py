"""The story of one event: from `POST /track` to a labelled topic and a journey, through every room in order.

The first test to read. Each step below is one room, entered as its users enter it: a server process that listens, a
build process, HTTP. Nothing is replaced by a double; there are just few events.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import httpx
import orjson
import polars as pl
import pytest

from turret_api.accounts import Accounts
from turret_api.command.sample_texts import make_text
from turret_pipeline.lake import parts, store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS
from turret_pipeline.settings import Settings

PATIENCE_S = 90

ONE_EVENT = {
    "name": "user_prompt",
    "session_id": "session-of-the-story",
    "user_id": "ann",
    "timestamp": "2026-03-01T10:00:00+00:00",
    "event_id": "the-one-event",
    "metadata": {"prompt": "Do I need a visa for Vietnam with a German passport?", "plan": "free"},
}


def test_one_event_from_the_request_to_a_topic_and_a_journey(home: Settings, database_url: str) -> None:
    # accounts: a project with a key to write and a key to read.
    accounts = Accounts(database_url)
    accounts.migrate()
    project = accounts.create_project("story")
    accounts.close()

    with (
        serve(home, database_url) as url,
        client(url, project.write_key) as write,
        client(url, project.read_key) as read,
    ):
        # collector: checked, stamped and on stable storage before the answer.
        answer = write.post("/track", json=ONE_EVENT)
        assert answer.status_code == 200
        assert answer.json() == {
            "success": True,
            "message": "Event tracked successfully",
            "event_id": "the-one-event",
            "session_id": "session-of-the-story",
            "user_id": "ann",
        }
        # The same event again is the same answer, and is stored once.
        assert write.post("/track", json=ONE_EVENT).json() == {**answer.json(), "duplicate": True}
        # Others came too: a topic is a matter of many.
        many = write.post("/track", json=other_events())
        assert many.status_code == 200 and many.json()["accepted"] == len(other_events())

        # lake: what the spool holds becomes an immutable Parquet part of its project and day.
        n_events = 1 + len(other_events())
        lake = home.open_lake()
        until(lambda: raw_events(home, project.project_id) == n_events)

        # pipeline: Dagster brings every table up to date.
        build(home, database_url, project.project_id)
        events = store.read(lake, EVENTS, project.project_id)
        assert events.height == n_events
        kept = events.row(by_predicate=pl.col("event_id") == "the-one-event", named=True)
        assert orjson.loads(kept["metadata"]) == ONE_EVENT["metadata"]

        # read: what each field is, ...
        types = {field["field"]: field["type"] for field in read.get("/v1/fields").json()["data"]}
        assert types == {"prompt": "text", "plan": "enum"}

        # ... what the message is about, in words and among others of its kind, ...
        session = read.get("/v1/sessions/session-of-the-story").json()
        first, second = session["data"]
        assert first["event_id"] == "the-one-event" and first["text"] == ONE_EVENT["metadata"]["prompt"]
        topic = read.get(f"/v1/topics/{first['topic_id']}").json()
        assert topic["label"] == first["topic_label"] and topic["size"] > 10
        assert "visa" in " ".join([topic["label"], *topic["keywords"]])

        # ... and where its session went from there.
        assert second["topic_id"] not in (None, first["topic_id"])
        moves = {(edge["from"], edge["to"]): edge for edge in read.get("/v1/journeys").json()["edges"]}
        assert moves["start", first["topic_id"]]["sessions"] > 10
        assert moves[first["topic_id"], second["topic_id"]]["count"] > 10

        # dashboard: a person looks.
        page = httpx.get(url, timeout=60)
        assert page.status_code == 200 and "Sign in to your project" in page.text


def other_events() -> list[dict]:
    """Return the second message of our session, and 29 sessions that go the same way: from a visa to a refund."""
    dice = random.Random(1)
    found = []
    for i in range(30):
        session = "session-of-the-story" if i == 0 else f"session-{i}"
        for minute, topic in ((0, "visa"), (5, "refund")):
            if (i, topic) == (0, "visa"):
                continue
            found.append(
                {
                    "name": "user_prompt",
                    "session_id": session,
                    "user_id": f"user-{i % 7}",
                    "timestamp": f"2026-03-01T10:{minute:02d}:{i:02d}+00:00",
                    "event_id": f"{topic}-{i}",
                    "metadata": {"prompt": make_text(dice, topic), "plan": ("free", "pro")[i % 2]},
                }
            )
    return found


@pytest.fixture
def home(settings: Settings, keep_model: Callable[[Lake], None]) -> Settings:
    settings.home.mkdir(parents=True)
    settings.open_lake().make()
    keep_model(settings.open_lake())
    return settings


@contextlib.contextmanager
def serve(home: Settings, database_url: str) -> Iterator[str]:
    """Run `turret serve` for the length of the block; yield its address."""
    log = home.home / "api.log"
    with log.open("w") as out:
        command = [sys.executable, "-m", "turret_api", "serve", "--port", "0"]
        process = subprocess.Popen(command, env=environment(home, database_url), stdout=out, stderr=subprocess.STDOUT)
    try:
        until(lambda: process.poll() is not None or "listens on" in log.read_text())
        assert process.poll() is None, log.read_text()
        yield log.read_text().partition("listens on ")[2].split()[0]
    finally:
        process.terminate()
        assert process.wait(60) == 0


def client(url: str, key: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=60)


def build(home: Settings, database_url: str, project_id: str) -> None:
    """Run `turret build`, as a person does who does not want to wait for the pipeline's sensor."""
    command = [sys.executable, "-m", "turret_api", "build", "--project", project_id]
    done = subprocess.run(command, env=environment(home, database_url), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def environment(home: Settings, database_url: str) -> dict[str, str]:
    return {**os.environ, "TURRET_HOME": str(home.home), "TURRET_LAKE": home.lake, "TURRET_DATABASE_URL": database_url}


def raw_events(home: Settings, project_id: str) -> int:
    lake = home.open_lake()
    return parts.read_parts(lake, parts.list_parts(lake, project_id)).height


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s in vain"
        time.sleep(0.1)
