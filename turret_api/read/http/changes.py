"""`PATCH /v1/fields/…`, `POST /v1/topics/edits` and definitions of topics: what an editor may change."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt
from starlette.responses import Response

from turret_api.auth import Gate, KeyFirst, Principal
from turret_api.errors import invalid
from turret_api.read import changes
from turret_api.read.engine.engine import Engine
from turret_api.read.http.replies import Replies
from turret_api.read.questions.fields import FieldRow
from turret_api.read.questions.topics.edits import Action, DefinedTopic, Edit
from turret_api.read.questions.topics.trial import Trial, TrialOfDefinition
from turret_api.read.views.topics import HIDE, PIN
from turret_pipeline.semantics.definitions import LEAST_EXAMPLES, MOST_COUNTER_EXAMPLES, MOST_EXAMPLES
from turret_pipeline.semantics.outcomes import Better
from turret_pipeline.semantics.values import canonical


class OutcomeChoice(BaseModel):
    """How a field tells how well a session went."""

    model_config = ConfigDict(extra="forbid")
    better: Better | None = Field(default=None, description="of a number, or an enum of numbers: which is better")
    good: list[Annotated[str, Field(max_length=1000)] | StrictBool | StrictInt | StrictFloat] | None = Field(
        default=None,
        description="of an enum: its good values, all others are bad; of one of `true` and `false` the default is true",
        max_length=1000,
    )

    @property
    def mark(self) -> changes.OutcomeMark:
        """What it says, values in their one spelling."""
        if self.good is None:
            return changes.OutcomeMark(self.better)
        return changes.OutcomeMark(self.better, tuple(dict.fromkeys(str(canonical(each)) for each in self.good)))


class FieldChoice(BaseModel):
    """What a field is to be from now on; what is left out stays as it is, but something is to be said."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["text", "enum", "number"] | None = Field(
        default=None, description="the type from now on; null takes the override back"
    )
    outcome: OutcomeChoice | None = Field(
        default=None, description="mark it as an outcome of sessions; null takes that back"
    )


class EditChoice(BaseModel):
    """What is to become of a topic."""

    model_config = ConfigDict(extra="forbid")
    topic_id: str = Field(min_length=1, max_length=100)
    action: Action
    value: Annotated[str, Field(min_length=1, max_length=200)] | Literal[True] | None = Field(
        description="the new label; the topic to merge into; `true` to hide or pin; null takes it back",
    )
    field: str | None = Field(default=None, description="the text field; needed only if two have a topic of this id")


Text = Annotated[str, Field(min_length=1, max_length=100_000)]
TextField = Annotated[
    str | None, Field(default=None, description="the text field; default: the one with most events", max_length=200)
]
Others = Annotated[
    list[Text],
    Field(
        default_factory=list,
        description="texts that do not belong to it though they may look so",
        max_length=MOST_COUNTER_EXAMPLES,
    ),
]


class TrialChoice(BaseModel):
    """What a topic may be defined by."""

    model_config = ConfigDict(extra="forbid")
    field: TextField
    examples: list[Text] = Field(
        default_factory=list,
        description="texts that belong to it; 3 or more without `search`",
        max_length=MOST_EXAMPLES,
    )
    counter_examples: Others
    search: str | None = Field(
        default=None, description="a phrase: the 5 texts nearest to it are examples too", min_length=1, max_length=1000
    )
    topic_id: str | None = Field(default=None, description="the defined topic that would be changed", max_length=100)


class DefinitionChange(BaseModel):
    """What a topic is defined by from now on."""

    model_config = ConfigDict(extra="forbid")
    label: str = Field(min_length=1, max_length=200)
    examples: list[Text] = Field(
        description="texts that belong to it", min_length=LEAST_EXAMPLES, max_length=MOST_EXAMPLES
    )
    counter_examples: Others


class DefinitionChoice(DefinitionChange):
    """A topic that is defined by examples."""

    field: TextField


def change_router(engine: Engine, gate: Gate) -> APIRouter:
    """Return the routes that change what `engine` answers from, for clients that `gate` lets change it."""
    router, editor = APIRouter(route_class=KeyFirst), Depends(gate.editor)
    library, replies = engine.library, Replies(engine)

    @router.patch("/fields", response_model=FieldRow)
    @router.patch("/fields/{field:id}", response_model=FieldRow)
    def patch_field(field: str, choice: FieldChoice, principal: Principal = editor) -> FieldRow:
        """Choose a field's type (from the next build on), mark it as an outcome (at once), or take that back (null)."""
        given = choice.model_fields_set
        if not given:
            raise invalid("Send `type`, `outcome` or both; null takes back what was chosen.", field="type")
        return changes.change_field(
            library,
            principal.project_id,
            field,
            choice.type if "type" in given else changes.KEEP,
            changes.KEEP if "outcome" not in given else None if choice.outcome is None else choice.outcome.mark,
        )

    @router.post("/topics/edits", response_model=Edit)
    def post_edit(choice: EditChoice, principal: Principal = editor) -> Edit:
        """Rename, merge, hide or pin a topic, or (null) take that back; in force at once and through every refit."""
        if choice.value is True and choice.action not in (HIDE, PIN):
            raise invalid("value is true only to hide or pin a topic.", field="value")
        value = "true" if choice.value is True else choice.value
        return changes.edit_topic(library, principal.project_id, choice.topic_id, choice.action, value, choice.field)

    @router.post("/topics/try", response_model=Trial)
    def try_topic(request: Request, choice: TrialChoice, principal: Principal = editor) -> Response:
        """What a topic defined by these texts would take, and how much of that belongs to it; nothing is saved."""
        changes.check_examples(choice.examples, choice.counter_examples)
        tried = TrialOfDefinition(
            choice.field,
            examples=tuple(choice.examples),
            counter_examples=tuple(choice.counter_examples),
            search=choice.search,
            topic_id=choice.topic_id,
        )
        return replies.reply(request, principal, tried, "json", None)

    @router.post("/topics", response_model=DefinedTopic)
    def define_topic(choice: DefinitionChoice, principal: Principal = editor) -> DefinedTopic:
        """Define a topic by examples: from the next build on it takes what belongs to it, before any found topic."""
        return changes.define_topic(
            library, principal.project_id, choice.label, choice.examples, choice.counter_examples, field=choice.field
        )

    @router.put("/topics/{topic_id}", response_model=DefinedTopic)
    def redefine_topic(topic_id: str, choice: DefinitionChange, principal: Principal = editor) -> DefinedTopic:
        """Define a defined topic anew; it keeps its id."""
        return changes.define_topic(
            library,
            principal.project_id,
            choice.label,
            choice.examples,
            choice.counter_examples,
            topic_id=topic_id,
        )

    @router.delete("/topics/{topic_id}", response_model=Edit)
    def delete_topic(topic_id: str, principal: Principal = editor) -> Edit:
        """Take a definition back: with the next build its texts have the found topics again that they had."""
        return changes.remove_definition(library, principal.project_id, topic_id)

    return router
