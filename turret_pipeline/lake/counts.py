"""Which of the counts that a build keeps beside the steps of journeys are of the steps as they are.

A build commits one table after the other. Between two commits the steps are of now and the counts of before; after a
build that failed, or was killed, they stay so. The marks tell (`lake.commits`): rows bear the fingerprint of what they
were made from. Who reads counts asks here first, and counts the steps themselves where the counts are of others. So an
answer is of one state of the steps at any moment.

What follows from what is declared by the stages, which readers do not enter; a test keeps both alike.
"""

from __future__ import annotations

from collections.abc import Callable

from turret_pipeline.lake.fingerprint import made_from
from turret_pipeline.lake.tables import JOURNEY_EDGES, JOURNEY_MOVES, JOURNEY_STEPS, TEXT_SENTIMENT, TOPIC_DAYS, Table

TOLD_BY = ("vectors", "anew")
"""Marks of `text_sentiment` that say how the sentiment of texts was told: what it is of a text follows from that."""

MARKED: tuple[Table, ...] = (JOURNEY_STEPS, TEXT_SENTIMENT, TOPIC_DAYS, JOURNEY_MOVES, JOURNEY_EDGES)
"""The tables whose marks tell."""


def counts_of_steps(mark: Callable[[Table, str], int | None]) -> frozenset[str]:
    """Return which of `topic_days` and `journey_edges` are of the steps as they are.

    mark: returns a mark of one of the tables `MARKED` at the version that is read; None: it was never set.
    """

    def is_made_from(table: Table, *found: int | None) -> bool:
        return mark(table, "inputs") == made_from(mark(table, "method") or 1, *found)

    steps, found = mark(JOURNEY_STEPS, "state"), set()
    if is_made_from(TOPIC_DAYS, steps, *(mark(TEXT_SENTIMENT, name) for name in TOLD_BY)):
        found.add(TOPIC_DAYS.name)
    if is_made_from(JOURNEY_MOVES, steps) and is_made_from(JOURNEY_EDGES, mark(JOURNEY_MOVES, "state")):
        found.add(JOURNEY_EDGES.name)
    return frozenset(found)
