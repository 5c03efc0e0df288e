"""`turret build` and `turret status`: what they do around the pipeline's own work."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import polars as pl
import psutil
import pytest
from click.testing import CliRunner

from tests.command.kills import DYING, while_waiting
from tests.processes.conftest import processes_of, until
from tests.small_lake import DAYS, event, put
from turret_api.accounts import Accounts
from turret_api.command.main import main
from turret_api.command.status import MOST_LISTED
from turret_api.home.spools import bring_in_spools, spooled
from turret_api.processes.postgres import database
from turret_pipeline.lake import store
from turret_pipeline.lake.parts import PART_SCHEMA, list_parts, read_parts, write_part
from turret_pipeline.lake.tables import EVENTS, FIELD_FAILURES, LEFT_OUT_FIELDS
from turret_pipeline.settings import Settings
from turret_pipeline.stages import STAGES
from turret_pipeline.stages.work import Work

RUN = """
import os, sys
from turret_api.command.build import run
sys.exit(run([sys.executable, "-c", sys.argv[1]], dict(os.environ)))
"""


def turret(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "turret_api", *arguments]
    environment = {**os.environ, "TURRET_HOME": str(home), **environment}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def said(home: Path, *arguments: str, **environment: str) -> str:
    """Return what a `turret` command that starts nothing prints; a process for it would take a second to import."""
    done = CliRunner().invoke(main, arguments, env={"TURRET_HOME": str(home), **environment})
    assert done.exit_code == 0, done.output
    return done.stdout


def track(url: str, key: str, text: str) -> None:
    event = {"name": "asked", "metadata": {"prompt": text}}
    answer = httpx.post(f"{url}/track", json=event, headers={"X-API-Key": key}, timeout=30)
    assert answer.status_code == 200, answer.text


def prompts(settings: Settings) -> set[str]:
    lake = settings.open_lake()
    return {json.loads(text)["prompt"] for text in read_parts(lake, list_parts(lake))["metadata"]}


def test_a_build_begins_with_what_running_and_killed_collectors_have_acknowledged(used_home: Path) -> None:
    environment = {"TURRET_HOME": str(used_home), "TURRET_ROLL_SECONDS": "1"}
    settings = Settings.from_environment(environment)
    with database(settings) as url:
        accounts = Accounts(url)
        accounts.migrate()
        project = accounts.create_project("shop")
        accounts.close()
        command = [sys.executable, "-u", "-m", "turret_api", "serve", "--port", "0"]
        api = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True)
        with api:
            assert api.stdout is not None
            address = api.stdout.readline().split()[-1]
            track(address, project.write_key, "from one that runs")
            bring_in_spools(settings, url)
            assert prompts(settings) == {"from one that runs"}
            track(address, project.write_key, "from one that was killed")
            api.kill()
        bring_in_spools(settings, url)
        assert prompts(settings) == {"from one that runs", "from one that was killed"}
        assert [waiting for waiting, _ in spooled(settings)] == [0]


def test_a_build_with_nothing_to_do_succeeds_and_leaves_nothing_running(used_home: Path) -> None:
    done = turret(used_home, "build")
    assert (done.returncode, done.stderr) == (0, "")
    assert "up to date" in done.stdout
    assert processes_of(used_home) == []


def test_the_builder_gets_the_signals_that_we_get_and_its_exit_status_is_ours() -> None:
    script = "import signal, time; signal.signal(15, lambda *_: exit(7)); print('on', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", RUN, script], stdout=subprocess.PIPE, text=True) as build:
        assert build.stdout is not None and build.stdout.readline() == "on\n"
        build.terminate()
        assert build.wait() == 7


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
def test_a_builder_that_hears_no_signal_is_killed_in_time(number: signal.Signals) -> None:
    script = (
        "import os, signal, time; signal.pthread_sigmask(signal.SIG_BLOCK, {2, 15}); "
        "print(os.getpid(), flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", RUN, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as build:
        assert build.stdout is not None
        builder = psutil.Process(int(build.stdout.readline()))
        started = time.monotonic()
        build.send_signal(number)
        _, words = build.communicate(timeout=60)
        assert (build.returncode, time.monotonic() - started < 15) == (130, True)
    assert words == "build interrupted; what is done is done, the next build goes on from there\n"
    assert not builder.is_running()


@pytest.mark.slow
def test_sigterm_ends_a_build_in_15_seconds_and_the_next_one_goes_on(used_home: Path) -> None:
    said(used_home, "project", "create", "shop")
    said(used_home, "project", "create", "other")
    lake = Settings.from_environment({"TURRET_HOME": str(used_home)}).open_lake()
    for project in ("other", "shop"):
        put(lake, DAYS[0], "a", [event(n, DAYS[0]) for n in range(30)], project=project)
    environment = {**os.environ, "TURRET_HOME": str(used_home), "PYTHONPATH": DYING}
    command = [sys.executable, "-m", "turret_api", "build"]
    build = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    with while_waiting(used_home, "events.after_read"):
        started = time.monotonic()
        build.terminate()
        words, _ = build.communicate(timeout=60)
        seconds = time.monotonic() - started
    assert (build.returncode, seconds < 15) == (130, True), words
    assert "interrupted" in words.splitlines()[-1], "and no other project was begun"
    assert processes_of(used_home) == []
    assert turret(used_home, "build", "--asset", "events").returncode == 0
    assert [len(store.read(lake, EVENTS, project)) for project in ("other", "shop")] == [30, 30]


def test_a_killed_build_leaves_no_builder_that_works_on() -> None:
    script = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", RUN, script], stdout=subprocess.PIPE, text=True) as build:
        assert build.stdout is not None
        builder = psutil.Process(int(build.stdout.readline()))
        build.send_signal(signal.SIGKILL)
    until(lambda: not builder.is_running() or builder.status() == psutil.STATUS_ZOMBIE)


def test_status_of_a_home_that_nothing_runs_in_tells_what_there_is_and_leaves_nothing_running(used_home: Path) -> None:
    said(used_home, "project", "create", "shop", "--plan", "pro")
    found = json.loads(turret(used_home, "status", "--json").stdout)
    assert found["up"] is False and found["processes"] == []
    assert found["database"] == {"kind": "embedded", "runs": False, "pid": None}
    shop = {"project_id": "shop", "name": "shop", "plan": "pro", "limit": 1_000_000, "used": 0}
    nothing = {"events": 0, "topics": 0, "built_at": None, "failed_fields": [], "left_out_fields": 0, "damage": None}
    assert found["projects"] == [shop | nothing]
    assert processes_of(used_home) == []
    assert "`turret up` does not run for it." in said(used_home, "status")


def test_status_says_that_the_folder_of_the_model_is_not_there(
    used_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "MODEL " not in said(used_home, "status")
    monkeypatch.setenv("TURRET_MODEL", "./no/model")
    assert "MODEL      there is no folder './no/model'" in said(used_home, "status")


@pytest.mark.slow
def test_status_of_many_projects_lists_some_and_says_how_many_there_are(used_home: Path) -> None:
    said(used_home, "project", "create", "shop")
    settings = Settings.from_environment({"TURRET_HOME": str(used_home)})
    with database(settings) as url:
        accounts = Accounts(url)
        for n in range(MOST_LISTED + 9):
            accounts.create_project(f"p{n}")
        made = [each.project_id for each in accounts.projects()]
        accounts.close()
    lake = settings.open_lake()
    for position in (-1, -2):  # the last ones, of which one has events and one has what is wrong
        put(lake, DAYS[0], "a", [event(n, DAYS[0]) for n in range(3)], project=made[position])
        STAGES[0].bring(Work(lake, made[position]))
    row = (made[-1], "topics", "prompt", None, "TypeError: no len()", 15, "1")
    store.append(lake, FIELD_FAILURES, pl.DataFrame([row], schema=FIELD_FAILURES.schema, orient="row"))
    lines = said(used_home, "status").splitlines()
    named = [line.split()[0] for line in lines if line.split() and line.split()[0] in made]
    assert named[:2] == [made[-1], made[-2]] and len(named) == MOST_LISTED
    assert lines[-1] == (
        f"  and 10 more: {len(made)} projects with 6 events; something is wrong in 1; `turret status --all` lists them"
    )
    everything = said(used_home, "status", "--all").splitlines()
    assert [line.split()[0] for line in everything if line.split() and line.split()[0] in made] == made


@pytest.mark.slow
def test_status_and_a_build_with_nothing_to_do_name_the_fields_that_failed(used_home: Path) -> None:
    said(used_home, "project", "create", "shop")
    lake = Settings.from_environment({"TURRET_HOME": str(used_home)}).open_lake()
    event = dict.fromkeys(PART_SCHEMA, None) | {"event_id": "e1", "session_id": "s1", "user_id": "u1", "name": "asked"}
    at = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
    event |= {"timestamp": at, "received_at": at, "seq": 0, "metadata": "{}"}
    write_part(lake, "shop", at.date(), "a.parquet", pl.DataFrame([event], schema=PART_SCHEMA))
    for stage in STAGES:
        stage.bring(Work(lake, "shop"))
    row = ("shop", "topics", "prompt", None, "TypeError: no len()", 15, "1")
    store.append(lake, FIELD_FAILURES, pl.DataFrame([row], schema=FIELD_FAILURES.schema, orient="row"))
    left_out = pl.DataFrame([("shop", 5_000, 1_234, "[]")], schema=LEFT_OUT_FIELDS.schema, orient="row")
    store.append(lake, LEFT_OUT_FIELDS, left_out)
    (project,) = json.loads(said(used_home, "status", "--json"))["projects"]
    failed = {"field": "prompt", "table": "topics", "received_date": None, "reason": "TypeError: no len()"}
    assert project["failed_fields"] == [failed]
    assert project["left_out_fields"] == 1_234
    text = said(used_home, "status")
    assert "FAILED: field prompt in topics: TypeError: no len()" in text
    assert "LIMIT: 1,234 metadata fields or more have no type" in text
    done = turret(used_home, "build")
    assert done.returncode == 1
    words = "build failed: shop: the field prompt failed in topics: TypeError: no len()"
    assert done.stdout.splitlines()[-1] == words, done.stdout + done.stderr
