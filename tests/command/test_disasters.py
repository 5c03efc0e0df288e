"""A whole system that is killed in every way while it builds: the tables become what an undisturbed build leaves.

Meanwhile a reader polls the API: whatever it is answered adds up. One system, test after test.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.command.kills import (
    DYING,
    Kill,
    die_at,
    kill_code_server_and_runs,
    kill_daemon,
    kill_database,
    kill_everything,
    order,
    while_waiting,
)
from tests.command.test_up import Up, turret
from tests.processes.conftest import processes_of, until
from tests.small_lake import DAYS, bring, event, planted_rows, put, tables
from turret_pipeline.lake.paths import Lake
from turret_pipeline.stages import CHECKS, STAGE_OF
from turret_pipeline.stages.pending import pending_stages

pytestmark = pytest.mark.long

PROJECT = "default"
BUILT_S = 300.0
"""Seconds that any one step may take on a busy machine, where it takes a tenth of that otherwise."""

DEADLY = [
    "events.after_day",
    "field_profiles.after_analysis",
    "field_types.after_history",
    "messages.after_analysis",
    "shared_frames.after_analysis",
    "embeddings.after_chunk",
    "text_kinds.after_analysis",
    "text_sentiment.after_analysis",
    "topics.after_analysis",
    "topics.after_commit",
    "topic_assignments.after_commit",
    "journey_steps.after_days",
    "friction.after_analysis",
    "journey_moves.after_analysis",
    "step_values.after_analysis",
    "topic_days.after_analysis",
    "answers.after_analysis",
    "journey_edges.after_commit",
]
"""A failpoint of each asset, in the order in which a build comes to them: of those that wait for the same, by name."""


class Reader(threading.Thread):
    """Asks for topics and journeys without a pause, and notes every answer whose numbers do not add up."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__(daemon=True)
        self.wrong: list[str] = []
        self.n_answers = self.n_with_topics = 0
        self._url, self._key, self._ending = url, key, threading.Event()

    def run(self) -> None:
        with httpx.Client(base_url=self._url, headers={"X-API-Key": self._key}, timeout=30) as client:
            while not self._ending.wait(0.05):
                for path, judge in (("/v1/topics", _topics_add_up), ("/v1/journeys", _journeys_add_up)):
                    try:
                        answer = client.get(path, params={"field": "prompt"})
                    except httpx.HTTPError:
                        continue  # the API was killed too
                    if answer.status_code == 503:
                        continue
                    found = answer.json()
                    self.n_answers += 1
                    self.n_with_topics += bool(found.get("n_messages"))
                    if answer.status_code != 200 or not judge(found):
                        self.wrong.append(f"{path}: {answer.status_code} {answer.text[:2000]}")

    def end(self) -> None:
        self._ending.set()
        self.join(60)


def _topics_add_up(found: dict) -> bool:
    return sum(topic["size"] for topic in found["data"]) + found["n_unassigned"] == found["n_messages"]


def _journeys_add_up(found: dict) -> bool:
    left: dict[str, int] = {}
    for edge in found["edges"]:
        left[edge["from"]] = left.get(edge["from"], 0) + edge["count"]
        left[edge["to"]] = left.get(edge["to"], 0) - edge["count"]
    starts = left.pop("start", 0)
    return starts == -left.pop("end", 0) and not any(left.values())


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A system whose first run over three days of events will die, when it is started."""
    up = Up(tmp_path_factory.mktemp("disasters") / "home")
    up.environment["PYTHONPATH"] = DYING
    lake, rows = Lake(str(up.home / "lake")), planted_rows()
    for number, day in enumerate(DAYS):
        put(lake, day, f"a-{number}", rows[number * 80 : number * 80 + 80], project=PROJECT)
    order(up.home, DEADLY[0], "die")
    yield up
    if up.process is not None and up.process.poll() is None:
        up.end()
    for process in processes_of(up.home):
        process.kill()


@pytest.fixture(scope="module")
def reader(up: Up) -> Iterator[Reader]:
    """A reader that polls the started system from the first to the last test."""
    key = re.search(r"read key +(\S+)", up.start())
    assert key is not None
    reader = Reader(up.url, key[1])
    reader.start()
    yield reader
    reader.end()


@pytest.mark.timeout(1800)
def test_a_run_that_is_killed_in_any_asset_is_run_again(up: Up, reader: Reader) -> None:
    until(lambda: not (up.home / "at-failpoint").exists(), BUILT_S)  # the order that was there before the start
    for point in DEADLY[1:]:
        die_at(up.home, point)
    until(lambda: not pending_stages(Lake(str(up.home / "lake")), None)[PROJECT], BUILT_S)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("point", "kill"),
    [
        ("events.after_read", kill_daemon),
        ("messages.after_analysis", kill_code_server_and_runs),
        ("topic_assignments.after_analysis", kill_database),
        ("journey_edges.after_analysis", kill_everything),
    ],
)
def test_late_events_are_built_in_whatever_is_killed_meanwhile(up: Up, reader: Reader, point: str, kill: Kill) -> None:
    lake = Lake(str(up.home / "lake"))
    words = f"how do I get the charge reversed after {kill.__name__}"
    rows = [event(300 + n, DAYS[2], f"{words} {n}", event_id=f"{words} {n}") for n in range(2)]
    put(lake, DAYS[2], kill.__name__, rows, project=PROJECT)
    with while_waiting(up.home, point):
        kill(up)
    if up.process is not None and up.process.poll() is not None:
        up.start()
    until(lambda: not pending_stages(lake, None)[PROJECT], BUILT_S)
    until(up.is_healthy, 120)


def test_the_tables_are_those_of_an_undisturbed_build_and_no_reader_saw_half_of_one(
    up: Up, reader: Reader, tmp_path: Path
) -> None:
    reader.end()
    assert reader.wrong == []
    assert reader.n_with_topics > 100
    lake, undisturbed = Lake(str(up.home / "lake")), Lake(str(tmp_path / "lake"))
    parts = sorted(Path(lake.root).glob("events/**/*.parquet"), key=lambda part: part.stat().st_mtime_ns)
    first = [part for part in parts if part.name.startswith("a-")]
    for came in [first, *([part] for part in parts if part not in first)]:
        for part in came:
            target = Path(undisturbed.root) / part.relative_to(lake.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(part, target)
        bring(undisturbed, PROJECT)
    left, right = tables(lake, PROJECT), tables(undisturbed, PROJECT)
    assert len(right["events"]) == 248 and set(STAGE_OF) <= set(left)
    for name, expected in right.items():
        assert left[name].equals(expected), name


@pytest.mark.timeout(900)
def test_a_build_in_the_foreground_and_the_daemon_take_turns(up: Up) -> None:
    if up.process is None or up.process.poll() is not None:
        up.start()
    lake = Lake(str(up.home / "lake"))
    for number in range(3):
        rows = [event(500 + number * 40 + n, DAYS[1], f"tell me about baking bread, case {n}") for n in range(40)]
        put(lake, DAYS[1], f"busy-{number}", rows, project=PROJECT)
        done = subprocess.run(turret("build"), env=up.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: not pending_stages(lake, None)[PROJECT], BUILT_S)
    for table, checks in CHECKS.items():
        for name, check in checks.items():
            assert check.find(lake, PROJECT, None).n_wrong == 0, (table, name)
