"""`/v1/erasures`, and `DELETE` of a user, a session or an event: erasures are asked for here, and followed.

They are performed by the pipeline (`orchestration/erasures.py`), which may run on another host: so the answer is 202.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy.exc import SQLAlchemyError

from turret_api.accounts import Accounts
from turret_api.auth import Gate, KeyFirst, Principal
from turret_api.erasing.book import Book
from turret_api.erasing.erased import Kind
from turret_api.erasing.models import ErasureChoice, ErasureRow, ErasureRows, erasure_row
from turret_api.errors import NotFoundError, UnavailableError, invalid
from turret_api.read.http.parameters import Cursor, Limit, only_known_parameters
from turret_api.read.questions.pages import after, offset_of

MOST_CHARACTERS = 200
"""Of an id."""
LEAST_CHARACTERS = 3
"""Of a text, spaces around it not counted: a slip such as "e" would take nearly all that there is. The command, which
can tell beforehand how much goes, takes shorter ones."""

Suppress = Annotated[bool, Query(description="whether later events of the user are refused")]
KeepTotals = Annotated[bool, Query(description="whether the events go on to count, without texts and ids")]


def erasure_router(accounts: Accounts, gate: Gate) -> APIRouter:
    """Return the routes of erasures, for owners."""
    known = [Depends(only_known_parameters)]
    router = APIRouter(prefix="/v1", tags=["erasures"], dependencies=known, route_class=KeyFirst)
    owner, book = Depends(gate.admin), Book(accounts)

    @router.delete("/users/{user_id:id}", status_code=202, response_model=ErasureRow)
    def delete_user(
        user_id: str, principal: Principal = owner, suppress: Suppress = False, keep_totals: KeepTotals = False
    ) -> ErasureRow:
        """Erase all that a user sent, and all that came from it."""
        return _asked(book, principal, "user", user_id, suppress, keep_totals)

    @router.delete("/sessions/{session_id:id}", status_code=202, response_model=ErasureRow)
    def delete_session(session_id: str, principal: Principal = owner, keep_totals: KeepTotals = False) -> ErasureRow:
        """Erase a session, and all that came from it."""
        return _asked(book, principal, "session", session_id, keep_totals=keep_totals)

    @router.delete("/events/{event_id:id}", status_code=202, response_model=ErasureRow)
    def delete_event(event_id: str, principal: Principal = owner, keep_totals: KeepTotals = False) -> ErasureRow:
        """Erase one event, and all that came from it."""
        return _asked(book, principal, "event", event_id, keep_totals=keep_totals)

    @router.post("/erasures", status_code=202, response_model=ErasureRow)
    def post_erasure(choice: ErasureChoice, principal: Principal = owner) -> ErasureRow:
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
                "--matching` says first how many would go.",
                field="value",
            )
        return _asked(book, principal, choice.kind, choice.value, choice.suppress, choice.keep_totals)

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


def _asked(
    book: Book, principal: Principal, kind: Kind, value: str, suppress: bool = False, keep_totals: bool = False
) -> ErasureRow:
    if not value or (kind != "texts" and len(value) > MOST_CHARACTERS):
        raise invalid(f"An id has 1 to {MOST_CHARACTERS} characters.", field="value")
    if "\0" in value or any("\ud800" <= each <= "\udfff" for each in value):
        raise invalid("An id or a text has no NUL characters and no lone surrogates.", field="value")
    with _reached():
        return erasure_row(book.ask(principal.project_id, kind, value, principal.actor, suppress, keep_totals))


@contextlib.contextmanager
def _reached() -> Iterator[None]:
    """While the database is away, answer 503."""
    try:
        yield
    except SQLAlchemyError:
        raise UnavailableError("The database of projects and keys cannot be reached; try again.") from None
