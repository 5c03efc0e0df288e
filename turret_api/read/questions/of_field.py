"""Questions about the messages of one text field."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.queries import Queries
from turret_api.read.engine.question import Question
from turret_api.read.views.filters import NO_FILTERS, Filters
from turret_api.read.views.journeys import JOURNEY_SOURCES
from turret_api.read.views.messages import choose_field
from turret_api.read.views.topics import model_version
from turret_pipeline.lake.tables import JOURNEY_EDGES, JOURNEY_STEPS, TOPIC_ASSIGNMENTS, TOPICS, Table

TOPICS_BUILT = (TOPICS, TOPIC_ASSIGNMENTS, JOURNEY_STEPS)


@dataclass(frozen=True)
class OfField(Question):
    """A question about those messages of `field` (None: the text field with most events) that pass `filters`.

    Without a text field its answer is the empty one.
    """

    field: str | None = None
    filters: Filters = NO_FILTERS

    built: ClassVar[tuple[Table, ...]]
    """Tables whose last build the answer tells as `built_at`."""

    def for_viewer(self, least: int) -> Question:
        """Return the same question about counts of `least` users or more."""
        return dataclasses.replace(self, filters=self.filters.for_viewer(least))

    @abstractmethod
    def of_field(self, snapshot: Snapshot, field: str) -> Any:
        """Return the answer about the text field, which is sure to be one; `built_at` and the like are left open."""

    def queries_of(self, snapshot: Snapshot, field: str) -> Queries:
        """Return the SQL that counts what `of_field` says."""
        return super().queries(snapshot)

    def queries(self, snapshot: Snapshot) -> Queries:
        """Return the SQL of the answer about the field that the answer is about."""
        field = choose_field(snapshot, self.field)
        if field is None:
            return Queries({}, left_out="The project has no text field yet, so there is nothing to count.")
        placed = dataclasses.replace(self, filters=self.filters.placed(snapshot, field))
        return placed.queries_of(snapshot, field)

    def answer(self, snapshot: Snapshot) -> Any:
        """Return the answer, with when and by which model what it shows was built."""
        field = choose_field(snapshot, self.field)
        found = self.answers() if field is None else self.of_field(snapshot, field)
        return dataclasses.replace(found, **stamp(snapshot, field, self.built))


@dataclass(frozen=True)
class OfJourneys(OfField):
    """A question about the journeys of those messages, through topics or (`level` 1) themes."""

    level: int = 0

    tables: ClassVar[tuple[Table, ...]] = JOURNEY_SOURCES
    built = (JOURNEY_STEPS, JOURNEY_EDGES)


def stamp(snapshot: Snapshot, field: str | None, built: tuple[Table, ...]) -> dict[str, Any]:
    """Return `built_at`, `model_version` and `field` of an answer about `field` that shows the tables `built`."""
    version = None if field is None else model_version(snapshot, field)
    return {"built_at": snapshot.built_at(*built), "model_version": version, "field": field}
