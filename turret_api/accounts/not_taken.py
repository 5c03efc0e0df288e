"""What an import, which is no collector and has no copy of the accounts, asks them before and after each part."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from turret_api.accounts.erased_ids import ErasedIds, all_erased, erased_ids
from turret_api.accounts.store import Accounts
from turret_api.accounts.suppression import Ids, Suppressed, suppressed_of


@dataclass(frozen=True)
class Rules:
    """Whose events a project did not take at one moment, and what had been erased by then.

    number: of the look; later ones have larger numbers.
    """

    project_id: str
    number: int = 0
    suppressed: Suppressed | None = None
    erased: ErasedIds | None = None

    def erased_since(self, before: Rules, ids: Ids) -> bool:
        """Tell whether what has these ids was erased between two looks."""
        if self.erased is None:
            return False
        return self.erased.has(self.project_id, 0, ids, self.erased.knew(self.project_id, before.number))


class NotTaken:
    """Whose events a project does not take, as it is now; while Postgres is away, as it was seen last.

    An erasure needs Postgres all the time, so that none begins meanwhile.
    """

    def __init__(self, accounts: Accounts, project_id: str) -> None:
        self._accounts, self._project_id = accounts, project_id
        self._seen = Rules(project_id)
        self._seen = self._look()

    def now(self) -> Rules:
        """Return what holds now."""
        with contextlib.suppress(SQLAlchemyError):
            self._seen = self._look()
        return self._seen

    def _look(self) -> Rules:
        was, number = self._seen, self._seen.number + 1
        # In this order: an erasure notes what is erased before its hold ends.
        suppressed = suppressed_of(self._accounts, self._project_id)
        erased = erased_ids(*all_erased(self._accounts), number, was.erased)
        return Rules(self._project_id, number, suppressed, erased)
