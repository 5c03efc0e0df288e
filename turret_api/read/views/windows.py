"""The days that changes are told of, and how many sessions each topic has in them (see `semantics.changes`)."""

from __future__ import annotations

import dataclasses
import datetime as dt

import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.views.all_steps import all_steps
from turret_api.read.views.filters import Filters
from turret_api.read.views.messages import SOURCES
from turret_api.read.views.steps import passing_steps, session_starts
from turret_pipeline.lake.tables import JOURNEY_STEPS
from turret_pipeline.semantics.changes import DAY, RECENT_DAYS, Days, last_windows, share_change, whole_days
from turret_pipeline.semantics.visits import ONLY_MOVES

CHANGES = pl.Schema(
    {
        "topic_id": pl.String(),
        "now": pl.Int64(),
        "before": pl.Int64(),
        "of_now": pl.Int64(),
        "of_before": pl.Int64(),
        "change": pl.Float64(),
    }
)


def whole_days_of(snapshot: Snapshot, field: str, filters: Filters) -> Days | None:
    """Return the whole days of the field's messages, whichever pass, that lie between `since` and `until`."""

    def compute() -> pl.DataFrame:
        day, of_field = pl.col("timestamp").dt.date(), pl.col("field") == field
        happened = all_steps(snapshot, field).select(oldest=day.min(), newest=day.max())
        received = snapshot.scan(JOURNEY_STEPS).filter(of_field).select(pl.col("message_date").max()).collect()
        # A clock may run ahead of ours, by a day at most.
        return happened.with_columns(pl.min_horizontal(pl.col("newest"), received["message_date"]))

    oldest, newest = snapshot.remember(("message_days", field), (JOURNEY_STEPS,), compute).row(0)
    days = None if oldest is None else whole_days(oldest, newest)
    if days is None:
        return None
    first, last = days.first, days.last
    if filters.since is not None:
        is_midnight = filters.since.time() == dt.time()
        first = max(first, filters.since.date() if is_midnight else filters.since.date() + DAY)
    if filters.until is not None:
        last = min(last, filters.until.date() - DAY)
    return Days(first, last) if first <= last else None


def windows_of(snapshot: Snapshot, field: str, filters: Filters, n_days: int = RECENT_DAYS) -> tuple[Days, Days] | None:
    """Return the last `n_days` whole days and as many before them; None: there are not so many."""
    return last_windows(whole_days_of(snapshot, field, filters), n_days)


def began_in(snapshot: Snapshot, field: str, since: dt.datetime | None, until: dt.datetime | None) -> pl.Series:
    """Return for each session, by number, whether it began from `since` on (None: ever) and before `until`."""
    started, here = pl.col("started_at"), pl.lit(True)
    here = here if since is None else here & (started >= since)
    here = here if until is None else here & (started < until)
    return session_starts(snapshot, field).select(here=here & started.is_not_null())["here"]


def topic_sessions(steps: pl.DataFrame, filters: Filters) -> tuple[pl.DataFrame, int]:
    """Return `topic_id` and `sessions` of each node of the sessions' journeys, and how many sessions there are.

    steps: `session`, `topic_id`, `is_move`. Sessions of moves of conversation only are `moves`, unless moves count.
    """
    counted = steps if filters.has_moves else steps.filter(~pl.col("is_move"))
    n_sessions = steps["session"].n_unique()
    pairs = counted.select("session", "topic_id").unique()
    found = pairs.group_by("topic_id").agg(sessions=pl.len().cast(pl.Int64)).cast({"topic_id": pl.String})
    rest = n_sessions - counted["session"].n_unique()
    if rest:
        found = pl.concat([found, pl.DataFrame({"topic_id": [ONLY_MOVES], "sessions": [rest]})])
    return found, n_sessions


def topic_changes(
    snapshot: Snapshot, field: str, filters: Filters, level: int, n_days: int = RECENT_DAYS
) -> pl.DataFrame:
    """Return one row (`CHANGES`) for each topic that a session in either window has; none if there are no windows."""
    windows = windows_of(snapshot, field, filters, n_days)
    if windows is None:
        return CHANGES.to_frame()

    def compute() -> pl.DataFrame:
        # From and to have said which days count; a session that began in these counts with all that was said in it.
        steps = passing_steps(snapshot, field, dataclasses.replace(filters, since=None, until=None), level)
        sides = []
        for window in windows:
            here = began_in(snapshot, field, window.since, window.until)
            sides.append(topic_sessions(steps.filter(here.gather(steps["session"])), filters))
        (now, of_now), (before, of_before) = sides
        met = now.rename({"sessions": "now"}).join(
            before.rename({"sessions": "before"}), on="topic_id", how="full", coalesce=True
        )
        return (
            met.with_columns(
                pl.col("now", "before").fill_null(0),
                of_now=pl.lit(of_now, pl.Int64),
                of_before=pl.lit(of_before, pl.Int64),
            )
            .with_columns(change=share_change("now", "of_now", "before", "of_before"))
            .select(CHANGES.names())
            .sort("topic_id")
        )

    return snapshot.remember(("topic_changes", field, filters, level, n_days), SOURCES, compute)
