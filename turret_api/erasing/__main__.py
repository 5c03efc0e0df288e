"""`python -m turret_api.erasing`: perform all erasures that are not done, those of a project together.

The last line on stdout is a JSON object of what came of it, for the run of Dagster's that called this. What was to be
erased is in none of its words.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace

import orjson

from turret_api.accounts import Accounts
from turret_api.erasing.book import Book
from turret_api.erasing.work import Workplace, perform_waiting
from turret_api.processes.postgres import embedded_server, embedded_url
from turret_api.serve.log import to_stderr
from turret_pipeline.settings import Settings

log = logging.getLogger("turret_api.erasing")


def main() -> None:
    """Perform what waits, once."""
    to_stderr(logging.INFO)
    settings = Settings.from_environment()
    url = str(settings.database_url)
    if embedded_server(settings.home) is not None and embedded_url(settings.home) == url:
        settings = replace(settings, database_url=None)  # it is our own, whose files can be cleaned
    done, failed = 0, list[str]()
    with contextlib.closing(Accounts(url)) as accounts:
        place = Workplace(settings, accounts, url, lambda line: log.info(line))
        for project_id in dict.fromkeys(each.project_id for each in Book(accounts).unfinished()):
            for erasure in perform_waiting(place, project_id):
                if erasure.state == "done":
                    done += 1
                    continue
                log.error("an erasure is not done", extra={"project_id": project_id, "reason": erasure.problem})
                failed.append(f"{erasure.erasure_id}: {erasure.problem}")
    print(orjson.dumps({"done": done, "failed": failed}).decode(), flush=True)


if __name__ == "__main__":
    main()
