"""Questions about something of the whole project, answered page by page."""

from __future__ import annotations

from dataclasses import dataclass

from turret_api.read.engine.question import Question


@dataclass(frozen=True)
class Listed(Question):
    """A question whose answer lists up to `limit` rows, from row `offset` on."""

    limit: int = 1000
    offset: int = 0
