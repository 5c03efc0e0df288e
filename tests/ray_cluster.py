"""A Ray cluster of nodes with one core each, all on this machine, as `ray start` makes them; closed to others."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from tests.ports import free_ports
from tests.processes.conftest import until

BIN = Path(sys.executable).parent
START_S = 180.0
"""Seconds in which a node has started on a busy machine; a tenth of that otherwise."""


@dataclass
class RayCluster:
    """Nodes, and what its users need.

    Args:
        folder: of the cluster's own files; a short path, for sockets lie there.
        environment: of its nodes, and of whatever speaks to it.
        cores: which core each node may use, by its number; more nodes than that share them all.
    """

    folder: Path
    environment: dict[str, str]
    cores: tuple[int, ...] = ()
    nodes: list[psutil.Popen] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.environment = {
            **self.environment,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(24),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_agent_register_timeout_ms": "180000",
            # Workers have a niceness of 15 by default: beside other work of the machine they hardly get on.
            "RAY_worker_niceness": "0",
            # A node that is gone is given up after three seconds, not fifteen.
            "RAY_health_check_period_ms": "1000",
            "RAY_health_check_failure_threshold": "3",
        }
        self._gcs_port, self._dashboard_port, self._client_port = free_ports(3)
        end = [sys.executable, str(Path(__file__).with_name("ray_end.py"))]
        self._ender = subprocess.Popen(end, stdin=subprocess.PIPE, start_new_session=True, text=True)
        assert self._ender.stdin is not None
        self._end = self._ender.stdin

    @property
    def job_server(self) -> str:
        """Where jobs are submitted."""
        return f"http://127.0.0.1:{self._dashboard_port}"

    @property
    def driver_environment(self) -> dict[str, str]:
        """The environment of a process that is connected to the cluster without being a job of it."""
        return {**self.environment, "RAY_ADDRESS": f"127.0.0.1:{self._gcs_port}"}

    @property
    def client_environment(self) -> dict[str, str]:
        """What those who submit jobs need in their environment."""
        return {name: value for name, value in self.environment.items() if name.startswith("RAY_")}

    def start_node(self) -> psutil.Popen:
        """Return the process of a new node, whose descendants are the node's other processes, once it is there."""
        options = [f"--dashboard-agent-listen-port={free_ports(1)[0]}", "--min-worker-port=0", "--max-worker-port=0"]
        if not self.nodes:
            options += [
                "--head",
                f"--port={self._gcs_port}",
                "--dashboard-host=127.0.0.1",
                f"--dashboard-port={self._dashboard_port}",
                f"--ray-client-server-port={self._client_port}",
                f"--temp-dir={self.folder}",
            ]
        else:
            options.append(f"--address=127.0.0.1:{self._gcs_port}")
        before = self.alive() if self.nodes else set()
        core = self.cores[len(self.nodes)] if len(self.nodes) < len(self.cores) else None
        pin = [] if core is None else ["taskset", "--cpu-list", str(core)]
        command = [*pin, "ray", "start", *options, "--num-cpus=1", "--object-store-memory=200000000", "--block"]
        with (self.folder / f"node-{len(self.nodes)}.out").open("wb") as out:
            node = psutil.Popen(
                command, env=self.environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._end.write(f"{node.pid} {node.create_time()!r}\n")
        self._end.flush()
        self.nodes.append(node)
        until(lambda: node.poll() is not None or self.alive() - before, START_S)
        assert node.poll() is None, (self.folder / f"node-{len(self.nodes) - 1}.out").read_text()
        return node

    def alive(self) -> set[str]:
        """Return the ids of the nodes that the cluster has; none while its head does not answer."""
        headers = {"Authorization": f"Bearer {self.environment['RAY_AUTH_TOKEN']}"}
        with contextlib.suppress(httpx.HTTPError, ValueError, KeyError):
            answer = httpx.get(f"{self.job_server}/nodes?view=summary", headers=headers, timeout=10).json()
            nodes = [node["raylet"] for node in answer["data"]["summary"]]
            return {node["nodeId"] for node in nodes if node.get("state") == "ALIVE"}
        return set()

    def is_at_work(self, number: int, task: str) -> bool:
        """Return whether a worker of the node executes a task of this name."""
        for process in self.nodes[number].children(recursive=True):
            with contextlib.suppress(psutil.Error):  # of a process that ends just then
                if process.cmdline()[:1] and process.cmdline()[0].startswith(f"ray::{task}"):
                    return True
        return False

    def kill_node(self, number: int) -> None:
        """Kill all processes of a node at once, as if its machine had lost power."""
        node = self.nodes[number]
        with contextlib.suppress(psutil.NoSuchProcess):  # of a node that is gone
            for process in [*node.children(recursive=True), node]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        node.wait()

    def end(self) -> None:
        """Kill all processes of all nodes, and remove what they wrote."""
        for number in range(len(self.nodes)):
            self.kill_node(number)
        self._end.close()
        self._ender.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def ray_cluster(
    environment: Mapping[str, str] = {}, n_nodes: int = 2, cores: tuple[int, ...] = ()
) -> Iterator[RayCluster]:
    """Yield a cluster; its nodes are gone after the block. environment: what its processes have besides ours."""
    folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
    cluster = RayCluster(folder, {**os.environ, **environment}, cores)
    try:
        for _ in range(n_nodes):
            cluster.start_node()
        yield cluster
    finally:
        cluster.end()
