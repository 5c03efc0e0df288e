"""What a stage is: one record of all that is known about how tables are brought up to date.

The file of a table exports it as `STAGE`. Pending work, Dagster's assets, the lineage of columns, checks and the
documentation derive from the records. A stage's rows follow from *inputs*: the states (or other marks) of the tables
that it reads, a few other things, and the version of its method. The fingerprint of the inputs stands with the rows; if
it is another one now, the rows are stale. Nothing here, and nothing that a record's module imports at its top, loads a
model: records are read to look for new work.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import polars as pl

from turret_pipeline.embedder.embed import model_key
from turret_pipeline.lake import store
from turret_pipeline.lake.batch import Batch
from turret_pipeline.lake.commits import ProjectTable, fingerprint
from turret_pipeline.lake.fingerprint import made_from
from turret_pipeline.lake.parts import Part, list_parts, parts_by_day
from turret_pipeline.lake.tables import BUILDS, EVENTS, FIELD_FAILURES, Table
from turret_pipeline.stages.check import Check, declared_types, unique_key
from turret_pipeline.stages.work import Outcome, Work

TAKEN_BACK = "taken back"
"""Name of the mark in `events` that says how often events were taken back, and in the tables of stages that remember,
and of those that lead there: how often they have forgotten such events."""

UNFINISHED = 0
"""Mark `inputs` of rows that are not all there yet: no fingerprint is equal to it."""


class Marks(Protocol):
    """One project's marks in one table."""

    def mark(self, name: str, day: dt.date | None = None) -> int | None:
        """Return the mark `name` (of `day`, default: of the project), None if it was never set."""
        ...


class ProjectNow(Protocol):
    """One project as it is at one moment: what fingerprints of inputs are taken from."""

    @property
    def model(self) -> str:
        """Key of the embedding model in use."""
        ...

    @property
    def clusters(self) -> str:
        """How topics are found, `graph` or `hdbscan`."""
        ...

    @property
    def parts(self) -> Mapping[dt.date, Collection[Part]]:
        """The raw parts by day of receipt, in order."""
        ...

    def marks(self, table: Table) -> Marks:
        """Return the project's marks in the table."""
        ...

    def days(self, table: Table) -> list[dt.date]:
        """Return the days of receipt on which the table has rows, in order."""
        ...

    def rows(self, table: Table) -> pl.DataFrame:
        """Return the project's rows of a small table."""
        ...


@dataclass(frozen=True)
class Source:
    """A table that a stage reads.

    mark: name of the mark whose change makes the stage's rows stale: `state` for every change of the table's rows; None
    where the rows that are read change with those of another source only.
    """

    table: Table
    mark: str | None = "state"

    @property
    def is_read_whole(self) -> bool:
        """Whether the columns of the table are read, not only what one mark stands for."""
        return self.mark in ("state", None)


def _nothing(*_: object) -> dict[str, object]:
    return {}


@dataclass(frozen=True, eq=False)
class Product:
    """A table that a stage brings up to date, and what people are told of it.

    Args:
        about: what it is good for, in words that need no knowledge of the code.
        origins: columns, by blanks, to the columns (`table.column`, by blanks) that they are computed from; a column
            that is not named comes from those of the same name in the tables that are read.
        checks: what must be true of the rows, by name, besides what must be of every table (`all_checks`).
        shows: what people see of a project's rows without a query, by its caption: a number, a word, the rows of a
            small table, or a `Drawing`.
    """

    table: Table
    about: str
    origins: Mapping[str, str] = field(default_factory=dict)
    checks: Mapping[str, Check] = field(default_factory=dict)
    shows: Callable[[Work, pl.LazyFrame], Mapping[str, object]] = _nothing

    @property
    def all_checks(self) -> dict[str, Check]:
        """The checks by name, those first that are made of every table."""
        return checks_of_every(self.table) | dict(self.checks)

    @property
    def origin_of(self) -> dict[str, list[str]]:
        """The columns (`table.column`) that each column of `origins` is computed from."""
        return {column: of.split() for columns, of in self.origins.items() for column in columns.split()}


def checks_of_every(table: Table) -> dict[str, Check]:
    """Return the checks that are made of every table, by name."""
    return {"unique_key": unique_key(table), "declared_types": declared_types(table)}


@dataclass(frozen=True, eq=False)
class Stage:
    """How tables are brought up to date.

    Args:
        makes: the tables; each carries the fingerprint of its inputs, and the first names the stage.
        reads: the tables that it reads; where it works by day of receipt, the first says which days there are.
        method: what brings them up to date; returns what became of each of the tables that it `makes`.
        group: name of the group in which people find the tables.
        by_products: tables that are written beside the others and carry no fingerprint.
        besides: what the rows (of one day, or all) follow from besides the tables that are read.
        version: of the method. With another one its rows are stale and are made anew, and then what follows from them.
        by_day: whether it is brought up to date, and materialized, by day of receipt, not by project.
        remembers: whether the rows follow from earlier rows too. Once events were taken back they are made anew, or
            what is gone would live on in them.
        follows: the stages that must have been brought up to date since events were taken back for this one to forget
            them: another run that is under way may be past those, with what is gone still in their rows.
        leads: whether one that remembers follows it: then it says too that it was brought since.
        name: of the step of a Dagster run; default: that of the first table.
        kinds: what it is made with, as icons for people.
        pool: name of the pool that limits how many such stages run at once; None: no limit.
    """

    makes: tuple[Product, ...]
    reads: tuple[Source, ...]
    method: Callable[[Task], Outcome | tuple[Outcome, ...]]
    group: str
    by_products: tuple[Product, ...] = ()
    besides: Callable[[ProjectNow, dt.date | None], Iterable[object]] = _nothing
    version: int = 1
    by_day: bool = False
    remembers: bool = False
    follows: tuple[Stage, ...] = ()
    leads: bool = False
    name: str = ""
    kinds: frozenset[str] = frozenset({"deltalake", "polars"})
    pool: str | None = None

    @property
    def table(self) -> Table:
        """The first of the tables that it makes, which names it."""
        return self.makes[0].table

    @property
    def step(self) -> str:
        """Name of the step of a Dagster run."""
        return self.name or self.table.name

    @property
    def products(self) -> tuple[Product, ...]:
        """All tables that it writes."""
        return self.makes + self.by_products

    @property
    def commits(self) -> tuple[Table, ...]:
        """The tables that it commits to, in the order of its commits: what says that all is done comes last."""
        return (FIELD_FAILURES, *(each.table for each in (*self.by_products, *self.makes)), BUILDS)

    def inputs(self, now: ProjectNow, day: dt.date | None = None) -> int:
        """Return the fingerprint of what the rows (of `day`, default: all) follow from."""
        # Of the marks only the state of rows is one of a day; the others are the project's.
        found = [
            now.marks(source.table).mark(source.mark, day if source.mark == "state" else None)
            for source in self.reads
            if source.mark is not None
        ]
        return made_from(self.version, *found, *self.besides(now, day))

    def of_version(self, inputs: int) -> int:
        """Return the fingerprint with the version of the method in it; while that is the first, as it is."""
        return inputs if self.version == 1 else fingerprint(inputs, self.version)

    def days(self, now: ProjectNow) -> list[dt.date]:
        """Return the days of receipt on which there is something to read, or rows from when there was, in order."""
        own = now.days(self.table) if self.table.is_by_day else []
        return sorted({*(now.days(self.reads[0].table) if self.reads else now.parts), *own})

    def stale_days(self, now: ProjectNow) -> list[dt.date]:
        """Return those of the days whose rows do not follow from their inputs as they are now, in order."""
        marks = now.marks(self.table)
        return [day for day in self.days(now) if marks.mark("inputs", day) != self.inputs(now, day)]

    def is_followed(self, now: ProjectNow) -> bool:
        """Return whether the rows follow from what is read as it is now, by whatever version of the method."""
        marks = now.marks(self.table)
        return marks.mark("inputs") == replace(self, version=marks.mark("method") or 1).inputs(now)

    def has_to_forget(self, now: ProjectNow) -> bool:
        """Return whether the rows follow from earlier rows, and events were taken back since they were made."""
        taken_back = now.marks(EVENTS).mark(TAKEN_BACK) if self.remembers else None
        return taken_back is not None and taken_back != now.marks(self.table).mark(TAKEN_BACK)

    def bring(self, work: Work, days: Collection[dt.date] | None = None) -> tuple[Outcome, ...]:
        """After this call the tables (of `days`, default: of all) are up to date; return what became of each.

        days: days of receipt; taken by stages that work `by_day` only.
        """
        task = Task(self, work, days)
        taken_back = task.open(EVENTS).mark(TAKEN_BACK) if self.remembers or self.leads else None
        is_told = taken_back is not None and taken_back != task.table.mark(TAKEN_BACK)
        if taken_back is not None and is_told:
            is_told = all(each.was_brought_since(task, taken_back) for each in self.follows)
        forgets = is_told and self.remembers
        if is_told or work.full_refresh:
            # Its commits build on one another: none is held until others are there too.
            lake, anew = replace(work.lake, batch=None), forgets or work.full_refresh
            task = Task(self, replace(work, lake=lake, full_refresh=anew, forgets=forgets), days)
        done = self.method(task)
        if is_told and not (self.by_day and self.stale_days(task)):
            task.table.append(self.table.empty(), marks={TAKEN_BACK: taken_back or 0})
        return done if isinstance(done, tuple) else (done,)

    def was_brought_since(self, now: ProjectNow, taken_back: int) -> bool:
        """Return whether its rows follow from `events` as they were when events were taken back for that time."""
        if now.marks(self.table).mark(TAKEN_BACK) == taken_back:
            return True
        if self.remembers or (self.stale_days(now) if self.by_day else not self.is_followed(now)):
            return False
        return all(each.was_brought_since(now, taken_back) for each in self.follows)


class Task:
    """One stage at work on one project: what it is to do, and its tables, each opened once and so read at one version.

    It is the `ProjectNow` that the fingerprints are taken from, so rows and fingerprints fit each other.
    """

    def __init__(self, stage: Stage, work: Work, days: Collection[dt.date] | None = None) -> None:
        self.stage = stage
        self.work = work
        self._days = days
        self._opened: dict[str, ProjectTable] = {}
        self._decided: dict[str, pl.DataFrame] = {}

    def open(self, table: Table) -> ProjectTable:
        """Return the project's share of the table as it was when the task first opened it, and as the task left it."""
        if table.name not in self._opened:
            self._opened[table.name] = self.work.open(table, self.stage.version)
        return self._opened[table.name]

    @property
    def table(self) -> ProjectTable:
        """The first of the tables that the stage makes."""
        return self.open(self.stage.table)

    @contextlib.contextmanager
    def holding(self, *tables: Table) -> Iterator[Callable[[], None]]:
        """Hold the commits to `tables` in the block, where one is as dear for three rows as for a million.

        Yield what commits those that are held, in the order of `tables`; the end of the block does so too. An error in
        the block drops them. No other process may commit to the project's share meanwhile.
        """
        if self.work.lake.batch is not None:  # it holds them already
            yield lambda: None
            return
        batch = Batch(self.work.lake)
        for table in tables:
            self._opened[table.name] = batch.open(table, self.work.project_id, self.stage.version)

        def commit() -> None:
            for error in batch.flush(tables).values():
                raise error

        try:
            yield commit
            commit()
        finally:
            for table in tables:
                del self._opened[table.name]

    @cached_property
    def model(self) -> str:
        """Key of the embedding model in use."""
        return model_key(self.work.model)

    @property
    def clusters(self) -> str:
        """How topics are found, `graph` or `hdbscan`."""
        return self.work.clusters

    @cached_property
    def parts(self) -> Mapping[dt.date, list[Part]]:
        """The raw parts by day of receipt, in order."""
        return parts_by_day(list_parts(self.work.lake, self.work.project_id))

    def marks(self, table: Table) -> Marks:
        """Return the project's marks in the table."""
        return self.open(table)

    def days(self, table: Table) -> list[dt.date]:
        """Return the days of receipt on which the table has rows, in order."""
        return self.open(table).days()

    def rows(self, table: Table) -> pl.DataFrame:
        """Return the project's rows of a small table; what people decided as it was when first asked for."""
        if not table.is_kept:
            return store.read(self.work.lake, table, self.work.project_id)
        # Read anew, a decision of a moment ago would count as followed at the end, though the work did not know it.
        if table.name not in self._decided:
            self._decided[table.name] = store.read(self.work.lake, table, self.work.project_id)
        return self._decided[table.name]

    def inputs(self, day: dt.date | None = None) -> int:
        """Return the fingerprint of what the rows (of `day`, default: all) follow from."""
        return self.stage.inputs(self, day)

    @property
    def has_news(self) -> bool:
        """Whether the rows of one of the tables do not follow from their inputs, or are to be made anew anyway."""
        wanted = self.inputs()
        return self.work.full_refresh or any(self.open(each.table).inputs() != wanted for each in self.stage.makes)

    def stale_days(self) -> list[dt.date]:
        """Return the days to bring up to date, in order: with a full refresh all of them."""
        return self.stage.days(self) if self.work.full_refresh else self.stage.stale_days(self)

    def asked_for(self, days: Iterable[dt.date]) -> list[dt.date]:
        """Return those of `days` that the caller wants to be brought up to date."""
        return [day for day in days if self._days is None or day in self._days]

    def makes_anew(self, day: dt.date | None = None) -> bool:
        """Whether rows that are there (of `day`, default: all) must not stay: another version of the method made them.

        True for a full refresh too.
        """
        return self.work.full_refresh or self.table.made_by(day) not in (None, self.stage.version)

    def finish(self, outcome: Outcome, is_whole: bool = True) -> Outcome:
        """After this call the table says what it was made from, and `builds` when; return `outcome`.

        outcome: what became of one of the tables. is_whole: whether all that was stale was brought up to date, and not
        some days only.
        """
        table = next(each.table for each in self.stage.makes if each.table.name == outcome.table)
        return outcome.finish(self.work, self.open(table), self.inputs() if is_whole else None)
