"""`PATCH /v1/fields/…` and `POST /v1/topics/edits`: what an admin key may change."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from turret_api.auth import Gate, KeyFirst, Principal
from turret_api.read import changes
from turret_api.read.engine.library import Library
from turret_api.read.questions.fields import FieldRow
from turret_api.read.questions.topics.edits import Action, Edit


class TypeChoice(BaseModel):
    """The type that a field is to have."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["text", "enum", "number"] | None = Field(
        description="the type from now on; null takes the override back"
    )


class EditChoice(BaseModel):
    """What is to become of a topic."""

    model_config = ConfigDict(extra="forbid")
    topic_id: str = Field(min_length=1, max_length=100)
    action: Action
    value: str | None = Field(
        description="the new label; the topic to merge into; `true` to hide or pin; null takes it back",
        min_length=1,
        max_length=200,
    )
    field: str | None = Field(default=None, description="the text field; needed only if two have a topic of this id")


def change_router(library: Library, gate: Gate) -> APIRouter:
    """Return the routes that change what `library` answers from, for clients that `gate` lets change it."""
    router, admin = APIRouter(route_class=KeyFirst), Depends(gate.admin)

    @router.patch("/fields", response_model=FieldRow)
    @router.patch("/fields/{field:id}", response_model=FieldRow)
    def patch_field(field: str, choice: TypeChoice, principal: Principal = admin) -> FieldRow:
        """Choose a field's type, or (null) leave it to detection; what depends on it follows with the next build."""
        return changes.override_type(library, principal.project_id, field, choice.type)

    @router.post("/topics/edits", response_model=Edit)
    def post_edit(choice: EditChoice, principal: Principal = admin) -> Edit:
        """Rename, merge, hide or pin a topic, or (null) take that back; in force at once and through every refit."""
        project_id = principal.project_id
        return changes.edit_topic(library, project_id, choice.topic_id, choice.action, choice.value, choice.field)

    return router
