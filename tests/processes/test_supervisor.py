"""The supervisor's promises, with small processes in the place of Turret's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from tests.processes.conftest import processes_of, until
from turret_api.processes import guard
from turret_api.processes.supervisor import Component, StartError, Supervisor

SLEEP = "import time; time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEP!r}])"
OWNER = f"""
import pathlib, sys, time
from turret_api.processes.supervisor import Component, Supervisor
home = pathlib.Path(sys.argv[1])
with Supervisor(home, print) as supervisor:
    command = [sys.executable, "-c", {PARENT!r}]
    supervisor.start(Component("parent", command, {{}}, home / "parent.log", lambda: True))
    print("started", flush=True)
    time.sleep(600)
"""


def component(home: Path, script: str, *, is_healthy: bool = True, name: str = "one") -> Component:
    return Component(
        name, [sys.executable, "-c", script], dict(os.environ), home / "logs" / f"{name}.log", lambda: is_healthy
    )


def commands(processes: Sequence[psutil.Process]) -> list[str]:
    return [process.cmdline()[-1] for process in processes]


@pytest.mark.slow
def test_a_process_that_dies_is_started_again(home: Path) -> None:
    said: list[str] = []
    changes: list[dict[str, int]] = []
    with Supervisor(home, said.append, lambda: changes.append(supervisor.pids())) as supervisor:
        supervisor.start(component(home, SLEEP))
        supervisor.wait_until_healthy(["one"], 30)
        supervisor.all_are_healthy()
        first = supervisor.pids()["one"]
        for _ in range(2):
            before = supervisor.pids()["one"]
            os.kill(before, signal.SIGKILL)
            until(lambda before=before: supervisor.pids().get("one", before) != before)  # type: ignore[misc]
        last = supervisor.pids()["one"]
    assert [pids.get("one") for pids in (changes[0], changes[-1])] == [first, last]
    assert said[0].startswith("one ended by signal 9; starting it again in 0.5 s (log: ")
    assert said[2].startswith("one ended by signal 9; starting it again in 1 s"), "the pause doubles"


@pytest.mark.slow
def test_a_process_that_keeps_dying_before_all_was_well_ends_the_start_with_its_last_words(home: Path) -> None:
    with (
        Supervisor(home, lambda line: None) as supervisor,
        pytest.raises(StartError, match=r"one does not start: see .*one\.log\n    no such thing"),
    ):
        supervisor.start(component(home, "raise SystemExit('no such thing')", is_healthy=False))
        supervisor.wait_until_healthy(["one"], 60)


def test_a_process_that_never_answers_is_named(home: Path) -> None:
    with (
        Supervisor(home, lambda line: None) as supervisor,
        pytest.raises(StartError, match="slow did not answer within 0 s"),
    ):
        supervisor.start(component(home, SLEEP, is_healthy=False, name="slow"))
        supervisor.wait_until_healthy(["slow"], 0.3)


@pytest.mark.slow
def test_the_end_reaches_children_of_children_and_those_that_will_not_hear(home: Path) -> None:
    with Supervisor(home, lambda line: None, grace_s=1) as supervisor:
        supervisor.start(component(home, PARENT), component(home, DEAF, name="deaf"))
        until(lambda: SLEEP in commands(processes_of(home)))
        until(lambda: "deaf" in (home / "logs" / "deaf.log").read_text())
    assert processes_of(home) == []


def test_what_a_killed_supervisor_leaves_is_ended_by_its_guard(home: Path) -> None:
    home.mkdir(parents=True)
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(home)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None and owner.stdout.readline() == "started\n"
    until(lambda: SLEEP in commands(processes_of(home)))
    owner.kill()
    owner.communicate()
    until(lambda: not processes_of(home))


def test_what_a_killed_supervisor_and_guard_leave_is_found_by_its_mark_and_no_other_process_is(home: Path) -> None:
    mine = {**os.environ, **guard.mark("a", home)}
    others = {**os.environ, **guard.mark("a", home / "other")}
    with (
        subprocess.Popen([sys.executable, "-c", SLEEP], env=mine) as left_over,
        subprocess.Popen([sys.executable, "-c", SLEEP], env=others) as bystander,
    ):
        assert guard.end(home, token="b") == 0
        assert guard.end(home) == 1
        assert left_over.wait() == -signal.SIGTERM
        assert bystander.poll() is None
        bystander.kill()
