"""Of how many users a change is told: what leaves without texts names no topic, move or segment of too few.

A session without a `user_id` has a user of its own here, as in `views.few`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from turret_api.read.questions.changes.kinds import moves_in_sessions
from turret_api.read.questions.changes.scene import Scene
from turret_api.read.views.all_steps import users_of_sessions
from turret_api.read.views.steps import field_steps


def is_of_enough(scene: Scene, finding: Mapping[str, Any], least: int) -> bool:
    """Tell whether a finding's sessions are of `least` users or more in each of the two windows that have some.

    Of friction, feelings and outcomes they never are: no viewer is told of these at all.
    """
    found = _sessions(scene, finding)
    if found is None or found.is_empty():
        return False
    users = users_of_sessions(scene.snapshot, scene.field).gather(found["session"])
    n_users = found.with_columns(users.alias("user")).group_by("is_now").agg(pl.col("user").n_unique())
    return bool((n_users["user"] >= least).all())


def _sessions(scene: Scene, finding: Mapping[str, Any]) -> pl.DataFrame | None:
    """Return `session`, `is_now` of the sessions that a finding counts; None: no viewer is told of its kind."""
    of_topic = scene.topics.filter(pl.col("topic_id") == pl.lit(finding["topic_id"], pl.String))
    match finding["kind"]:
        case "volume":
            found = scene.sessions
        case "topic":
            found = of_topic
        case "topic_of_new_users":
            found = of_topic.filter("is_new")
        case "topic_of_segment":
            filters = scene.filters.with_moves()
            steps = field_steps(scene.snapshot, scene.field, filters, scene.level, value=finding["segment"])
            here = steps.filter(pl.col("value").cast(pl.String) == finding["value"]).select("session")
            found = of_topic.join(here, on="session", how="semi")
        case "move":
            is_it = (pl.col("topic_id") == finding["topic_id"]) & (pl.col("to_topic") == finding["to_topic"])
            found = moves_in_sessions(scene).filter(is_it)
        case _:
            return None
    return found.select("session", "is_now")
