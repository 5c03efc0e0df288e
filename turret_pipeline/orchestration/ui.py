"""`python -m turret_pipeline.orchestration.ui …`: Dagster's web server, with the arguments of `dagster-webserver`.

It asks the code server every few seconds whether it is still the same, where Dagster would every second. To a request
that says so (`X-Forwarded-Prefix`) it shows its pages as ones that are found below that path: so the dashboard passes
them on behind its sign-in, while they are at `/` for who works on this host.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from dagster._grpc import server_watcher
from dagster_webserver.cli import main
from dagster_webserver.webserver import DagsterWebserver
from starlette.requests import Request

from turret_pipeline.orchestration.server_watch import WATCH_S

_PREFIX = re.compile(r"/[a-z]{1,40}")
_shown = DagsterWebserver.index_html_endpoint


def index_html_endpoint(server: Any, request: Request) -> Any:
    """Return the page that all of Dagster's pages begin as, for where the request says that it is shown."""
    prefix = request.headers.get("X-Forwarded-Prefix", "")
    if _PREFIX.fullmatch(prefix):
        server = copy.copy(server)
        server._app_path_prefix = prefix
    return _shown(server, request)


if __name__ == "__main__":
    server_watcher.WATCH_INTERVAL = WATCH_S  # type: ignore[assignment]
    DagsterWebserver.index_html_endpoint = index_html_endpoint  # type: ignore[assignment,method-assign]
    main()  # type: ignore[no-untyped-call]
