"""`/v1/audit`: what was done in a project, and by whom."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from turret_api.accounts import Accounts, audit
from turret_api.auth import Gate, KeyFirst, Principal
from turret_api.errors import invalid
from turret_api.read.http.parameters import Cursor, Limit, only_known_parameters, utc
from turret_api.read.http.reached import reached
from turret_api.read.questions.pages import decode, encode

Since = Annotated[dt.datetime | None, Query(alias="from", description="earliest time (ISO 8601), included")]
Until = Annotated[dt.datetime | None, Query(alias="to", description="latest time, not included")]


class AuditRow(BaseModel):
    """One thing that was done."""

    model_config = ConfigDict(extra="forbid")
    audit_id: int
    at: dt.datetime
    actor: str = Field(description="`key:ID`, `person:EMAIL`, `command:USER` of the server's host, or `nobody`")
    action: audit.Action
    about: dict[str, Any] = Field(description="of what; never a text of an event")


class AuditRows(BaseModel):
    """What was done, latest first."""

    model_config = ConfigDict(extra="forbid")
    data: list[AuditRow]
    next: str | None


def audit_router(accounts: Accounts, gate: Gate) -> APIRouter:
    """Return the route of the audit log, for owners."""
    known = [Depends(only_known_parameters)]
    router = APIRouter(prefix="/v1", tags=["people"], dependencies=known, route_class=KeyFirst)
    owner = Depends(gate.admin)

    @router.get("/audit", response_model=AuditRows)
    def get_audit(
        principal: Principal = owner,
        action: Annotated[audit.Action | None, Query(description="only these")] = None,
        since: Since = None,
        until: Until = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> AuditRows:
        """The project's audit log, latest first: sign-ins, exports, erasures, and changes of keys and settings."""
        before = _before(cursor)
        with reached():
            found = audit.entries(
                accounts,
                principal.project_id,
                before=before,
                most=limit + 1,
                action=action,
                since=utc(since),
                until=utc(until),
            )
        following = encode(f"before:{found[limit - 1].audit_id}".encode()) if len(found) > limit else None
        return AuditRows(data=[_row(each) for each in found[:limit]], next=following)

    return router


def _row(entry: audit.Entry) -> AuditRow:
    return AuditRow.model_validate(
        {name: getattr(entry, name) for name in ("audit_id", "at", "actor", "action", "about")}
    )


def _before(cursor: str | None) -> int | None:
    """Return the id of the entry before which the page begins; raise an `ApiError` for a cursor that is none."""
    if cursor is None:
        return None
    try:
        text = decode(cursor).decode("ascii")
    except ValueError:
        text = ""
    if not re.fullmatch(r"before:\d{1,18}", text, re.ASCII):
        raise invalid("The cursor is not one that this route gave; start again without it.", field="cursor")
    return int(text.removeprefix("before:"))
