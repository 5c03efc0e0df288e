"""How much an erasure would take, told before it is asked for: counted in the tables, with nothing read but these."""

from __future__ import annotations

import msgspec

from turret_api.accounts import Accounts
from turret_api.erasing.erased import Kind
from turret_api.erasing.masked_ids import stored_as
from turret_api.erasing.models import WouldErase
from turret_api.errors import UnavailableError
from turret_api.freshness import Freshness
from turret_api.masking.rule import RuleError
from turret_api.read.engine.engine import Engine
from turret_api.read.questions.erasure import EventsThatWouldGo
from turret_pipeline.semantics.selection import Selection


class Estimate:
    """Says how much erasures would take.

    Args:
        engine: answers from the tables.
        accounts: know what a project masks.
        freshness: knows what waits to be in the tables.
    """

    def __init__(self, engine: Engine, accounts: Accounts, freshness: Freshness) -> None:
        self._engine = engine
        self._accounts = accounts
        self._freshness = freshness

    def would_erase(self, project_id: str, kind: Kind, value: str) -> WouldErase:
        """Return how much the erasure would take; raise an `ApiError` where that cannot be counted now."""
        try:
            forms = stored_as(self._accounts, project_id, kind, value)
        except RuleError as error:
            message = str(error)
            raise UnavailableError(f"{message[0].upper()}{message[1:]}.") from None
        waits = self._freshness.waits(project_id)
        found = self._engine.ask(project_id, EventsThatWouldGo(Selection(kind, value, forms))).content
        assert found is not None
        counted = msgspec.json.decode(found)
        return WouldErase(kind=kind, waiting_since=waits[0].since_utc if waits else None, **counted)
