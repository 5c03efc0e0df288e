"""Three hosts with one database and one lake, each killed in turn in the midst of a run (`make test-long`)."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command.hosts import Host, end, host_of_the_daemon, runs, start
from tests.command.kills import REACHED_S, order, while_waiting
from tests.processes.conftest import until
from tests.small_lake import DAYS, bring, event, put, tables
from turret_pipeline.lake.paths import Lake
from turret_pipeline.stages.pending import pending_stages

CURRENT_S = 120.0
"""Seconds from the death of a host until everything is current on a busy machine; at most 60 on an idle one."""


def fill(lake: Lake, project: str, day: dt.date) -> None:
    put(lake, day, "a", [event(number, day) for number in range(10)], project=project)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_whichever_of_three_hosts_dies_every_project_is_soon_current_and_each_run_is_made_once(
    tmp_path: Path, make_database: Callable[[], str], keep_model: Callable[[Lake], None]
) -> None:
    url, lake = make_database(), Lake(str(tmp_path / "shared" / "lake"))
    keep_model(lake)
    hosts = [Host(tmp_path, name, "all", url, Path(lake.root)) for name in ("ada", "bob", "eve")]
    seconds: dict[str, float] = {}
    try:
        start(hosts)
        dead: list[Host] = []
        for number in range(3):
            if number == 2:
                start(dead)
            has = host_of_the_daemon(url, hosts)
            assert has not in dead
            project = f"project-{number}"
            order(has.home, "events.after_read", "wait")
            fill(lake, project, DAYS[number])
            with while_waiting(has.home, "events.after_read"):
                has.kill()
            killed_at = time.monotonic()
            dead.append(has)
            until(lambda: not any(pending_stages(lake, None).values()), REACHED_S)
            seconds[has.name] = time.monotonic() - killed_at
            until(lambda project=project: runs(url, {"turret/project": project})[-1][1] == "SUCCESS")
            assert runs(url, {"turret/project": project}) == [
                ("events_of_days", "FAILURE", False),
                ("events_of_days", "SUCCESS", True),
                ("models_of_project", "SUCCESS", False),
            ]
            undisturbed = Lake(str(tmp_path / "undisturbed"))
            fill(undisturbed, project, DAYS[number])
            bring(undisturbed, project)
            left = tables(lake, project)
            assert all(left[name].equals(rows) for name, rows in tables(undisturbed, project).items())
    finally:
        end(hosts)
    print({name: round(each, 1) for name, each in seconds.items()})
    assert set(seconds) == {"ada", "bob", "eve"}
    assert max(seconds.values()) < CURRENT_S
