"""`python -m turret_pipeline.orchestration.ui …`: Dagster's web server, with the arguments of `dagster-webserver`.

It asks the code server every few seconds whether it is still the same, where Dagster would every second.
"""

from __future__ import annotations

from dagster._grpc import server_watcher
from dagster_webserver.cli import main

from turret_pipeline.orchestration.rest import WATCH_S

if __name__ == "__main__":
    server_watcher.WATCH_INTERVAL = WATCH_S  # type: ignore[assignment]
    main()  # type: ignore[no-untyped-call]
