"""The processes of which a host consists, and how each is seen to serve others; `system` starts and ends them.

api          `turret serve`: collector, read API, dashboard
code         Dagster's code server, shared by the two below and by every run of this host
dagster-ui   Dagster's web server, on 127.0.0.1 only, because it has no login
daemon       Dagster's daemon: sensors, automation, the queue of runs, retries; of several hosts one is elected
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping

from turret_api.command.health import accepts, answers, daemon_works
from turret_api.command.roles import HOST, Role, address
from turret_api.home.dagster_home import WORKSPACE, turret_environment
from turret_api.processes.supervisor import Component, StartError
from turret_pipeline.settings import Settings

_PYTHON = [sys.executable, "-m"]
_FEW_ARENAS = {"MALLOC_ARENA_MAX": "2"}
"""For processes whose many threads do little: glibc would keep memory aside for each. Not for those that compute."""


def api(settings: Settings, url: str, role: Role, host: str) -> Component:
    """Return the API; `url` leads to the database."""
    only = ["--events-only"] if role is Role.COLLECTOR else []
    return Component(
        "api",
        [*_PYTHON, "turret_api", "serve", "--host", host, *only],
        turret_environment(settings, url),
        settings.home / "logs" / "api.log",
        lambda: answers(f"{address(settings.scheme, host, settings.port)}/healthz"),
        settings.port,
    )


def code_server(settings: Settings, environment: Mapping[str, str], port: int) -> Component:
    """Return the code server; `environment` is that of Dagster's processes."""
    command = ["dagster", "api", "grpc", "--host", HOST, "--port", str(port)]
    return Component(
        "code",
        [*_PYTHON, *command, "--module-name", "turret_pipeline.definitions"],
        _named(environment, "code"),
        settings.home / "logs" / "code.log",
        lambda: accepts(port),
        port,
    )


def dagster_ui(settings: Settings, environment: Mapping[str, str]) -> Component:
    """Return Dagster's web server."""
    where = ["--host", HOST, "--port", str(settings.dagster_port), "--workspace", str(WORKSPACE)]
    return Component(
        "dagster-ui",
        [*_PYTHON, "turret_pipeline.orchestration.ui", *where],
        {**_named(environment, "dagster-ui"), **_FEW_ARENAS},
        settings.home / "logs" / "dagster-ui.log",
        lambda: answers(f"http://{HOST}:{settings.dagster_port}/server_info"),
        settings.dagster_port,
    )


def daemon(settings: Settings, url: str, environment: Mapping[str, str]) -> Component:
    """Return Dagster's daemon; it is healthy when it works, here or on the host that was elected."""
    return Component(
        "daemon",
        [*_PYTHON, "turret_pipeline.orchestration.daemon", str(WORKSPACE)],
        {**_named(environment, "daemon"), **_FEW_ARENAS},
        settings.home / "logs" / "daemon.log",
        lambda: daemon_works(url),
    )


def _named(environment: Mapping[str, str], name: str) -> dict[str, str]:
    """Return the environment with the name under which Postgres shows the process's connections, and its children's."""
    return {**environment, "PGAPPNAME": f"turret {name}"}


def code_port(settings: Settings) -> int:
    """Return a free port for the code server: that of last time where possible, as Dagster tells servers by it."""
    file = settings.home / "dagster" / "code_port"
    for port in (int(file.read_text()) if file.exists() else 0, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            file.parent.mkdir(exist_ok=True)
            file.write_text(str(found))
            return found
    raise StartError("there is no free TCP port on 127.0.0.1")
