"""What every kind of change is looked for in: the sessions that began in the last days, and in as many before them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from turret_api.read.engine.library import Snapshot
from turret_api.read.questions.journeys.statistics import p_values
from turret_api.read.views.filters import Filters
from turret_api.read.views.steps import first_starts_of_users, session_starts, signed_steps
from turret_api.read.views.topics import NODES, edits_of
from turret_pipeline.semantics.changes import Days

CANDIDATES = pl.Schema(
    {
        "kind": pl.String(),
        "topic_id": pl.String(),
        "to_topic": pl.String(),
        "segment": pl.String(),
        "value": pl.String(),
        "outcome": pl.String(),
        "now": pl.Int64(),
        "of_now": pl.Int64(),
        "before": pl.Int64(),
        "of_before": pl.Int64(),
        "p_value": pl.Float64(),
    }
)
"""What may have changed: sessions that have it, of how many, in both windows; and that this is chance. Of numbers of
sessions `of_now` and `of_before` are null."""

LEAST_SESSIONS = 10
"""Sessions of both windows together that have what may have changed, below which it is not tested."""


@dataclass(frozen=True)
class Scene:
    """The sessions of two windows, with messages that pass."""

    snapshot: Snapshot
    field: str
    asked: Filters
    level: int
    days: Days
    """The whole days."""
    now: Days
    before: Days

    @property
    def filters(self) -> Filters:
        """What was asked for but for times, which have made the windows."""
        return dataclasses.replace(self.asked, since=None, until=None)

    @cached_property
    def sessions(self) -> pl.DataFrame:
        """`session`, `is_now` and `is_new` (its user's first session began in its window) of the sessions that pass."""
        first_at = first_starts_of_users(self.snapshot, self.field)
        since = pl.when("is_now").then(self.now.since).otherwise(self.before.since)
        told = session_starts(self.snapshot, self.field).with_row_index("session")
        told = told.with_columns(first_at=first_at, is_now=pl.col("started_at") >= self.now.since)
        here = (pl.col("started_at") >= self.before.since) & (pl.col("started_at") < self.now.until)
        found = told.filter(here).select("session", "is_now", is_new=pl.col("first_at") >= since)
        return found.join(self._passing.select("session").unique(), on="session", how="semi")

    @cached_property
    def _passing(self) -> pl.DataFrame:
        return signed_steps(self.snapshot, self.field, self.filters, self.level)

    @cached_property
    def steps(self) -> pl.DataFrame:
        """The steps of these sessions, in order, as `signed_steps` has them, with `is_now`, `is_new`."""
        return self._passing.join(self.sessions, on="session", how="inner", maintain_order="left")

    @cached_property
    def topics(self) -> pl.DataFrame:
        """`session`, `topic_id`, `is_now`, `is_new`: each topic of each session once, those that people see."""
        unseen = [*NODES, *edits_of(self.snapshot, self.field).hidden]
        names = pl.col("topic_id").cast(pl.String)
        pairs = self.steps.select("session", "topic_id", "is_now", "is_new").unique().with_columns(topic_id=names)
        return pairs.filter(~pl.col("topic_id").is_in(unseen))

    def count(self, is_now: bool) -> int:
        """Return how many sessions of the window there are."""
        return int((self.sessions["is_now"] == is_now).sum())


def candidates(kind: str, found: pl.DataFrame) -> pl.DataFrame:
    """Return `found` (some columns of `CANDIDATES`) with all of them, those that can be told of and tested."""

    def column(name: str, dtype: pl.DataType) -> pl.Expr:
        if name == "kind":
            return pl.lit(kind).alias(name)
        return (pl.col(name) if name in found.columns else pl.lit(None)).cast(dtype).alias(name)

    wanted = [column(name, dtype) for name, dtype in CANDIDATES.items()]
    return found.select(wanted).filter(pl.col("p_value").is_not_null() & pl.col("p_value").is_not_nan())


def counted(rows: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Return `by`, `now`, `before`: of `rows`, one a session and thing, how many there are in either window."""
    is_now = pl.col("is_now")
    return rows.group_by(by).agg(now=is_now.sum().cast(pl.Int64), before=(~is_now).sum().cast(pl.Int64))


def enough(found: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of `found` that are tested: with sessions on both sides, and not too few that have it."""
    return found.filter(
        pl.col("now") + pl.col("before") >= LEAST_SESSIONS, pl.col("of_now") > 0, pl.col("of_before") > 0
    ).sort(pl.exclude("now", "before", "of_now", "of_before"))


def exact(found: pl.DataFrame) -> np.ndarray:
    """Return for each row of `found` (`now`, `of_now`, `before`, `of_before`) Fisher's mid-p value."""
    now, of_now, before, of_before = (found[name].to_numpy() for name in ("now", "of_now", "before", "of_before"))
    return p_values(now, of_now, before, of_before) if found.height else np.zeros(0)


def shares(rows: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Return by thing the sessions that have it there (`has`), of those that have the thing.

    rows: `by`, `is_now`, `has`, one row a session and thing.
    """
    of = counted(rows, by).rename({"now": "of_now", "before": "of_before"})
    having = of.join(counted(rows.filter("has"), by), on=by, how="left").with_columns(
        pl.col("now", "before").fill_null(0)
    )
    found = enough(having)
    return found.with_columns(p_value=pl.Series(exact(found), dtype=pl.Float64))
