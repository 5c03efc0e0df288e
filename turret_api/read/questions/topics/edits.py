"""What people changed about topics: names, merges, what is hidden or pinned, and what they defined."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Literal

from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import Answer, Next, documented, typed_rows
from turret_api.read.questions.pages import Listed
from turret_pipeline.lake.tables import TOPIC_EDITS

Action = Literal["rename", "merge", "hide", "pin", "define"]


@documented
class Edit(TypedDict):
    """One change that a person made to a topic; `value` null takes the one before back."""

    field: str
    topic_id: str
    action: Action
    value: str | None
    decided_at: dt.datetime


@documented
class DefinedTopic(TypedDict):
    """A topic that a person defined."""

    topic_id: str
    field: str
    label: str
    examples: list[str]
    counter_examples: list[str]
    decided_at: dt.datetime


@dataclass(frozen=True)
class Edits(Answer):
    """All changes that people made to topics, newest first."""

    data: list[Edit] = dataclasses.field(default_factory=list)
    next: Next = None


@dataclass(frozen=True)
class AllEdits(Listed):
    """What did people change about topics?"""

    tables = (TOPIC_EDITS,)
    answers = Edits

    def answer(self, snapshot: Snapshot) -> Edits:
        """Return a page of the edits."""
        found = snapshot.scan(TOPIC_EDITS).sort("decided_at", descending=True).collect()
        return Edits(*self.page(typed_rows(found, Edit)))

    def queries(self, snapshot: Snapshot) -> Queries:
        """Return the SQL of the edits."""
        data = f"""
SELECT field, topic_id, action, value, decided_at FROM topic_edits
ORDER BY decided_at DESC LIMIT {self.limit} OFFSET {self.offset}"""
        return Queries({"data": data})
