"""`/v1/erasures`, and `DELETE` of a user, a session or an event: erasures are asked for here, and followed.

They are performed by the pipeline (`orchestration/erasures.py`), which may run on another host: so the answer is 202.
With `dry_run` nothing is asked for: the answer is 200, and says how much would go.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse

from turret_api.accounts import Accounts
from turret_api.auth import Gate, KeyFirst, Principal
from turret_api.erasing.book import Book
from turret_api.erasing.erased import Kind
from turret_api.erasing.estimate import Estimate
from turret_api.erasing.models import ErasureChoice, ErasureRow, ErasureRows, WouldErase, erasure_row
from turret_api.errors import NotFoundError, UnavailableError, invalid
from turret_api.read.http.parameters import Cursor, Limit, only_known_parameters
from turret_api.read.questions.pages import after, offset_of

MOST_CHARACTERS = 200
"""Of an id."""
LEAST_CHARACTERS = 3
"""Of a text, spaces around it not counted: a slip such as "e" would take nearly all that there is. The command, which
says by itself how much goes before it does it, takes shorter ones."""

Suppress = Annotated[bool, Query(description="whether later events of the user are refused")]
KeepTotals = Annotated[bool, Query(description="whether the events go on to count, without texts and ids")]
DryRun = Annotated[bool, Query(description="whether the answer only says how much would go; nothing is changed then")]
COUNTED: dict[int | str, dict[str, Any]] = {
    200: {"model": WouldErase, "description": "With `dry_run`: how much would go. Nothing was changed."}
}


def erasure_router(accounts: Accounts, gate: Gate, estimate: Estimate) -> APIRouter:
    """Return the routes of erasures, for owners. estimate: says how much one would take."""
    known = [Depends(only_known_parameters)]
    router = APIRouter(prefix="/v1", tags=["erasures"], dependencies=known, route_class=KeyFirst)
    owner, book = Depends(gate.admin), Book(accounts)

    def asked(
        principal: Principal,
        kind: Kind,
        value: str,
        named: str,
        dry_run: bool,
        suppress: bool = False,
        keep_totals: bool = False,
    ) -> Any:
        """Ask for an erasure, or say what it would take. named: what the request calls `value`."""
        if not value or (kind != "texts" and len(value) > MOST_CHARACTERS):
            raise invalid(f"An id has 1 to {MOST_CHARACTERS} characters.", field=named)
        if "\0" in value or any("\ud800" <= each <= "\udfff" for each in value):
            raise invalid("An id or a text has no NUL characters and no lone surrogates.", field=named)
        with _reached():
            if dry_run:
                would = estimate.would_erase(principal.project_id, kind, value)
                return JSONResponse(would.model_dump(mode="json"))
            return erasure_row(book.ask(principal.project_id, kind, value, principal.actor, suppress, keep_totals))

    @router.delete("/users/{user_id:id}", status_code=202, response_model=ErasureRow, responses=COUNTED)
    def delete_user(
        user_id: str,
        principal: Principal = owner,
        suppress: Suppress = False,
        keep_totals: KeepTotals = False,
        dry_run: DryRun = False,
    ) -> Any:
        """Erase all that a user sent, and all that came from it."""
        return asked(principal, "user", user_id, "user_id", dry_run, suppress, keep_totals)

    @router.delete("/sessions/{session_id:id}", status_code=202, response_model=ErasureRow, responses=COUNTED)
    def delete_session(
        session_id: str, principal: Principal = owner, keep_totals: KeepTotals = False, dry_run: DryRun = False
    ) -> Any:
        """Erase a session, and all that came from it."""
        return asked(principal, "session", session_id, "session_id", dry_run, keep_totals=keep_totals)

    @router.delete("/events/{event_id:id}", status_code=202, response_model=ErasureRow, responses=COUNTED)
    def delete_event(
        event_id: str, principal: Principal = owner, keep_totals: KeepTotals = False, dry_run: DryRun = False
    ) -> Any:
        """Erase one event, and all that came from it."""
        return asked(principal, "event", event_id, "event_id", dry_run, keep_totals=keep_totals)

    @router.post("/erasures", status_code=202, response_model=ErasureRow, responses=COUNTED)
    def post_erasure(choice: ErasureChoice, principal: Principal = owner) -> Any:
        """Erase what is named, and all that came from it; ids and texts that no path can hold go this way."""
        if choice.suppress and choice.kind != "user":
            raise invalid("Only the events of a user can be refused: leave `suppress` out.", field="suppress")
        if choice.keep_totals and choice.kind == "texts":
            raise invalid(
                "Events that are named by a text cannot count on: leave `keep_totals` out.", field="keep_totals"
            )
        if choice.kind == "texts" and len(choice.value.strip()) < LEAST_CHARACTERS:
            raise invalid(
                f"A text has {LEAST_CHARACTERS} characters or more, for a shorter one is in most events; `turret erase "
                "--matching` takes shorter ones.",
                field="value",
            )
        how = choice.dry_run, choice.suppress, choice.keep_totals
        return asked(principal, choice.kind, choice.value, "value", *how)

    @router.get("/erasures", response_model=ErasureRows)
    def get_erasures(principal: Principal = owner, limit: Limit = 100, cursor: Cursor = None) -> ErasureRows:
        """Erasures, newest first, each with its receipt."""
        offset = offset_of(cursor)
        with _reached():
            found = book.erasures(principal.project_id, limit + 1, offset)
        rows = [erasure_row(each) for each in found[:limit]]
        return ErasureRows(data=rows, next=after(offset + limit) if len(found) > limit else None)

    @router.get("/erasures/{erasure_id}", response_model=ErasureRow)
    def get_erasure(erasure_id: str, principal: Principal = owner) -> ErasureRow:
        """One erasure: how far it is, and its receipt."""
        with _reached():
            found = book.find(principal.project_id, erasure_id) if "\0" not in erasure_id else None
        if found is None:
            raise NotFoundError(f"There is no erasure {erasure_id!r} in this project.")
        return erasure_row(found)

    return router


@contextlib.contextmanager
def _reached() -> Iterator[None]:
    """While the database is away, answer 503."""
    try:
        yield
    except SQLAlchemyError:
        raise UnavailableError("The database of projects and keys cannot be reached; try again.") from None
