"""`turret demo` as a newcomer runs it: it shows what was planted in the sample, and leaves nothing behind."""

from __future__ import annotations

import datetime as dt
import os
import re
import socket
import stat
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import polars as pl
import pytest

from tests.command.test_up import Up
from tests.dashboard.walk import walk_through
from tests.ports import free_ports
from tests.processes.conftest import processes_of, until
from turret_api.command.sample import CLEAR_MOVES, FIELD, make_sample, planted_topics
from turret_api.command.sample_texts import ENGLISH
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS, JOURNEY_EDGES, JOURNEY_STEPS, TOPICS
from turret_pipeline.semantics.visits import is_move
from turret_pipeline.settings import Settings

PROJECT = "demo"
LIMIT_S = 500


@dataclass(frozen=True)
class Shown:
    """A finished `turret demo --once`: its home, its settings, what it printed, and how long it took."""

    home: Path
    lake: Lake
    output: str
    seconds: float


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, keep_model: Callable[[Lake], None]) -> Shown:
    home = tmp_path_factory.mktemp("demo") / "home"
    keep_model(Lake(str(home / "lake")))
    started = time.perf_counter()
    done = demo(home)
    assert done.returncode == 0, done.stdout + done.stderr
    lake = Settings.from_environment({"TURRET_HOME": str(home)}).open_lake()
    return Shown(home, lake, done.stdout, time.perf_counter() - started)


def demo(home: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    port, dagster_port = map(str, free_ports(2))
    environment = {**os.environ, "TURRET_HOME": str(home), "TURRET_PORT": port, "TURRET_DAGSTER_PORT": dagster_port}
    return subprocess.run(
        [sys.executable, "-m", "turret_api", "demo", "--once"],
        env=environment | changes,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_it_stores_the_whole_sample_once_and_prints_topics_journeys_and_addresses(shown: Shown) -> None:
    sample = make_sample(dt.datetime.now(dt.UTC))
    assert store.read(shown.lake, EVENTS, PROJECT)["event_id"].sort().to_list() == sorted(planted_topics(sample))
    labels = store.read(shown.lake, TOPICS, PROJECT).filter(pl.col("level") == 0, pl.col("field") == FIELD)
    labels = labels.sort("n_messages")["label"]
    for words in ("Top topics", "Top journeys", "Field types", "/sign-in#key=tr_", "Write key", str(labels[-1])):
        assert words in shown.output, shown.output
    assert "\x1b" not in shown.output
    assert max(map(len, shown.output.splitlines())) <= 200


def test_the_planted_topics_are_found(shown: Shown) -> None:
    # Here, not at the top: scikit-learn takes a second to import.
    from sklearn.metrics import adjusted_rand_score

    sample = make_sample(dt.datetime.now(dt.UTC))
    planted, found = planted_topics(sample), topic_by_event(shown.lake)
    english = [m.event["event_id"] for m in sample if m.language == ENGLISH and m.event["event_id"] in found]
    # The few Germans have some topics of their own.
    for events, least in ((english, 0.8), (sorted(found), 0.6)):
        assert adjusted_rand_score([planted[e] for e in events], [found[e] for e in events]) >= least


def test_the_planted_moves_are_the_top_edges(shown: Shown) -> None:
    planted = planted_topics(make_sample(dt.datetime.now(dt.UTC)))
    members: dict[str, Counter[str]] = defaultdict(Counter)
    for event, topic in topic_by_event(shown.lake).items():
        members[topic][planted[event]] += 1
    meaning = {topic: counts.most_common(1)[0][0] for topic, counts in members.items()}
    moves: Counter[tuple[str, str]] = Counter()
    for edge in store.read(shown.lake, JOURNEY_EDGES, PROJECT).iter_rows(named=True):
        a, b = meaning.get(edge["from_topic"]), meaning.get(edge["to_topic"])
        if a and b and a != b:
            moves[a, b] += edge["count"]
    top = [move for move, _ in moves.most_common(len(CLEAR_MOVES))]
    assert set(top) == set(CLEAR_MOVES)


def test_it_leaves_no_process_behind_and_its_keys_to_their_owner_alone(shown: Shown) -> None:
    until(lambda: not processes_of(shown.home))
    assert stat.S_IMODE((shown.home / "demo-keys.json").stat().st_mode) == 0o600


@pytest.mark.slow
def test_up_on_the_home_of_a_demo_goes_on_with_its_project_and_each_of_its_pages_is_in_order(shown: Shown) -> None:
    up = Up(shown.home)
    said = up.start()
    try:
        key = re.search(r"read key +(\S+)", said)
        assert key is not None and "Project `demo`" in said
        answer = httpx.get(f"{up.url}/v1/topics", params={"field": FIELD}, headers={"X-API-Key": key[1]}, timeout=60)
        assert answer.status_code == 200 and answer.json()["n_messages"] > 0
        told = httpx.get(f"{up.url}/v1/changes", headers={"X-API-Key": key[1]}, timeout=60).json()["data"]
        assert ("topic", "up") in {(each["kind"], each["direction"]) for each in told}
        assert said.index(f"the dashboard answers at {up.url}") < said.index("starting Dagster") < said.index("is up")
        wrong = dict(walk_through(up.url, key[1]))
        assert len(wrong) > 20
        assert {address: problems for address, problems in wrong.items() if problems} == {}
    finally:
        up.end()


def test_a_port_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = demo(tmp_path / "home", TURRET_PORT=port)
    assert done.returncode != 0
    assert f"port {port} cannot be used" in done.stderr and len(done.stderr.strip().splitlines()) == 1
    until(lambda: not processes_of(tmp_path))


def topic_by_event(lake: Lake) -> dict[str, str]:
    steps = store.read(lake, JOURNEY_STEPS, PROJECT).filter(pl.col("field") == FIELD, ~is_move())
    return dict(steps.select("event_id", pl.col("topic_id").fill_null("none")).iter_rows())
