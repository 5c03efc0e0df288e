"""A real server over a home that is damaged, one thing after another, while it runs: asked, looked at, mended, asked.

After each mend the home is sound, and every row is what it was.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.command.test_serve import serving
from tests.command.test_up import turret
from tests.damage import data_file, flip, newest_commit
from tests.processes.conftest import processes_of, until
from tests.small_lake import DAYS, PROJECT, copied, event, put, tables
from turret_api.accounts import Accounts, NewProject
from turret_api.processes.postgres import database, embedded_server
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TABLES
from turret_pipeline.settings import Settings

# A build takes a quarter of a minute, and much longer on a busy machine.
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

MENDED = "turret doctor --mend"


@dataclass
class Site:
    """A home, the server that runs over it, and the project in it."""

    home: Path
    address: str
    project: NewProject

    @property
    def lake(self) -> Lake:
        return Lake(str(self.home / "lake"))

    def ask(self, path: str) -> tuple[int, dict[str, Any]]:
        answer = httpx.get(f"{self.address}{path}", headers={"X-API-Key": self.project.read_key}, timeout=60)
        return answer.status_code, answer.json()

    def tracks(self) -> bool:
        sent = {"name": "said", "session_id": "s-1", "user_id": "u-1", "metadata": {"plan": "free"}}
        headers = {"X-API-Key": self.project.write_key}
        return httpx.post(f"{self.address}/track", json=sent, headers=headers, timeout=60).status_code == 200

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"TURRET_HOME": str(self.home)}
        return subprocess.run(turret(*words), env=environment, capture_output=True, text=True, check=False)

    def faults(self) -> list[dict[str, Any]]:
        """What the doctor says, which has to fit its exit status."""
        done = self.run("doctor", "--json")
        found = json.loads(done.stdout)
        assert done.returncode == (0 if found["sound"] else 1), done.stderr
        return found["faults"]  # type: ignore[no-any-return]

    def freshness(self) -> dict[str, Any]:
        time.sleep(2.1)  # what was seen is told again for two seconds
        return self.ask("/v1/freshness")[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, before: dict[str, Path]) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("doctor") / "home"
    home.mkdir()
    copied(before["end"], home / "lake")
    with database(Settings.from_environment({"TURRET_HOME": str(home)})) as url:
        accounts = Accounts(url)
        accounts.migrate()
        project = accounts.create_project(PROJECT)
        assert project.project_id == PROJECT
        accounts.close()
        with serving(home) as address:
            yield Site(home, address, project)
    assert processes_of(home) == []


def a_model(site: Site) -> Path:
    (file,) = (file for file in (site.home / "lake/models").iterdir() if not file.name.startswith("kinds-"))
    content = file.read_bytes()
    file.unlink()  # it is shared with other tests
    file.write_bytes(content)
    return file


def a_part(site: Site) -> Path:
    return sorted((site.home / f"lake/events/project={PROJECT}").glob("date=*/*.parquet"))[0]


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


THINGS: dict[str, tuple[Callable[[Site], Path], Callable[[Path], None], str]] = {
    "topic_days": (lambda site: data_file(site.lake, "topic_days", PROJECT), flip, "/v1/topics"),
    "embedding model": (a_model, flip, "/v1/messages?q=a+refund"),
}
"""What is damaged, one after the other, how, and a route that needs it and nothing that was damaged before."""


def test_what_is_damaged_is_named_everywhere_and_is_whole_after_the_mend(site: Site) -> None:
    rows = tables(site.lake)
    assert site.faults() == []
    assert site.freshness()["damaged"] is False
    cut(a_part(site))
    for thing, (find, damage, path) in THINGS.items():
        damage(find(site))
        status, answer = site.ask(path)
        assert status == 503, (thing, answer)
        assert f"{thing} is damaged: " in answer["error"]
        assert answer["error"].endswith(f"; `{MENDED}` mends it.")
    cut(
        data_file(site.lake, "topics", PROJECT)
    )  # the server has read this and the next; it may answer from what it keeps
    flip(newest_commit(site.lake, "journey_edges"))
    assert site.ask("/v1/events")[0] == 200
    assert site.ask("/v1/fields")[0] == 200
    assert site.tracks()
    assert site.freshness()["damaged"] is True
    for table in ("topics", "journey_edges", "topic_days"):
        assert f"The table {table} is damaged: " in site.run("status").stdout
    assert httpx.get(f"{site.address}/readyz/pipeline", timeout=60).status_code == 503
    found = sorted((fault["what"], fault["table"], fault["command"]) for fault in site.faults() if fault["table"])
    assert found == [("table", name, MENDED) for name in ("journey_edges", "topic_days", "topics")]
    assert sorted(fault["what"] for fault in site.faults() if not fault["table"]) == ["model", "part"]
    mended = site.run("doctor", "--mend")
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert site.faults() == []
    for thing, (_, _, path) in THINGS.items():
        assert site.ask(path)[0] == 200, thing
    assert (site.freshness()["damaged"], site.freshness()["reason"]) == (False, None)
    for name in ("topics", "topic_edits", "topic_assignments", "topic_days", "journey_edges"):
        assert tables(site.lake)[name].equals(rows[name]), name


def test_a_build_that_comes_upon_damage_says_so_and_does_the_rest(site: Site) -> None:
    flip(data_file(site.lake, "journey_steps", PROJECT))
    rows = [event(900 + n, DAYS[2], f"tell me about baking bread please, case {n}") for n in range(4)]
    put(site.lake, DAYS[2], "later", rows)
    done = site.run("build")
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1
    assert "journey_steps: The table journey_steps is damaged: tables/journey_steps/project_id=shop/" in said
    assert store.read(site.lake, TABLES["messages"], PROJECT).filter(event_id="e900").height == 1
    mended = site.run("doctor", "--mend")
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert store.read(site.lake, TABLES["journey_steps"], PROJECT).filter(event_id="e900").height == 1
    assert site.freshness()["damaged"] is False


def test_a_spool_that_is_damaged_is_left_to_the_doctor_while_events_are_taken(site: Site) -> None:
    other = site.home / "spool/7"
    other.mkdir(parents=True)
    (other / "spool.db").write_bytes(b"no spool" * 1000)
    os.utime(other / "spool.db", (1_700_000_000, 1_700_000_000))
    assert "spool 7 is damaged" in str(site.freshness()["reason"])
    assert site.tracks()
    assert [fault["what"] for fault in site.faults()] == ["spool"]
    assert site.run("doctor", "--mend").returncode == 0
    assert site.faults() == []
    assert site.freshness()["damaged"] is False


def test_events_of_known_keys_are_taken_without_the_accounts_also_after_a_restart(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    home = tmp_path_factory.mktemp("accounts") / "home"
    settings = Settings.from_environment({"TURRET_HOME": str(home)})
    with database(settings) as url:
        with contextlib.closing(Accounts(url)) as accounts:
            accounts.migrate()
            project = accounts.create_project("shop")
        killed = subprocess.Popen(
            turret("serve", "--port", "0"),
            env=os.environ | {"TURRET_HOME": str(home), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        with killed:
            assert killed.stdout is not None
            address = killed.stdout.readline().split()[-1]
            assert Site(home, address, project).tracks()
            killed.kill()
    control = home / "postgres/data/global/pg_control"
    flip_first(control)
    with serving(home) as address:
        site = Site(home, address, project)
        assert site.tracks()
        assert httpx.get(f"{address}/readyz", timeout=60).json()["accounts"] == "away"
        (fault,) = site.faults()
        assert (fault["what"], fault["where"]) == ("database", str(control))
        mended = site.run("doctor", "--mend")
        assert mended.returncode == 0, mended.stdout + mended.stderr
        assert site.faults() == []
        until(lambda: httpx.get(f"{address}/readyz", timeout=60).json()["accounts"] == "reached", 60)
        assert site.ask("/v1/usage")[1]["used"] == 2
    assert embedded_server(home) is None


def flip_first(control: Path) -> None:
    with control.open("r+b") as stream:
        stream.seek(40)
        stream.write(b"\xff" * 8)
