"""`python -m turret_api.alerts [PROJECT…]`: look at the projects' rules, then send all that is due.

The last line on stdout is a JSON object of what came of it, for the run of Dagster's that called this.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import sys

import orjson

from turret_api.accounts import Accounts
from turret_api.alerts.run import run
from turret_api.serve.log import to_stderr
from turret_pipeline.settings import Settings


def main(project_ids: list[str]) -> None:
    """Look and send, once."""
    to_stderr(logging.INFO)
    settings = Settings.from_environment()
    with contextlib.closing(Accounts(str(settings.database_url))) as accounts:
        found = run(settings, accounts, project_ids, lambda: dt.datetime.now(dt.UTC))
    print(orjson.dumps(found).decode(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
