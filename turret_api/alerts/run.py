"""One run: the rules of some projects are looked at, then all that is due is sent."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from typing import Any

from turret_api.accounts import Accounts
from turret_api.alerts.book import AlertBook
from turret_api.alerts.delivery import Delivering
from turret_api.alerts.look import Looking
from turret_api.alerts.outbox import Outbox
from turret_api.alerts.store import AlertStore
from turret_api.freshness import Freshness
from turret_api.read.engine.engine import Engine
from turret_pipeline.settings import Settings

log = logging.getLogger(__name__)


def run(
    settings: Settings, accounts: Accounts, project_ids: Sequence[str], clock: Callable[[], dt.datetime]
) -> dict[str, Any]:
    """Look at the rules of these projects, send what is due, and return what came of it.

    What fails in one project is logged, and holds up no other.
    """
    engine = Engine(settings.open_lake())
    freshness = Freshness(engine.library.lake, settings.home / "spool", settings.late_s, engine.library.files_of)
    store, book, outbox = AlertStore(accounts), AlertBook(accounts), Outbox(accounts)
    looking = Looking(store, book, engine, freshness)
    new: dict[str, list[str]] = {}
    problems: dict[str, list[str]] = {}
    for project_id in project_ids:
        try:
            looked = looking.look(project_id, clock())
        except Exception as error:
            log.exception("a project's rules could not be looked at", extra={"project_id": project_id})
            problems[project_id] = [str(error)[:300] or type(error).__name__]
            book.looked(project_id, clock())
            continue
        if looked.new:
            new[project_id] = looked.new
        if looked.problems:
            problems[project_id] = looked.problems
    sent = Delivering(settings, accounts, engine).deliver(clock)
    book.forget_old(clock())
    outbox.forget_old(clock())
    counts = outbox.counts()
    return {
        "projects": len(project_ids),
        "new": new,
        "problems": problems,
        **sent,
        "waiting": counts["waiting"],
        "dead_in_all": counts["dead"],
    }
