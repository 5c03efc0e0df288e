"""`turret up` as a user runs it: one real system, used, hurt, killed and started again, test after test.

All the while a project is built: its runs wait at a point of their work for each of the kills.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import psycopg2
import pytest

from tests.command.kills import DYING, REACHED_S, kill_database, order, while_waiting
from tests.ports import free_ports
from tests.processes.conftest import processes_of, until
from tests.small_lake import DAYS, bring, event, put, tables
from turret_api.command.status import status
from turret_api.command.system import running
from turret_api.home.dagster_home import dagster_environment
from turret_api.processes.postgres import embedded_url
from turret_pipeline.lake.paths import Lake
from turret_pipeline.settings import Settings
from turret_pipeline.stages.pending import pending_stages

BUILT = "built-meanwhile"
START_S = 300
LEVELS = {"debug", "info", "warning", "error", "critical"}
CUT_OFF_RUN = """
from dagster import DagsterInstance, DagsterRunStatus, job
with DagsterInstance.get() as instance:
    print(instance.create_run_for_job(job(name="cut_off")(lambda: None), status=DagsterRunStatus.STARTED).run_id)
"""


class Up:
    """A `turret up` in a process group of its own, and what is needed to talk to it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port, self.dagster_port = free_ports(2)
        self.environment = {
            **os.environ,
            "TURRET_HOME": str(home),
            "TURRET_PORT": str(self.port),
            "TURRET_DAGSTER_PORT": str(self.dagster_port),
        }
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.output = home.with_suffix(".out")

    def start(self, within_s: float = START_S) -> str:
        """Start it; return what it shows once everything is healthy."""
        with self.output.open("wb") as output:
            process = subprocess.Popen(
                turret("up"), env=self.environment, stdout=output, stderr=output, start_new_session=True
            )
        self.process = process
        until(lambda: "Turret is up" in self.said() or process.poll() is not None, within_s)
        assert process.poll() is None, self.said()
        return self.said()

    def said(self) -> str:
        return self.output.read_text()

    def end(self) -> tuple[int, float]:
        """Send SIGTERM; return the exit status and the seconds it took."""
        assert self.process is not None
        started = time.monotonic()
        self.process.terminate()
        return self.process.wait(60), time.monotonic() - started

    def status(self) -> dict[str, object]:
        done = subprocess.run(turret("status", "--json"), env=self.environment, capture_output=True, check=True)
        found: dict[str, object] = json.loads(done.stdout)
        return found

    def pids(self) -> dict[str, int]:
        """The pids of the components that live, by name."""
        found = (running(Settings.from_environment(self.environment)) or {}).get("pids")
        return found if isinstance(found, dict) else {}

    def is_healthy(self) -> bool:
        """Whether all components answer; asked without the process that `turret status` is."""
        processes = status(Settings.from_environment(self.environment))["processes"]
        return [each["healthy"] for each in processes] == [True] * 4


def turret(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "turret_api", *arguments]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, keep_model: Callable[[Lake], None]) -> Iterator[Up]:
    closed = tmp_path_factory.mktemp("closed")
    closed.chmod(0o700)
    folder = closed / ("a long name " + "x" * 100)
    folder.mkdir()
    up = Up(folder / "home")
    up.environment["PYTHONPATH"] = DYING
    keep_model(Lake(str(up.home / "lake")))
    for number, day in enumerate(DAYS):
        put(Lake(str(up.home / "lake")), day, "a", [event(number * 10 + n, day) for n in range(10)], project=BUILT)
    order(up.home, "events.after_read", "wait")
    up.start()
    yield up
    if up.process is not None and up.process.poll() is None:
        up.end()
    for process in processes_of(up.home):
        process.kill()


def test_the_first_start_shows_what_is_where_and_the_keys_of_a_first_project(up: Up) -> None:
    said = up.said()
    for name, value in (
        ("Dashboard", up.url),
        ("Track events", f"POST {up.url}/track"),
        ("Dagster UI", f"http://127.0.0.1:{up.dagster_port}"),
        ("Logs", str(up.home / "logs")),
    ):
        assert re.search(rf"^  {name} +{re.escape(value)}$", said, re.MULTILINE)
    key = re.search(r"write key +(\S+)", said)
    assert key is not None
    event = {"name": "asked", "metadata": {"prompt": "how do I begin?"}, "session_id": "s"}
    answer = httpx.post(f"{up.url}/track", json=event, headers={"X-API-Key": key[1]}, timeout=30)
    assert answer.json()["success"] is True


def test_everything_is_healthy_and_what_has_no_login_listens_on_this_machine_alone(up: Up) -> None:
    status = up.status()
    assert [each["name"] for each in status["processes"]] == ["api", "code", "dagster-ui", "daemon"]  # type: ignore[attr-defined]
    assert up.is_healthy()
    assert [project["project_id"] for project in status["projects"]] == ["default"]  # type: ignore[index]
    listening = {
        connection.laddr.ip.removeprefix("::ffff:")
        for process in processes_of(up.home)
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_dagsters_pages_are_behind_the_sign_in_of_the_dashboard_too(up: Up) -> None:
    key = re.search(r"admin key +(\S+)", up.said())
    assert key is not None
    own = {"Origin": up.url}
    with httpx.Client(base_url=up.url, timeout=60) as browser:
        assert "Sign in to your project" in browser.get("/dagster/", headers={"Accept": "text/html"}).text
        browser.post("/sign-in", data={"key": key[1]}, headers=own)
        page = browser.get("/dagster/runs", headers={"Accept": "text/html"})
        scripts = re.findall(r'src="(/[^"]+[.]js)"', page.text)
        assert scripts and all(script.startswith("/dagster/_next/") for script in scripts)
        assert browser.get(scripts[0]).status_code == 200
        answer = browser.post("/dagster/graphql", json={"query": "{ version }"}, headers=own)
        assert answer.json()["data"]["version"]
        assert browser.post("/dagster/graphql", json={"query": "{ version }"}).status_code == 403
    # On this host they are where they always were.
    assert 'src="/_next/' in httpx.get(f"http://127.0.0.1:{up.dagster_port}/runs", timeout=60).text


def test_whatever_is_killed_is_started_again(up: Up) -> None:
    with while_waiting(up.home, "events.after_read", then="field_profiles.after_analysis"):
        before = up.pids()
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
    until(lambda: len(now := up.pids()) == 4 and not set(now.values()) & set(before.values()), 90)
    until(up.is_healthy, 90)


@pytest.mark.slow
def test_the_database_comes_back_when_it_and_its_keeper_are_killed(up: Up) -> None:
    with while_waiting(up.home, "field_profiles.after_analysis", then="field_types.after_analysis"):
        kill_database(up)
    until(lambda: httpx.get(f"{up.url}/readyz", timeout=30).status_code == 200 and up.is_healthy(), 90)
    assert up.process is not None and up.process.poll() is None


@pytest.mark.slow
def test_a_second_up_on_the_same_home_is_refused(up: Up) -> None:
    environment = {**up.environment, "TURRET_PORT": str(free_ports(1)[0])}
    done = subprocess.run(turret("up"), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"Error: `turret up` already runs for .*/home \(pid \d+, http://127.*\n", done.stderr)
    assert up.is_healthy()


@pytest.mark.parametrize("variable", ["TURRET_PORT", "TURRET_DAGSTER_PORT"])
def test_a_port_in_use_is_one_clear_line_and_leaves_nothing(up: Up, tmp_path: Path, variable: str) -> None:
    ports = {"TURRET_PORT": free_ports(1)[0], "TURRET_DAGSTER_PORT": free_ports(1)[0]} | {variable: up.port}
    environment = {**up.environment, "TURRET_HOME": str(tmp_path / "other")} | {k: str(v) for k, v in ports.items()}
    done = subprocess.run(turret("up"), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(rf"Error: port {up.port} cannot be used \(.*{variable} to another\n", done.stderr)
    assert processes_of(tmp_path / "other") == []


@pytest.mark.slow
def test_after_a_kill_of_everything_nothing_stays_and_the_next_start_takes_up_what_was_cut_off(up: Up) -> None:
    run_id = make_cut_off_run(up)
    assert up.process is not None
    with while_waiting(up.home, "field_types.after_analysis"):
        elsewhere = make_run_in_a_container_that_is_no_more(up)
        os.killpg(up.process.pid, signal.SIGKILL)
        up.process.wait()
        until(lambda: not processes_of(up.home))
    assert "write key" not in up.start()
    assert run_status(up, run_id) == "FAILURE"
    # Whether that one lives is only known when its deadline has passed; then the slot of its pool is free again, too.
    until(lambda: run_status(up, elsewhere) == "FAILURE", 120)


@pytest.mark.slow
def test_after_all_the_kills_the_tables_are_those_of_an_undisturbed_build(up: Up, tmp_path: Path) -> None:
    lake, undisturbed = Lake(str(up.home / "lake")), Lake(str(tmp_path / "lake"))
    until(lambda: not pending_stages(lake, None, [BUILT])[BUILT], REACHED_S)
    shutil.copytree(up.home / "lake" / "events" / f"project={BUILT}", tmp_path / "lake" / "events" / f"project={BUILT}")
    bring(undisturbed, BUILT)
    left = tables(lake, BUILT)
    assert left["events"].height == 30 and left["field_types"].height == 2
    for name, expected in tables(undisturbed, BUILT).items():
        assert left[name].equals(expected), name


def test_sigterm_ends_everything_in_15_seconds(up: Up) -> None:
    code, seconds = up.end()
    assert (code, processes_of(up.home)) == (0, [])
    assert seconds < 15
    assert up.status()["up"] is False


def test_every_line_of_every_log_is_json_and_says_when_how_bad_and_from_which_process(up: Up) -> None:
    logs = sorted((up.home / "logs").glob("*.log"))
    assert {"up", "api", "code", "dagster-ui", "daemon", "postgres"} <= {log.stem for log in logs}
    runs = set()
    for log in logs:
        for line in log.read_text().splitlines():
            found = json.loads(line)
            assert found["process"] == log.stem and found["message"] and found["level"] in LEVELS, line
            assert dt.datetime.fromisoformat(found["at"]).utcoffset() == dt.timedelta(0), line
            runs |= {found["run"]} if "run" in found else set()
    assert runs, "what is of a run says of which"


def make_run_in_a_container_that_is_no_more(up: Up) -> str:
    """Return the id of a run under way whose lease, of another machine, ends in a while."""
    run_id, url = make_cut_off_run(up), embedded_url(up.home)
    assert url is not None
    with (
        contextlib.closing(psycopg2.connect(url.replace("+psycopg2", ""))) as connection,
        connection,
        connection.cursor() as sql,
    ):
        deadline = "now() + interval '10 s'"
        sql.execute(f"INSERT INTO turret_pipeline.run_leases VALUES (%s, 'gone', 1, 0, {deadline})", (run_id,))
    return run_id


def run_status(up: Up, run_id: str) -> str:
    query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
    address = f"http://127.0.0.1:{up.dagster_port}/graphql"
    answer = httpx.post(address, json={"query": query, "variables": {"id": run_id}}, timeout=60).json()
    return str(answer["data"]["runOrError"]["status"])


def make_cut_off_run(up: Up) -> str:
    url = embedded_url(up.home)
    assert url is not None
    environment = dagster_environment(Settings.from_environment(up.environment), url)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CUT_OFF_RUN], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip().splitlines()[-1]
