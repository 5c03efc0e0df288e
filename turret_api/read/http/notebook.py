"""`/v1/annotations`, `/v1/topics/…/notes`, `/v1/views`: what an editor may write down and take away."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from turret_api.auth import Gate, KeyFirst, Principal
from turret_api.read import notebook
from turret_api.read.engine.library import Library
from turret_api.read.questions.notebook import Annotation, Kind, SavedView, TopicNote

MOST_OF_A_LINE = 200
MOST_OF_A_NOTE = 2000
MOST_OF_AN_ADDRESS = 4000
"""Characters of an annotation or a view's name, of a note, and of an address."""


class AnnotationChoice(BaseModel):
    """What happened when."""

    model_config = ConfigDict(extra="forbid")
    date: dt.date = Field(description="the day (UTC), or the first of several")
    until: dt.date | None = Field(default=None, description="the last of several days, included")
    kind: Kind | None = Field(default=None, description="release: it begins a version of the app")
    text: str = Field(min_length=1, max_length=MOST_OF_A_LINE)


class NoteChoice(BaseModel):
    """What is to be noted on a topic."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field(min_length=1, max_length=MOST_OF_A_NOTE)
    field: str | None = Field(default=None, description="the text field; needed only if two have a topic of this id")


class ViewChoice(BaseModel):
    """Which page is to be found again, under which name."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=MOST_OF_A_LINE, description="unique in the project")]
    address: str = Field(
        min_length=1,
        max_length=MOST_OF_AN_ADDRESS,
        description="path and query of a page of the dashboard; its `project` is left out",
    )


def notebook_router(library: Library, gate: Gate) -> APIRouter:
    """Return the routes that write down and take away what people say, for clients that `gate` lets do so."""
    router, editor = APIRouter(route_class=KeyFirst), Depends(gate.editor)

    @router.post("/annotations", response_model=Annotation)
    def post_annotation(choice: AnnotationChoice, principal: Principal = editor) -> Annotation:
        """Annotate a day, or several: every chart over days shows it, and Compare may begin at a release."""
        return notebook.annotate(library, principal, choice.date, choice.text, choice.until, choice.kind)

    @router.delete("/annotations/{annotation_id}", response_model=Annotation)
    def delete_annotation(annotation_id: str, principal: Principal = editor) -> Annotation:
        """Take an annotation away."""
        return notebook.remove_annotation(library, principal, annotation_id)

    @router.post("/topics/{topic_id}/notes", response_model=TopicNote)
    def post_note(topic_id: str, choice: NoteChoice, principal: Principal = editor) -> TopicNote:
        """Write a note on a topic; it stays with it through merges and refits."""
        return notebook.write_note(library, principal, topic_id, choice.text, choice.field)

    @router.delete("/topics/{topic_id}/notes/{note_id}", response_model=TopicNote)
    def delete_note(topic_id: str, note_id: str, principal: Principal = editor) -> TopicNote:
        """Take a note away."""
        return notebook.remove_note(library, principal, topic_id, note_id)

    @router.post("/views", response_model=SavedView)
    def post_view(choice: ViewChoice, principal: Principal = editor) -> SavedView:
        """Save a page of the dashboard, as its address says it, under a name."""
        return notebook.save_view(library, principal, choice.name, choice.address)

    @router.put("/views/{view_id}", response_model=SavedView)
    def put_view(view_id: str, choice: ViewChoice, principal: Principal = editor) -> SavedView:
        """Give a saved view another name or address; it keeps its id."""
        return notebook.save_view(library, principal, choice.name, choice.address, view_id)

    @router.delete("/views/{view_id}", response_model=SavedView)
    def delete_view(view_id: str, principal: Principal = editor) -> SavedView:
        """Take a saved view away."""
        return notebook.remove_view(library, principal, view_id)

    return router
