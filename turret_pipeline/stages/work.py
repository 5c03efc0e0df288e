"""What every stage is given and what it gives back, and how builds are recorded."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import polars as pl

from turret_pipeline.fanout import Fanout, in_process
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import BUILDS, Table

if TYPE_CHECKING:
    from turret_pipeline.analysis.labels.language_model import Suggest
    from turret_pipeline.embedder.embed import Embedder


def _silent(table: str, done: int, total: int) -> None:
    pass


@dataclass(frozen=True)
class Work:
    """What is to be brought up to date, and how.

    Args:
        lake: where it lies.
        project_id: whose.
        model: embedding model as in the settings, None for the one that ships with Turret.
        full_refresh: compute again what is up to date. Vectors are kept: they depend on text and model alone.
        forgets: events were taken back since the rows were made: nothing that only those said may stay.
        suggest: a language model that names new topics, None for none.
        clusters: how topics are found, `graph` or `hdbscan`.
        embedder: returns the embedding model, where others have it open too; None: it is opened for this work.
        tell: called with (name of the table, done, total) as the work goes on.
        fanout: what executes work in chunks: this process, or a cluster.
    """

    lake: Lake
    project_id: str
    model: str | None = None
    full_refresh: bool = False
    suggest: Suggest | None = field(default=None, compare=False)
    embedder: Callable[[], Embedder] | None = field(default=None, compare=False)
    tell: Callable[[str, int, int], None] = field(default=_silent, compare=False)
    clusters: str = "graph"
    forgets: bool = False
    fanout: Fanout = field(default=in_process, compare=False)

    @property
    def spread(self) -> Fanout:
        """What executes chunks that read the lake: what is held for many projects is in this process alone."""
        return self.fanout if self.lake.batch is None else in_process

    @property
    def in_worker(self) -> Work:
        """The same for a process of its own, which tells nobody and has nothing open."""
        return replace(self, suggest=None, embedder=None, tell=_silent, fanout=in_process)

    def open(self, table: Table, method: int = 1) -> ProjectTable:
        """Return the project's share of the table at its newest version, for rows that this `method` makes."""
        if self.lake.batch is not None:
            held: ProjectTable = self.lake.batch.open(table, self.project_id, method)
            return held
        return ProjectTable(self.lake, table, self.project_id, method)


@dataclass
class Outcome:
    """What became of one table.

    Args:
        table: its name.
        n_rows: rows that were added or replaced; 0 where there was nothing to do.
        seconds: how long it took.
        days: rows by day of receipt, of the days that were worked on (tables that are made day by day only).
        looked_at: days of receipt whose rows, or whose messages, were brought up to date; None: those in `days`.
        facts: further numbers and words for people, by name.
    """

    table: str
    n_rows: int = 0
    seconds: float = 0.0
    days: dict[dt.date, int] = field(default_factory=dict)
    looked_at: Collection[dt.date] | None = None
    facts: dict[str, int | float | str] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)

    def add(self, n_rows: int, seconds: float) -> None:
        """After this call rows that were written, and the seconds that it took, count too."""
        self.n_rows += n_rows
        self.seconds += seconds

    @property
    def to_check(self) -> list[dt.date] | None:
        """The days of receipt that a check of what was done need look at; None: all."""
        if self.looked_at is not None:
            return sorted(self.looked_at)
        return list(self.days) if self.days or not self.n_rows else None

    def finish(self, work: Work, table: ProjectTable, inputs: int | None) -> Outcome:
        """Mark the project as built from `inputs`, take the time and record it in `builds`; return self.

        inputs: fingerprint of what the rows follow from; None if only some days of several were brought up to date.
        """
        if inputs is not None:
            table.set_inputs(inputs)
        self.seconds = self.seconds or time.perf_counter() - self.started
        record(work, self, inputs)
        return self


def record(work: Work, outcome: Outcome, inputs: int | None) -> None:
    """After this call `builds` says when each day, and the project, was built, unless it says so already."""
    table = work.open(BUILDS)
    if inputs is not None and not outcome.days and table.mark(recorded_mark(outcome.table)) == inputs:
        return
    days: list[tuple[dt.date | None, int]] = [(day, rows) for day, rows in sorted(outcome.days.items())]
    if inputs is not None:
        days.append((None, outcome.n_rows))
    if not days:
        return
    now, of = dt.datetime.now(dt.UTC), "" if inputs is None else str(inputs)
    rows = pl.DataFrame(
        [
            (work.project_id, outcome.table, day, now, "" if day else of, n_rows, outcome.seconds)
            for day, n_rows in days
        ],
        BUILDS.schema,
        orient="row",
    )
    # The latest of each table and day is enough; Dagster keeps the history of runs.
    there = table.read()
    again = (pl.col("stage") == outcome.table) & pl.col("received_date").is_in(
        [day for day, _ in days], nulls_equal=True
    )
    kept = there.filter(~again) if outcome.table in there["stage"] else there
    marks = {} if inputs is None else {recorded_mark(outcome.table): inputs}
    table.replace(pl.concat([kept, rows]), marks=marks)


def recorded_mark(table: str) -> str:
    """Return the name of the mark in `builds` with the inputs that the table of the whole project was made from."""
    return f"recorded {table}"
