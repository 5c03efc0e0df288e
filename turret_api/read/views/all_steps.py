"""All steps of a text field's journeys, before any filter: their sessions and users as numbers, and their topics.

A message's user is its own; a session's, and so that of its visits and moves, is the user of its first message. Where
an event came without a `user_id` the server made one, so each such event is by a user of its own.
"""

from __future__ import annotations

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.views.topics import edits_of, labels_of, themes_of
from turret_api.read.views.values import compact, compact_together, read_steps
from turret_pipeline.lake.tables import JOURNEY_STEPS
from turret_pipeline.semantics.visits import UNASSIGNED, is_move, node


def sessions_of(snapshot: Snapshot, field: str) -> pl.DataFrame:
    """Return `session_id` and `user_id` (of its first message) of every session; its number is its row's."""

    def compute() -> pl.DataFrame:
        return read_steps(snapshot, field, "session_id", "user_id").filter(pl.col("place") == 0).drop("place")

    return snapshot.remember(("sessions", field), (JOURNEY_STEPS,), compute)


def all_steps(snapshot: Snapshot, field: str) -> pl.DataFrame:
    """Return all steps in order: `session` (a number), `topic_id`, `name` (categorical), `timestamp`, `is_move`."""

    def compute() -> pl.DataFrame:
        rows = read_steps(snapshot, field, "topic_id", "kind", "name", "timestamp")
        session = (pl.col("place") == 0).cum_sum().cast(pl.UInt32) - 1
        moves = rows.select(is_move=is_move())
        # Numbers are told apart several times faster than texts.
        topic = rows.with_columns(compact_together(rows["topic_id"], rows["kind"])).select(node())
        return rows.select(session.alias("session"), *topic, compact(rows["name"]), "timestamp", *moves)

    return snapshot.remember(("steps", field), (JOURNEY_STEPS,), compute)


def users_of(snapshot: Snapshot, field: str) -> pl.Series:
    """Return for each step of the field the number of its user: uint32, the same for all steps of a user."""

    def compute() -> pl.DataFrame:
        texts = read_steps(snapshot, field, "user_id")["user_id"]
        return pl.DataFrame({"user": compact(texts).to_physical().cast(pl.UInt32)})

    return snapshot.remember(("users", field), (JOURNEY_STEPS,), compute)["user"]


def users_of_sessions(snapshot: Snapshot, field: str) -> pl.Series:
    """Return for each session of the field the number of its user, as `users_of` numbers them."""

    def compute() -> pl.DataFrame:
        steps = all_steps(snapshot, field).select("session").with_columns(users_of(snapshot, field))
        return steps.filter((pl.col("session") != pl.col("session").shift()).fill_null(True)).select("user")

    return snapshot.remember(("users of sessions", field), (JOURNEY_STEPS,), compute)["user"]


def people_of(snapshot: Snapshot, field: str) -> pl.Series:
    """Return for each step the number of the person behind it: its user, or its session's if that is its only step.

    A user that the server made has one step alone, and so has what stands for it once it is removed.
    """

    def compute() -> pl.DataFrame:
        of_session = users_of_sessions(snapshot, field).gather(all_steps(snapshot, field)["session"])
        steps = pl.DataFrame({"user": users_of(snapshot, field), "of_session": of_session})
        return steps.select(person=pl.when(pl.len().over("user") > 1).then("user").otherwise("of_session"))

    return snapshot.remember(("people", field), (JOURNEY_STEPS,), compute)["person"]


def other_names(snapshot: Snapshot, field: str) -> dict[str, str]:
    """Return by topic of the steps what it counts as, if not as itself: the topic that it was merged into, or none.

    None has it that is not there any more: a build has written the topics and not yet the steps.
    """

    def compute() -> pl.DataFrame:
        return pl.DataFrame({"name": all_steps(snapshot, field)["topic_id"].unique().cast(pl.String)})

    there, merged = labels_of(snapshot, field), edits_of(snapshot, field).merged
    names = snapshot.remember(("topics of steps", field), (JOURNEY_STEPS,), compute)["name"]
    shown = {name: merged.get(name, name) for name in names}
    return {name: end if end in there else UNASSIGNED for name, end in shown.items() if name != end or end not in there}


def renamed(snapshot: Snapshot, field: str, level: int, topic: pl.Series) -> pl.Series:
    """Return `topic` with what each counts as (`other_names`), at level 1 with the themes that they belong to."""
    others = other_names(snapshot, field)
    if not others and not level:
        return topic
    parents = themes_of(snapshot, field)
    used = topic.unique()
    names = {}
    for code, name in zip(used.to_physical(), used.cast(pl.String), strict=True):
        end = others.get(name, name)
        names[code] = parents.get(end, end) if level else end
    texts = pl.Series([names.get(code, "") for code in range(max(names, default=-1) + 1)], dtype=pl.String)
    return compact(texts).gather(topic.to_physical()).alias(topic.name)
