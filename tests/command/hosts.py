"""Several hosts on one machine: real `turret up`s with a host name, a home and ports of their own each.

A host's name is that of a UTS namespace (`unshare -u`, which wants root or user namespaces). Where neither is allowed,
`named/sitecustomize.py` gives the host's Python processes their name; everything else is as real.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from pathlib import Path

import psycopg2

from tests.command.kills import DYING
from tests.command.test_up import START_S, Up, turret
from tests.processes.conftest import processes_of, until
from turret_api.command.health import daemon_works
from turret_pipeline.lake.election import elected
from turret_pipeline.lake.session import open_session

NAMED = str(Path(__file__).with_name("named"))


@functools.cache
def namespace() -> tuple[str, ...]:
    """Return the words that give a command a name space for its host's name; none where that is not allowed."""
    for words in (("unshare", "--uts"), ("unshare", "--user", "--map-root-user", "--uts")):
        try:
            done = subprocess.run([*words, "hostname", "tried"], capture_output=True, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return words
    return ()


class Host(Up):
    """A `turret up` on a host called `name`, with a part of the whole."""

    def __init__(self, folder: Path, name: str, role: str, database_url: str, lake: Path) -> None:
        super().__init__(folder / name)
        self.name, self.role = name, role
        paths = [DYING] if namespace() else [NAMED]
        self.environment |= {
            "TURRET_DATABASE_URL": database_url.replace("+psycopg2", ""),
            "TURRET_LAKE": str(lake),
            "PYTHONPATH": os.pathsep.join(paths),
            "HOST_OF_TEST": name,
        }

    def command(self, *arguments: str) -> list[str]:
        """Return the words of a `turret` command on this host."""
        if words := namespace():
            return [*words, "sh", "-c", 'hostname "$0" && exec "$@"', self.name, *turret(*arguments)]
        return turret(*arguments)

    def status(self) -> dict[str, object]:
        done = subprocess.run(self.command("status", "--json"), env=self.environment, capture_output=True, check=True)
        found: dict[str, object] = json.loads(done.stdout)
        return found

    def begin(self, *options: str) -> None:
        """Start it, and go on meanwhile."""
        command = self.command("up", "--role", self.role, *options)
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )

    def wait_until_up(self) -> None:
        """Return once everything of it is healthy."""
        process = self.process
        assert process is not None
        until(lambda: "Turret is up" in self.said() or process.poll() is not None, START_S)
        assert process.poll() is None, self.said()

    def kill(self) -> None:
        """Kill all its processes at once, as a loss of power does; nothing of it has time for a last word."""
        assert self.process is not None
        processes = processes_of(self.home)
        for each in processes:
            each.send_signal(signal.SIGSTOP)
        for each in {*processes, *processes_of(self.home)}:
            each.kill()
        self.process.wait()
        until(lambda: not processes_of(self.home))


def start(hosts: Iterable[Host]) -> None:
    """Return once all the hosts, which are started at the same moment, are up."""
    for host in hosts:
        host.begin()
    for host in hosts:
        host.wait_until_up()


def end(hosts: Collection[Host]) -> None:
    """End what still runs of the hosts."""
    for host in hosts:
        if host.process is not None and host.process.poll() is None:
            host.process.terminate()
    for host in hosts:
        if host.process is not None:
            host.process.wait(60)
        for process in processes_of(host.home):
            process.kill()


def host_of_the_daemon(database_url: str, hosts: Iterable[Host]) -> Host:
    """Return the host that runs the daemon, once there is one."""
    until(lambda: daemon_works(database_url), 90)
    with closing(open_session(database_url, "test")) as session:
        found = elected(session)
    assert found is not None
    return next(host for host in hosts if host.name == found.host)


Run = tuple[str, str, bool]
"""Job, status, and whether it is a retry of another."""


def runs(database_url: str, tag: Mapping[str, str]) -> list[Run]:
    """Return the runs with this tag, oldest first."""
    query = """
        SELECT runs.pipeline_name, runs.status, retry.value IS NOT NULL
        FROM dagster.runs AS runs JOIN dagster.run_tags AS tag ON tag.run_id = runs.run_id
        LEFT JOIN dagster.run_tags AS retry ON retry.run_id = runs.run_id AND retry.key = 'dagster/parent_run_id'
        WHERE tag.key = %s AND tag.value = %s ORDER BY runs.id
    """
    ((key, value),) = tag.items()
    connection = psycopg2.connect(database_url.replace("+psycopg2", ""))
    with closing(connection), connection.cursor() as sql:
        sql.execute(query, (key, value))
        return [(str(job), str(status), bool(retried)) for job, status, retried in sql.fetchall()]
