"""`/v1/few`: of how many users a count must be to be shown without texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import SQLAlchemyError

from turret_api.accounts import Accounts, audit, privacy
from turret_api.accounts.few import MOST, USUAL_OF_VIEWERS, Few, few_of
from turret_api.auth import Gate, KeyFirst, Principal
from turret_api.errors import UnavailableError

OfProject = Callable[[str], Few]
"""What says which rule a project has."""


class Rules(Protocol):
    """What knows the rules of projects: `turret_api.accounts.directory.Directory`."""

    def privacy(self, project_id: str, name: str) -> Any:
        """Return the project's privacy rule of this name; None: it has none. Never blocks."""


class FewRow(BaseModel):
    """How many users a count must be of to be shown without texts; 0: any number."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)
    viewers: int = Field(
        default=USUAL_OF_VIEWERS, description="of what viewers are shown; default: 5", ge=0, le=MOST, strict=True
    )
    exports: int = Field(
        default=0,
        description="of exported journeys and of digests that are sent; default: 0",
        ge=0,
        le=MOST,
        strict=True,
    )


def few_in(rules: Rules, project_id: str) -> Few:
    """Return the project's rule."""
    return few_of(rules.privacy(project_id, privacy.FEW))


def no_rules(project_id: str) -> Few:
    """Return what holds where a project chose nothing."""
    return Few()


def few_router(gate: Gate, accounts: Accounts) -> APIRouter:
    """Return the routes of the rule, for clients that `gate` lets in."""
    router = APIRouter(tags=["project"], route_class=KeyFirst)
    viewer, owner = Depends(gate.viewer), Depends(gate.admin)

    @router.get("/few", response_model=FewRow)
    def get_few(principal: Principal = viewer) -> FewRow:
        """How many users a count must be of to be shown without texts: to viewers, and in exports."""
        try:
            found = privacy.rules_of(accounts, principal.project_id).get(privacy.FEW)
        except SQLAlchemyError:
            raise UnavailableError(_AWAY) from None
        return FewRow.model_validate(few_of(found))

    @router.put("/few", response_model=FewRow)
    def put_few(choice: FewRow, principal: Principal = owner) -> FewRow:
        """Choose that; what is left out is what it is by default. It is in force within seconds."""
        rule = Few(choice.viewers, choice.exports)
        try:
            privacy.set_rule(accounts, principal.project_id, privacy.FEW, msgspec.to_builtins(rule))
            about = {"setting": privacy.FEW, **msgspec.to_builtins(rule)}
            audit.record(accounts, principal.project_id, principal.actor, "setting_changed", about)
        except SQLAlchemyError:
            raise UnavailableError(_AWAY) from None
        return choice

    return router


_AWAY = "The database of projects and keys cannot be reached; try again."
