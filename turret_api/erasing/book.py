"""The book of erasures in Postgres: what was asked for, how far it is, and the receipt.

    waiting ──performed──▶ running ──all is gone──▶ done, with its receipt
                             ├── something failed ──▶ failed, with the reason ──performed again──▶ running
                             └── what was named is not known any more ──▶ failed, and given up

What was named stands there in plain words only until the lake has it (`turret_pipeline.stages.erasure.gathering`);
what stays is a hash, keyed with a secret of the installation.
"""

from __future__ import annotations

import datetime as dt
import secrets
from typing import Any, Literal

import msgspec
from sqlalchemy import Row, func, insert, select, update

from turret_api.accounts.audit import record
from turret_api.accounts.store import Accounts
from turret_api.accounts.suppression import hasher_of
from turret_api.accounts.tables import ERASURES
from turret_api.erasing.erased import Done, Kind

State = Literal["waiting", "running", "done", "failed"]
UNFINISHED: tuple[State, ...] = ("waiting", "running", "failed")
NOT_YET = "it is not done yet"
"""The problem of one that is under way."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. value: what was named; None: the lake has it. suppress: whether the user is not to come back.

    by: who asked, as in the audit log. keep_totals: whether the events go on to count, without texts and ids.
    """

    value: str | None
    by: str
    suppress: bool = False
    keep_totals: bool = False


class Totals(msgspec.Struct, frozen=True):
    """How much a project has in its tables."""

    events: int
    messages: int
    sessions: int
    users: int


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure came to.

    Args:
        by: who asked for it, as in the audit log.
        suppressed: whether later events of the user are refused.
        keeps_totals: whether the events go on to count, without texts and ids.
        n_events: events that were erased.
        done: what was done, place after place.
        before, after: what the project's tables had.
        not_reached: what this installation cannot reach, and what to do there.
        problem: why it failed; None: it did not.
    """

    by: str
    suppressed: bool
    keeps_totals: bool = False
    n_events: int = 0
    done: tuple[Done, ...] = ()
    before: Totals | None = None
    after: Totals | None = None
    not_reached: tuple[str, ...] = ()
    problem: str | None = None


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """One erasure.

    Args:
        erasure_id: its id.
        project_id: whose events it is about.
        kind: `user`, `session`, `event`, `events` (several) or `texts`.
        hash: of what was named, keyed with a secret of the installation.
        state: `waiting`, `running`, `done` or `failed`.
        created_at: when it was asked for.
        finished_at: when it was done.
        receipt: what came of it; None: nothing yet.
        wanted: what was asked for; None: it is done, or given up.
    """

    erasure_id: str
    project_id: str
    kind: Kind
    hash: str
    state: State
    created_at: dt.datetime
    finished_at: dt.datetime | None
    receipt: Receipt | None
    wanted: Wanted | None

    @property
    def is_given_up(self) -> bool:
        """Whether it failed and is not performed again: it has to be asked for anew."""
        return self.state == "failed" and self.wanted is None

    @property
    def problem(self) -> str:
        """Why it is not done, where it is not."""
        return (self.receipt and self.receipt.problem) or NOT_YET


class Book:
    """The erasures of all projects."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def ask(
        self,
        project_id: str,
        kind: Kind,
        value: str,
        by: str,
        suppress: bool = False,
        keep_totals: bool = False,
    ) -> Erasure:
        """Add an erasure that waits, and tell the audit log."""
        hashed = hasher_of(self._accounts).hash(project_id, kind, value)
        erasure_id = f"era_{secrets.token_hex(8)}"
        wanted = Wanted(value=value, by=by, suppress=suppress, keep_totals=keep_totals)
        row = {"erasure_id": erasure_id, "project_id": project_id, "kind": kind, "hash": hashed, "state": "waiting"}
        with self._accounts.engine.begin() as connection:
            connection.execute(insert(ERASURES).values(**row, wanted=_text(wanted)))
        self._record(project_id, by, erasure_id, kind, hashed, "asked for")
        found = self.find(project_id, erasure_id)
        assert found is not None
        return found

    def find(self, project_id: str, erasure_id: str) -> Erasure | None:
        """Return the project's erasure of this id; None: there is none."""
        query = select(ERASURES).where(ERASURES.c.project_id == project_id, ERASURES.c.erasure_id == erasure_id)
        with self._accounts.engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else _of_row(row)

    def erasures(self, project_id: str, limit: int, offset: int = 0) -> list[Erasure]:
        """Return the project's erasures, newest first."""
        order = ERASURES.c.created_at.desc(), ERASURES.c.erasure_id
        query = select(ERASURES).where(ERASURES.c.project_id == project_id).order_by(*order)
        with self._accounts.engine.connect() as connection:
            return [_of_row(row) for row in connection.execute(query.limit(limit).offset(offset))]

    def unfinished(self, project_id: str | None = None) -> list[Erasure]:
        """Return the erasures (of the project, default: of all) that are to be performed, oldest first."""
        left = ERASURES.c.state.in_(UNFINISHED), ERASURES.c.wanted.is_not(None)
        query = select(ERASURES).where(*left).order_by(ERASURES.c.created_at)
        if project_id is not None:
            query = query.where(ERASURES.c.project_id == project_id)
        with self._accounts.engine.connect() as connection:
            return [_of_row(row) for row in connection.execute(query)]

    def begin(self, erasure: Erasure) -> None:
        """After this call the erasure is running."""
        self._change(erasure, state="running")

    def keep_hash_only(self, erasure: Erasure) -> None:
        """After this call what was named stands in Postgres as a hash only."""
        if erasure.wanted is not None:
            wanted = msgspec.structs.replace(erasure.wanted, value=None)
            self._change(erasure, wanted=_text(wanted))

    def note(self, erasure: Erasure, receipt: Receipt) -> None:
        """After this call the receipt is kept, though the erasure is not done yet."""
        self._change(erasure, receipt=_text(receipt))

    def fail(self, erasure: Erasure, receipt: Receipt) -> None:
        """After this call the erasure has failed, for now."""
        self._change(erasure, state="failed", receipt=_text(receipt))

    def give_up(self, erasure: Erasure, receipt: Receipt) -> None:
        """After this call the erasure has failed, and is not performed again."""
        self._change(erasure, state="failed", wanted=None, receipt=_text(receipt))

    def finish(self, erasure: Erasure) -> Erasure:
        """After this call the erasure is done, with the receipt that was noted; return it as it is now."""
        self._change(erasure, state="done", wanted=None, finished_at=func.now())
        by = erasure.wanted.by if erasure.wanted is not None else "command:unknown"
        self._record(erasure.project_id, by, erasure.erasure_id, erasure.kind, erasure.hash, "done")
        found = self.find(erasure.project_id, erasure.erasure_id)
        assert found is not None
        return found

    def _change(self, erasure: Erasure, **values: Any) -> None:
        change = update(ERASURES).where(ERASURES.c.erasure_id == erasure.erasure_id).values(**values)
        with self._accounts.engine.begin() as connection:
            connection.execute(change)

    def _record(self, project_id: str, by: str, erasure_id: str, kind: str, hashed: str, state: str) -> None:
        about = {"erasure_id": erasure_id, "kind": kind, "hash": hashed, "state": state}
        record(self._accounts, project_id, by, "erasure", about)


def _text(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()


def _of_row(row: Row[Any]) -> Erasure:
    return Erasure(
        erasure_id=row.erasure_id,
        project_id=row.project_id,
        kind=row.kind,
        hash=row.hash,
        state=row.state,
        created_at=row.created_at,
        finished_at=row.finished_at,
        receipt=None if row.receipt is None else msgspec.json.decode(row.receipt, type=Receipt),
        wanted=None if row.wanted is None else msgspec.json.decode(row.wanted, type=Wanted),
    )
