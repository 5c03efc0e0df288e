"""How sessions went and how they sound: what changed of the outcomes that people marked, and of the mood of topics."""

from __future__ import annotations

import polars as pl

from turret_api.read.questions.changes.scene import CANDIDATES, Scene, candidates, shares
from turret_api.read.sql.changes import ToldOutcome
from turret_api.read.views.outcomes import marked_outcomes, session_outcomes, told_outcomes
from turret_api.read.views.steps import field_steps

MOST_OUTCOMES = 4
"""Marked fields that are looked at, in order of their names."""


def outcomes(scene: Scene) -> pl.DataFrame:
    """Return of each marked field the share of the sessions that have it which went well (see `_went`)."""
    frames = [
        shares(went.join(scene.sessions.select("session", "is_now"), on="session"), ["outcome", "value"])
        for went in _went(scene)
    ]
    return candidates("outcome", pl.concat(frames)) if frames else CANDIDATES.to_frame()


def outcomes_of_topics(scene: Scene) -> pl.DataFrame:
    """Return the same share of the sessions that came to a topic no later than their outcome."""
    seen = scene.topics["topic_id"].unique().implode()
    frames = []
    for went in _went(scene):
        steps = scene.steps.select("session", "topic_id", "timestamp", "is_now").join(went, on="session")
        before = steps.filter(pl.col("timestamp") <= pl.col("at"))
        pairs = before.unique(["session", "topic_id"], maintain_order=True).cast({"topic_id": pl.String})
        frames.append(shares(pairs.filter(pl.col("topic_id").is_in(seen)), ["topic_id", "outcome", "value"]))
    return candidates("outcome_of_topic", pl.concat(frames)) if frames else CANDIDATES.to_frame()


def sentiment_of_topics(scene: Scene) -> pl.DataFrame:
    """Return of each topic the share of its sessions in which a message of it sounds negative."""
    steps = field_steps(scene.snapshot, scene.field, scene.filters, scene.level, sounds=True)
    mine = steps.join(scene.sessions.select("session"), on="session", how="semi")
    in_sessions = mine.group_by("session", "topic_id").agg(has=(pl.col("sounds") < 0).any())
    in_sessions = in_sessions.cast({"topic_id": pl.String})
    return candidates(
        "sentiment_of_topic", shares(in_sessions.join(scene.topics, on=["session", "topic_id"]), ["topic_id"])
    )


def _went(scene: Scene) -> list[pl.DataFrame]:
    """Return for each marked field `session`, `at`, `outcome` (the field), `value` and `has` of the scene's sessions.

    has: of an enum whether the session's value is good. Of a number whether it is above the median of both windows,
    which `value` says: the test of medians of Mood (1950).
    """
    found = []
    for went, told in _told(scene):
        of = {"outcome": pl.lit(told.outcome.field), "value": pl.lit(told.said), "has": pl.col("value") > told.above}
        found.append(went.select("session", "at", **of))
    return found


def outcomes_told(scene: Scene) -> list[ToldOutcome]:
    """Return the marked fields that are looked at, with what counts of each."""
    return [told for _, told in _told(scene)]


def _told(scene: Scene) -> list[tuple[pl.DataFrame, ToldOutcome]]:
    """Return for each marked field how the scene's sessions went, and what of that counts."""
    can_be_told = [field for field, told in told_outcomes(scene.snapshot).items() if told["problem"] is None]
    marked = marked_outcomes(scene.snapshot)
    found = []
    for field in can_be_told[:MOST_OUTCOMES]:
        went = session_outcomes(scene.snapshot, scene.field, marked[field])
        went = went.join(scene.sessions.select("session"), on="session", how="semi")
        middle = went["value"].median() if marked[field].is_number else None
        told = ToldOutcome(marked[field], "good", 0.5)
        if isinstance(middle, float):
            told = ToldOutcome(marked[field], f"above {middle:g}", middle)
        found.append((went, told))
    return found
