"""A whole system that is killed in every way while it builds: the tables become what an undisturbed build leaves.

Meanwhile a reader polls the API: whatever it is answered adds up.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.command.conftest import processes_of, until
from tests.command.test_up import Up, turret
from tests.pipeline.conftest import DAYS, bring, event, planted_rows, put, tables
from turret_pipeline.checks import CHECKS
from turret_pipeline.lake.paths import Lake
from turret_pipeline.stages.pending import STAGES, pending_stages

PROJECT = "default"
BUILT_S = 900.0

DEADLY = [
    "events.after_read",
    "events.after_day",
    "field_profiles.after_analysis",
    "field_types.after_analysis",
    "field_types.after_history",
    "field_types.after_commit",
    "messages.after_analysis",
    "embeddings.after_analysis",
    "embeddings.after_chunk",
    "topics.after_analysis",
    "topics.after_commit",
    "topic_assignments.after_commit",
    "journey_steps.after_analysis",
    "journey_steps.after_days",
    "journey_moves.after_analysis",
    "journey_moves.after_days",
    "journey_edges.after_analysis",
    "journey_edges.after_commit",
]
"""One failpoint or more of each asset, in the order in which a build comes to them."""


class Reader(threading.Thread):
    """Asks for topics and journeys without a pause, and notes every answer whose numbers do not add up."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__(daemon=True)
        self.wrong: list[str] = []
        self.n_answers = self.n_with_topics = 0
        self._url, self._key, self._ending = url, key, threading.Event()

    def run(self) -> None:
        while not self._ending.wait(0.05):
            for path, judge in (("/v1/topics", _topics_add_up), ("/v1/journeys", _journeys_add_up)):
                try:
                    answer = httpx.get(
                        f"{self._url}{path}",
                        params={"field": "prompt"},
                        headers={"X-API-Key": self._key},
                        timeout=30,
                    )
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
    up = Up(tmp_path_factory.mktemp("disasters") / "home")
    up.environment["PYTHONPATH"] = str(Path(__file__).with_name("dying"))
    yield up
    if up.process is not None and up.process.poll() is None:
        up.end()
    for process in processes_of(up.home):
        process.kill()


def order(up: Up, point: str, what: str) -> Path:
    """Have the next process that comes to the failpoint die, or wait, there; return the order, gone once it is done."""
    file = up.home / "at-failpoint"
    file.write_text(f"{point} {what}")
    return file


def during(up: Up, point: str, disaster: Callable[[Up], None]) -> None:
    """Let the disaster come while a run waits at the failpoint."""
    waits = up.home / "waits"
    waits.unlink(missing_ok=True)
    file = order(up, point, "wait")
    until(waits.exists, BUILT_S)
    disaster(up)
    file.unlink()


def kill_daemon(up: Up) -> None:
    os.kill(up.pids()["daemon"], signal.SIGKILL)


def kill_code_server_and_runs(up: Up) -> None:
    code = psutil.Process(up.pids()["code"])
    for process in [*code.children(recursive=True), code]:
        process.kill()


def kill_database(up: Up) -> None:
    for process in processes_of(up.home):
        if "postgres" in " ".join(process.cmdline()[:3]):
            process.kill()


def kill_everything(up: Up) -> None:
    assert up.process is not None
    for process in [up.process, *processes_of(up.home)]:
        process.kill()
    up.process.wait()
    until(lambda: not processes_of(up.home), 60)


@pytest.mark.long
@pytest.mark.timeout(5400)
def test_after_every_kind_of_kill_the_tables_are_those_of_an_undisturbed_build_and_readers_saw_no_half(
    up: Up, tmp_path: Path
) -> None:
    lake = Lake(str(up.home / "lake"))
    rows = planted_rows()
    for number, day in enumerate(DAYS):
        put(lake, day, f"a-{number}", rows[number * 80 : number * 80 + 80], project=PROJECT)
    file = order(up, DEADLY[0], "die")
    key = re.search(r"read key +(\S+)", up.start())
    assert key is not None
    reader = Reader(up.url, key[1])
    reader.start()
    for point in DEADLY:
        if point != DEADLY[0]:
            file = order(up, point, "die")
        until(lambda: not file.exists(), BUILT_S)  # noqa: B023
    until(lambda: not pending_stages(lake, None)[PROJECT], BUILT_S)

    late = [event(300 + n, DAYS[2], f"how do I get the charge reversed for order {n}") for n in range(8)]
    for number, (point, disaster) in enumerate(
        [
            ("events.after_read", kill_daemon),
            ("messages.after_analysis", kill_code_server_and_runs),
            ("topic_assignments.after_analysis", kill_database),
            ("journey_edges.after_analysis", kill_everything),
        ]
    ):
        put(lake, DAYS[2], f"late-{number}", late[number * 2 : number * 2 + 2], project=PROJECT)
        during(up, point, disaster)
        if up.process is not None and up.process.poll() is not None:
            up.start()
        until(lambda: not pending_stages(lake, None)[PROJECT], BUILT_S)
        until(up.is_healthy, 120)
    reader.end()

    assert reader.wrong == []
    assert reader.n_with_topics > 100
    undisturbed = Lake(str(tmp_path / "lake"))
    for number in range(-1, 4):
        pattern = "a-*.parquet" if number < 0 else f"late-{number}.parquet"
        for part in Path(lake.root).rglob(pattern):
            target = Path(undisturbed.root) / part.relative_to(lake.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(part, target)
        bring(undisturbed, PROJECT)
    left, right = tables(lake, PROJECT), tables(undisturbed, PROJECT)
    assert {table.name for table in STAGES} <= set(left)
    for name, expected in right.items():
        assert left[name].equals(expected), name


@pytest.mark.long
@pytest.mark.timeout(1800)
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
