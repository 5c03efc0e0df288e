"""A host whose network is gone without a word, as when a cable is pulled: nobody closes its connections.

The host runs in a network namespace that a pair of virtual devices joins to ours, and its end of the pair is set down:
what is sent to it is lost. That wants root. Postgres listens on our end, so it is its own settings that count.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.command.hosts import Host, end, host_of_the_daemon, runs
from tests.command.kills import REACHED_S, order, while_waiting
from tests.ports import free_ports
from tests.processes.conftest import until
from tests.processes.test_own_server import given_away, server
from tests.small_lake import DAYS, bring, event, put, tables
from turret_api.processes.postgres_keeper import binaries, own_command
from turret_pipeline.lake.paths import Lake
from turret_pipeline.stages.pending import pending_stages

CURRENT_S = 180.0
"""Seconds from the loss until everything is current on a busy machine; about 60 on an idle one."""
SPACE = f"turret-{os.getpid()}"
DEVICES = (f"tr{os.getpid() % 10**7}a", f"tr{os.getpid() % 10**7}b")
OURS, THEIRS = "10.213.77.1", "10.213.77.2"


class FarHost(Host):
    """A host in a network of its own."""

    def command(self, *arguments: str) -> list[str]:
        return ["ip", "netns", "exec", SPACE, *super().command(*arguments)]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@pytest.fixture
def network() -> Iterator[Callable[[str], None]]:
    """Join a network to ours; yield what sets its end of the cable `up` or `down`."""
    assert os.geteuid() == 0, "networks are made by root alone"
    ip("netns", "add", SPACE)
    try:
        ip("link", "add", DEVICES[0], "type", "veth", "peer", "name", DEVICES[1], "netns", SPACE)
        ip("address", "add", f"{OURS}/30", "dev", DEVICES[0])
        ip("link", "set", DEVICES[0], "up")
        ip("-n", SPACE, "address", "add", f"{THEIRS}/30", "dev", DEVICES[1])
        for device in ("lo", DEVICES[1]):
            ip("-n", SPACE, "link", "set", device, "up")
        yield lambda state: ip("-n", SPACE, "link", "set", DEVICES[1], state)
    finally:
        ip("netns", "delete", SPACE)


@contextmanager
def postgres(folder: Path, port: int) -> Iterator[None]:
    data, words = given_away(folder / "data"), ["-U", "turret", "--auth=trust", "--no-sync"]
    init = [*own_command(binaries() / "initdb", data), str(binaries() / "initdb"), "-D", str(data), *words]
    subprocess.run(init, check=True, capture_output=True, env={"LC_ALL": "C"})
    with (data / "pg_hba.conf").open("a") as hba:
        hba.write(f"host all all {THEIRS}/32 trust\n")
    options = {"listen_addresses": f"127.0.0.1,{OURS}", "port": port, "unix_socket_directories": "", "fsync": "off"}
    words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    with server(binaries() / "postgres", data, ["-D", str(data), *words], port):
        yield


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_host_whose_network_is_gone_is_replaced_and_does_no_harm_when_it_is_back(
    network: Callable[[str], None], tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    lake, undisturbed = Lake(str(tmp_path / "shared" / "lake")), Lake(str(tmp_path / "undisturbed"))
    for each in (lake, undisturbed):
        put(each, DAYS[0], "a", [event(number, DAYS[0]) for number in range(10)], project="shop")
    bring(undisturbed, "shop")
    url = f"postgresql+psycopg2://turret@127.0.0.1:{port}/postgres"
    far = FarHost(tmp_path, "ada", "pipeline", url.replace("127.0.0.1", OURS), Path(lake.root))
    near = Host(tmp_path, "bob", "pipeline", url, Path(lake.root))
    with postgres(tmp_path, port):
        try:
            order(far.home, "events.after_read", "wait")
            far.begin()
            far.wait_until_up()
            near.begin()
            near.wait_until_up()
            assert "daemon: standing by, ada has it" in near.said()
            with while_waiting(far.home, "events.after_read"):
                assert runs(url, {"turret/project": "shop"}) == [("events_of_days", "STARTED", False)]
                network("down")
                lost_at = time.monotonic()
                until(lambda: not any(pending_stages(lake, None).values()), REACHED_S)
                seconds = time.monotonic() - lost_at
                assert host_of_the_daemon(url, [far, near]) is near
            # The run that was cut off goes on, without the database, and then its host is back.
            network("up")
            log = far.home / "logs" / "daemon.log"
            until(lambda: "another daemon was elected meanwhile" in log.read_text(), REACHED_S)
            until(lambda: "standing by: the daemon runs on bob" in log.read_text(), REACHED_S)
            until(lambda: runs(url, {"turret/project": "shop"})[-1][1] == "SUCCESS")
            assert runs(url, {"turret/project": "shop"}) == [
                ("events_of_days", "FAILURE", False),
                ("events_of_days", "SUCCESS", True),
                ("models_of_project", "SUCCESS", False),
            ]
            left = tables(lake, "shop")
            assert all(left[name].equals(rows) for name, rows in tables(undisturbed, "shop").items())
        finally:
            end([far, near])
    print(f"current after {seconds:.0f} s")
    assert seconds < CURRENT_S
