"""What the routes of erasures take and answer, as the OpenAPI document has it."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from turret_api.erasing.book import Erasure


class Model(BaseModel):
    """An answer, or what is asked for; it has no further keys."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


class ErasureChoice(Model):
    """What is to be erased."""

    kind: Literal["user", "session", "event", "texts"] = Field(
        description="what `value` names; `texts`: all events that have it in a text, in any case of letters"
    )
    value: Annotated[str, Field(min_length=1, max_length=10_000, description="an id, or a piece of text")]
    suppress: bool = Field(default=False, description="whether later events of the user are refused; for a user only")
    keep_totals: bool = Field(
        default=False, description="whether the events go on to count, without texts and ids; not for `texts`"
    )
    dry_run: bool = Field(
        default=False, description="whether the answer only says how much would go; nothing is changed then"
    )


class WouldErase(Model):
    """How much an erasure would take, counted in the tables. Nothing was changed."""

    dry_run: Literal[True] = True
    kind: Literal["user", "session", "event", "events", "texts"]
    n_events: int = Field(description="events that would go")
    n_sessions: int = Field(description="sessions that have some of them")
    n_users: int = Field(description="users who have some of them")
    first: dt.datetime | None = Field(description="time of the first of them; null: there is none")
    last: dt.datetime | None = Field(description="time of the last of them; null: there is none")
    built_at: dt.datetime | None = Field(description="when the table of events was last built; null: never")
    waiting_since: dt.datetime | None = Field(
        description="since when events wait that are not in the table yet: what the erasure names of them goes too, "
        "and is not counted; null: none is known to wait"
    )


class DoneRow(Model):
    """What was done in one place."""

    place: str
    what: str
    n: int = Field(description="how many of what `what` counts")


class TotalsRow(Model):
    """How much the project has in its tables."""

    events: int
    messages: int
    sessions: int
    users: int


class ReceiptRow(Model):
    """What an erasure came to."""

    by: str = Field(description="who asked for it, as in the audit log")
    suppressed: bool = Field(description="whether later events of the user are refused")
    keeps_totals: bool = Field(description="whether the events go on to count, without texts and ids")
    n_events: int = Field(description="events that were erased")
    done: list[DoneRow]
    before: TotalsRow | None = Field(description="null: it is not done")
    after: TotalsRow | None = Field(description="null: it is not done")
    not_reached: list[str] = Field(description="what cannot be reached from here, and what to do there")
    problem: str | None = Field(description="why it is not done; null: it is")


class ErasureRow(Model):
    """An erasure. What was named is kept as a hash only."""

    erasure_id: str
    kind: Literal["user", "session", "event", "events", "texts"]
    hash: str = Field(description="of what was named, keyed with a secret of the installation")
    state: Literal["waiting", "running", "done", "failed", "given_up"] = Field(
        description="`failed`: it is tried again; `given_up`: it is not, and has to be asked for again"
    )
    created_at: dt.datetime
    finished_at: dt.datetime | None
    receipt: ReceiptRow | None = Field(description="null: nothing was done yet")


class ErasureRows(Model):
    """Erasures, newest first."""

    data: list[ErasureRow]
    next: str | None = Field(description="cursor of the next page; null: this is the last")


def erasure_row(erasure: Erasure) -> ErasureRow:
    """Return what is told of an erasure."""
    state = "given_up" if erasure.is_given_up else erasure.state
    told = {name: getattr(erasure, name) for name in ErasureRow.model_fields if name != "state"}
    return ErasureRow.model_validate({**told, "state": state})
