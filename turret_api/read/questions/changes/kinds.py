"""The kinds of change that a morning tells of: one function each, from the scene to what may have changed.

Each returns rows of `scene.CANDIDATES`, with a p-value a row; what counts as a change is decided over all kinds
together (`findings`). A new kind is a function here and its name in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.questions.changes.feelings import outcomes, outcomes_of_topics, sentiment_of_topics
from turret_api.read.questions.changes.scene import (
    CANDIDATES,
    LEAST_SESSIONS,
    Scene,
    candidates,
    counted,
    enough,
    exact,
    shares,
)
from turret_api.read.questions.journeys.friction import moves_of, requests_of
from turret_api.read.questions.topics.rows import trends_of
from turret_api.read.views.steps import field_steps, session_starts
from turret_pipeline.lake.tables import FIELD_TYPES
from turret_pipeline.semantics.changes import RECENT_DAYS

MOST_FIELDS = 8
MOST_VALUES = 5
"""Enum fields, those of most events, and values of each, those of most sessions, that topics are looked at among."""

LEAST_WEEKS = 5
MOST_WEEKS = 12
"""Windows in a row without which the noise of the number of sessions is not known, and that it is read off."""

NEW_USERS = "new users"


def topics(scene: Scene) -> pl.DataFrame:
    """Return each topic's share of the sessions.

    It has changed where the sessions of both windows say so, and the topic's own days do (`semantics.trends`): these
    know of days on which everybody asks for one thing.
    """
    of = {"of_now": scene.count(True), "of_before": scene.count(False)}
    found = enough(
        counted(scene.topics, ["topic_id"]).with_columns(pl.lit(n, pl.Int64).alias(k) for k, n in of.items())
    )
    if scene.now.n != RECENT_DAYS:
        return candidates("topic", found.with_columns(p_value=pl.Series(exact(found), dtype=pl.Float64)))
    known = trends_of(scene.snapshot, scene.field, scene.asked, scene.level)
    days = np.array([known.get(topic, {}).get("p_value") or 0.0 for topic in found["topic_id"]])
    return candidates("topic", found.with_columns(p_value=pl.Series(np.maximum(exact(found), days), dtype=pl.Float64)))


def topics_of_new_users(scene: Scene) -> pl.DataFrame:
    """Return each topic's share of the sessions of new users, where it moved otherwise than among the others.

    Who is new in the window before is only known where there are as many days before that.
    """
    if scene.days.n < 3 * scene.now.n:
        return CANDIDATES.to_frame()
    found = _beyond_others(scene, scene.sessions.filter("is_new").select("session", value=pl.lit(NEW_USERS)))
    return candidates("topic_of_new_users", found.drop("value"))


def topics_of_segments(scene: Scene) -> pl.DataFrame:
    """Return each topic's share of the sessions with a value of an enum field, where it moved otherwise than others."""
    frames = []
    for name in enum_fields(scene.snapshot):
        steps = field_steps(scene.snapshot, scene.field, scene.filters.with_moves(), scene.level, value=name)
        here = steps.select("session", "value").drop_nulls()
        pairs = (
            here.join(scene.sessions.select("session"), on="session", how="semi").unique().cast({"value": pl.String})
        )
        common = pairs["value"].value_counts(sort=False).sort("count", "value", descending=[True, False])
        among = pairs.filter(pl.col("value").is_in(common["value"].head(MOST_VALUES).to_list()))
        frames.append(_beyond_others(scene, among).with_columns(segment=pl.lit(name)))
    return candidates("topic_of_segment", pl.concat(frames) if frames else pl.DataFrame(schema=_BEYOND))


def enum_fields(snapshot: Snapshot) -> list[str]:
    """Return the enum fields that topics are looked at among, those of most events first."""
    enums = snapshot.scan(FIELD_TYPES).filter(pl.col("type") == "enum")
    ranked = enums.sort("n_events", "field", descending=[True, False]).select("field").head(MOST_FIELDS)
    return ranked.collect()["field"].to_list()


def friction_of_topics(scene: Scene) -> pl.DataFrame:
    """Return of each topic the share of its sessions in which a request for it met with friction."""
    in_sessions = requests_of(scene.steps).group_by("session", "topic_id").agg(pl.col("has").any())
    in_sessions = in_sessions.cast({"topic_id": pl.String})
    seen = in_sessions.join(scene.topics, on=["session", "topic_id"], how="inner")
    return candidates("friction_of_topic", shares(seen, ["topic_id"]))


def moves(scene: Scene) -> pl.DataFrame:
    """Return of each move between topics its share of the sessions that have the topic it leaves."""
    known = moves_in_sessions(scene)
    of = counted(known.unique(["session", "topic_id"], maintain_order=True), ["topic_id"])
    having = counted(_between_seen(scene, known), ["topic_id", "to_topic"])
    found = enough(having.join(of.rename({"now": "of_now", "before": "of_before"}), on="topic_id"))
    return candidates("move", found.with_columns(p_value=pl.Series(exact(found), dtype=pl.Float64)))


def friction_of_moves(scene: Scene) -> pl.DataFrame:
    """Return of each move between topics the share of its sessions that left with friction."""
    return candidates(
        "friction_of_move", shares(_between_seen(scene, moves_in_sessions(scene)), ["topic_id", "to_topic"])
    )


def moves_in_sessions(scene: Scene) -> pl.DataFrame:
    """Return the moves of each session, to its end too, each once: `session`, `topic_id`, `to_topic`, `has`, `is_now`.

    has: whether it was made with friction, once at least.
    """
    found, names = moves_of(scene.steps)
    ends = [pl.col(end).replace_strict(names, return_dtype=pl.String).alias(to)
            for end, to in (("from", "topic_id"), ("to", "to_topic"))]  # fmt: skip
    in_sessions = found.group_by("session", "from", "to").agg(pl.col("has").any()).with_columns(ends)
    return in_sessions.join(scene.sessions, on="session", how="inner")


def _between_seen(scene: Scene, found: pl.DataFrame) -> pl.DataFrame:
    """Return those of the moves that lead from a topic to a topic that people see."""
    seen = scene.topics["topic_id"].unique().to_list()
    return found.filter(pl.col("topic_id").is_in(seen), pl.col("to_topic").is_in(seen))


def volume(scene: Scene) -> pl.DataFrame:
    """Return the number of sessions, where it changed by more than it does from one window to the next.

    By how much it does so is read off the logarithms of windows in a row before; the test is that of Student, with the
    degrees of freedom that differences which share a window leave.
    """
    n_days = scene.now.n
    days = session_starts(scene.snapshot, scene.field).with_row_index("session")
    passing = field_steps(scene.snapshot, scene.field, scene.filters.with_moves(), scene.level)
    started = days.join(passing.select("session").unique(), on="session", how="semi")["started_at"]
    back = ((pl.lit(scene.now.until) - pl.col("started_at")).dt.total_microseconds() - 1) // (86_400_000_000 * n_days)
    windows = pl.DataFrame({"started_at": started}).filter(pl.col("started_at") < scene.now.until).select(back=back)
    # A window counts only where all its days are whole: the oldest day of messages is not.
    oldest = started.min()
    n_whole = 0 if oldest is None else (scene.now.last - oldest.date()).days // n_days  # type: ignore[union-attr]
    counts = windows["back"].value_counts().sort("back").filter(pl.col("back") < min(n_whole, MOST_WEEKS))
    if counts.height < LEAST_WEEKS or counts["back"].max() != counts.height - 1:
        return candidates("volume", pl.DataFrame(schema={"now": pl.Int64, "before": pl.Int64, "p_value": pl.Float64}))
    from scipy.special import stdtr  # takes half a second, which no start of the API need wait for

    sizes = counts["count"].to_numpy().astype(float)
    steps = -np.diff(np.log(sizes))
    variance = max(float((steps[1:] ** 2).mean()), 1 / sizes[0] + 1 / sizes[1])
    freedom = (len(steps) - 1) / 1.5
    p_value = 2 * float(stdtr(freedom, -abs(steps[0]) / np.sqrt(variance)))
    return candidates("volume", pl.DataFrame({"now": [int(sizes[0])], "before": [int(sizes[1])], "p_value": [p_value]}))


_BEYOND = pl.Schema(
    {
        "topic_id": pl.String(),
        "value": pl.String(),
        "now": pl.Int64(),
        "before": pl.Int64(),
        "of_now": pl.Int64(),
        "of_before": pl.Int64(),
        "p_value": pl.Float64(),
    }
)


def _beyond_others(scene: Scene, among: pl.DataFrame) -> pl.DataFrame:
    """Return by topic and value how sure it is that the share moved otherwise among the value's sessions than others.

    Compared are logarithms of odds ratios, of the value's sessions and of all others, each count with a half added
    (Agresti, Categorical Data Analysis, 3.1); the topics whose own share moved so, and not only that of the others.

    among: `session`, `value`, each pair once.
    """
    from scipy.special import ndtr

    sides = counted(among.join(scene.sessions, on="session"), ["value"])
    of = sides.rename({"now": "of_now", "before": "of_before"})
    with_topic = counted(among.join(scene.topics, on="session"), ["topic_id", "value"])
    whole = counted(scene.topics, ["topic_id"]).rename({"now": "all_now", "before": "all_before"})
    met = with_topic.join(of, on="value").join(whole, on="topic_id").sort("topic_id", "value")
    rest = {
        "now": scene.count(True) - met["of_now"].to_numpy(),
        "before": scene.count(False) - met["of_before"].to_numpy(),
    }
    column = {name: met[name].to_numpy().astype(float) for name in met.columns if name not in ("topic_id", "value")}
    odds, spread = np.zeros(met.height), np.zeros(met.height)
    for sign, side in ((1, "now"), (-1, "before")):
        own, of_own = column[side], column[f"of_{side}"]
        others, of_others = column[f"all_{side}"] - own, rest[side]
        for way, n, total in ((1, own, of_own), (-1, others, of_others)):
            n_with, n_without = n + 0.5, np.maximum(total - n, 0) + 0.5
            odds += sign * way * np.log(n_with / n_without)
            spread += 1 / n_with + 1 / n_without
    p_value = 2 * ndtr(-np.abs(odds) / np.sqrt(np.maximum(spread, 1e-12)))
    moved = column["now"] / np.maximum(column["of_now"], 1) - column["before"] / np.maximum(column["of_before"], 1)
    told = met.with_columns(
        p_value=pl.Series(p_value, dtype=pl.Float64),
        # Where the value's share moved the other way, what is seen is the others'.
        agrees=pl.Series(np.sign(moved) == np.sign(odds), dtype=pl.Boolean),
        others=pl.Series(np.minimum(rest["now"], rest["before"]), dtype=pl.Int64),
    )
    tested = told.filter(
        pl.col("now") + pl.col("before") >= LEAST_SESSIONS,
        pl.min_horizontal("of_now", "of_before", "others") >= LEAST_SESSIONS,
    )
    return tested.with_columns(p_value=pl.when("agrees").then("p_value").otherwise(1.0)).select(_BEYOND.names())


KINDS: tuple[Callable[[Scene], pl.DataFrame], ...] = (
    topics,
    topics_of_new_users,
    topics_of_segments,
    moves,
    friction_of_topics,
    friction_of_moves,
    outcomes,
    outcomes_of_topics,
    sentiment_of_topics,
    volume,
)
"""All kinds of change; each has an equal share of the false alarms."""
