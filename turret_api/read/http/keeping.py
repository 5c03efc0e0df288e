"""`/v1/keeping`: for how many days what people wrote is kept, which an owner sets."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import SQLAlchemyError

from turret_api.accounts import Accounts
from turret_api.accounts.audit import record
from turret_api.auth import Gate, KeyFirst, Principal
from turret_api.errors import UnavailableError
from turret_api.read import keeping
from turret_api.read.engine.library import Library
from turret_api.read.keeping import Keeping
from turret_pipeline.semantics.retention import MOST_DAYS

MOST_FIELDS = 1000
Days = Annotated[int, Field(ge=1, le=MOST_DAYS, strict=True)]


class KeepingChoice(BaseModel):
    """For how many days, in place of what was chosen before."""

    model_config = ConfigDict(extra="forbid")
    days: Days | None = Field(
        description="days since receipt, after which texts, other metadata and ids are removed; null: all is kept"
    )
    fields: dict[Annotated[str, Field(min_length=1, max_length=200)], Days] = Field(
        default={}, description="days for which the values of single fields are kept", max_length=MOST_FIELDS
    )


def keeping_router(library: Library, gate: Gate, accounts: Accounts) -> APIRouter:
    """Return the routes about how long texts are kept, for clients that `gate` lets in."""
    router, owner = APIRouter(route_class=KeyFirst), Depends(gate.admin)

    @router.get("/keeping", response_model=Keeping)
    def get_keeping(principal: Principal = owner) -> Keeping:
        """For how many days the project keeps what people wrote, and what was removed when."""
        return keeping.keeping_of(library, principal.project_id)

    @router.put("/keeping", response_model=Keeping)
    def put_keeping(choice: KeepingChoice, principal: Principal = owner) -> Keeping:
        """Choose for how many days; what is over by then is removed at the next daily run, and cannot be had back."""
        found = keeping.change_keeping(library, principal, choice.days, choice.fields)
        about = {"setting": "keeping", "days": choice.days, "fields": choice.fields}
        try:
            record(accounts, principal.project_id, principal.actor, "setting_changed", about)
        except SQLAlchemyError:
            words = "The rule is in force, but the audit log cannot be reached; send it again."
            raise UnavailableError(words) from None
        return found

    return router
