"""Funnels: how many sessions go through chosen topics in a chosen order."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from typing_extensions import TypedDict

from turret_api.read.engine.library import Snapshot
from turret_api.read.engine.question import AboutField, Answer, BuiltAt, ModelVersion, Next, documented
from turret_api.read.questions.journeys.bounds import first_of_each, rows_of, session_bounds
from turret_api.read.questions.of_field import JOURNEYS_BUILT, OfField
from turret_api.read.views.journeys import JOURNEY_SOURCES
from turret_api.read.views.steps import field_visits
from turret_api.read.views.topics import labels_of


@documented
class Step(TypedDict):
    """A topic of the funnel, and how many sessions come to it."""

    topic_id: str
    label: str
    sessions: int
    share_of_first: float
    share_of_previous: float
    median_gap_s: float | None


@dataclass(frozen=True)
class Funnel(Answer):
    """How many sessions come to each step of a funnel; `n_sessions` counts all sessions."""

    data: list[Step] = dataclasses.field(default_factory=list)
    n_sessions: int = 0
    next: Next = None
    built_at: BuiltAt = None
    model_version: ModelVersion = None
    field: AboutField = None


@dataclass(frozen=True)
class FunnelOfTopics(OfField):
    """How many sessions visit the topics `steps` in this order, whether or not there are other visits between them?

    Each step is reached at the first visit to it after the one that reached the step before. With `within_s` a step
    counts only if it starts at most so many seconds after the visit to the first step did; any visit to the first step
    may be the one that counts. Without it, a later visit to the first step never reaches more than the earliest.
    """

    level: int = 0
    steps: tuple[str, ...] = ()
    within_s: float | None = None

    tables = JOURNEY_SOURCES
    built = JOURNEYS_BUILT
    answers = Funnel
    row = Step

    def of_field(self, snapshot: Snapshot, field: str) -> Funnel:
        """Return the funnel; `median_gap_s` runs from step to step, at each session's earliest way."""
        seen = field_visits(snapshot, field, self.filters, self.level)
        labels = labels_of(snapshot, field)
        session, started = seen["session"].to_numpy(), seen["started_at"].to_physical().to_numpy()
        # One entry for each way that is open: the row of the visit where it began, and of the one that it has come to.
        began = rows_of(seen, self.steps[0])
        if self.within_s is None:
            began = began[first_of_each(session[began])]
        last = began
        data: list[Step] = []
        for i, topic in enumerate(self.steps):
            gap: float | None = None
            if i:
                here = rows_of(seen, topic)
                place = np.searchsorted(here, last, side="right")
                open_ = place < here.size
                began, last, onward = began[open_], last[open_], here[place[open_]]
                reached = session[onward] == session[last]
                if self.within_s is not None:
                    reached &= started[onward] - started[began] <= self.within_s * 1e6
                began, last, onward = began[reached], last[reached], onward[reached]
                earliest = first_of_each(session[onward])
                if onward.size:
                    gap = float(np.median(started[onward[earliest]] - started[last[earliest]])) / 1e6
                last = onward
            n = int(first_of_each(session[last]).sum())
            of_first, before = (data[0]["sessions"], data[-1]["sessions"]) if data else (n, n)
            data.append(
                {
                    "topic_id": topic,
                    "label": labels.get(topic, topic),
                    "sessions": n,
                    "share_of_first": n / of_first if of_first else 0.0,
                    "share_of_previous": n / before if before else 0.0,
                    "median_gap_s": gap,
                }
            )
        return Funnel(data, session_bounds(seen["session"])[0].size)
