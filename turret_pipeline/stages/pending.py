"""Which tables of which projects are not up to date, found in milliseconds from the marks of the newest commits.

Nothing here loads a model or Dagster: `turret build` with nothing to do ends here, and the sensor asks every few
seconds.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import polars as pl

from turret_pipeline.embedder.embed import model_key
from turret_pipeline.lake import heads, store
from turret_pipeline.lake.commits import fingerprint
from turret_pipeline.lake.damage import Damage, DamageError
from turret_pipeline.lake.marks import ProjectMarks, blocked_days, follow_all
from turret_pipeline.lake.parts import Part, list_parts, list_projects, parts_by_day
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import BUILDS, EVENTS, Table
from turret_pipeline.stages import STAGES
from turret_pipeline.stages.stage import Stage
from turret_pipeline.stages.work import recorded_mark

Blocked = dict[str, list[dt.date | None]]
"""Tables of a project that a blocking check found wrong, with the days of receipt (None: all rows) that are so."""


def pending_stages(
    lake: Lake,
    model: str | None,
    projects: Collection[str] | None = None,
    parts: Collection[Part] | None = None,
    stages: Sequence[Stage] = STAGES,
    clusters: str = "graph",
) -> dict[str, dict[str, int]]:
    """Return for each project the tables that are not up to date, in order, with the fingerprint of their inputs.

    A table is named too when its stage did its work but was killed before `builds` said so. What will change below a
    table that is named is not foreseen: a project is up to date when there is nothing.

    projects: default: each that has raw events. parts: all there are, if they are at hand. clusters: how topics are
    found.
    """
    now = LakeNow(lake, model, parts, stages, clusters)
    return {project: now.pending(project) for project in (now.projects if projects is None else projects)}


def blocked_tables(lake: Lake, stages: Sequence[Stage] = STAGES) -> dict[str, Blocked]:
    """Return by project what a blocking check found wrong in it; projects in which all is right are left out."""
    found: defaultdict[str, Blocked] = defaultdict(dict)
    marks = follow_all(heads.look(lake), [product.table for stage in stages for product in stage.makes])
    for name, of_table in marks.items():
        if not isinstance(of_table, DamageError):  # `LakeNow` tells of it
            for project, days in blocked_days(of_table).items():
                found[project][name] = days
    return dict(found)


def stopped(blocked: Collection[str], stages: Sequence[Stage] = STAGES) -> set[str]:
    """Return the tables that follow from the tables named, which are `blocked`, by whatever way."""
    wrong, found = set(blocked), set[str]()
    for stage in stages:
        if any(source.table.name in wrong | found for source in stage.reads):
            found |= {product.table.name for product in stage.makes}
    return found


def why_stopped(blocked: Blocked) -> str:
    """Return in words what is wrong with a project's tables, each with its days, and what a person can do."""
    of = [f"{name} of {', '.join(map(str, days))}" if None not in days else name for name, days in blocked.items()]
    return (
        f"a check found rows of {' and '.join(of)} wrong; nothing is built on them until they are right: "
        f"`turret build --full-refresh --asset {next(iter(blocked))}` makes them anew"
    )


def made_with(model: str | None, clusters: str, stages: Sequence[Stage] = STAGES) -> int:
    """Return a fingerprint of what the tables are made with besides what is in the lake: settings and methods."""
    methods = [(stage.step, stage.version, [product.table.name for product in stage.makes]) for stage in stages]
    return fingerprint(version("turret"), model_key(model), clusters, methods)


class LakeNow:
    """The marks of all tables as of the newest commits, and the raw parts, at the time that it was made.

    lake: the lake, on S3 with the look that it was made at.
    """

    def __init__(
        self,
        lake: Lake,
        model: str | None = None,
        parts: Collection[Part] | None = None,
        stages: Sequence[Stage] = STAGES,
        clusters: str = "graph",
    ) -> None:
        self.model = model_key(model)
        self.clusters = clusters
        self.lake = lake = heads.look(lake)
        self._stages = stages
        self._parts: defaultdict[str, list[Part]] = defaultdict(list)
        for part in list_parts(lake) if parts is None else parts:
            self._parts[part.project_id].append(part)
        # Those that are read first, first: a commit in between is then seen as work to do, and never overlooked.
        tables = (*(product.table for stage in stages for product in stage.makes), BUILDS)
        self._marks: dict[str, Mapping[str, int]] = {}
        self._unreadable: dict[str, DamageError] = {}
        for name, marks in follow_all(lake, tables).items():
            if isinstance(marks, DamageError):
                self._marks[name], self._unreadable[name] = {}, marks
            else:
                self._marks[name] = marks
        self._days: dict[str, Mapping[str, list[dt.date]]] = {}
        self._files: dict[str, Mapping[str, list[str]]] = {}
        self._damage: dict[str, set[Damage]] = {}

    @property
    def projects(self) -> list[str]:
        """The projects that have raw events, or tables from when they had some, in order."""
        built = self._marks.get(EVENTS.name, {})
        emptied = (each for each in list_projects(self.lake) if ProjectMarks(built, each).state() is not None)
        return sorted({*self._parts, *emptied})

    def project(self, project_id: str) -> ProjectOfLake:
        """Return the project as it is now."""
        return ProjectOfLake(self, project_id)

    def pending(self, project_id: str) -> dict[str, int]:
        """Return the project's tables that are not up to date, in order, with the fingerprint of their inputs.

        A table that cannot be read, and what follows from it, is not among them: nothing can be built there.
        """
        now, found = self.project(project_id), {}
        builds = now.marks(BUILDS)
        unknown = set(self._unreadable)
        for stage in self._stages:
            made = {product.table.name for product in stage.makes}
            if unknown & {BUILDS.name, *made, *(source.table.name for source in stage.reads)}:
                unknown |= made
                continue
            try:
                inputs, has_to_forget = stage.inputs(now), stage.has_to_forget(now)
            except DamageError as error:
                self._damage.setdefault(project_id, set()).add(error.damage)
                unknown |= made
                continue
            for name in (product.table.name for product in stage.makes):
                done = self.made_from(project_id, name), builds.mark(recorded_mark(name))
                if done != (inputs, inputs) or has_to_forget:
                    found[name] = inputs
        return found

    def damage(self, project_id: str) -> list[Damage]:
        """Return for what damage, as far as was seen, some of the project's tables cannot be brought up to date."""
        return sorted({error.damage for error in self._unreadable.values()} | self._damage.get(project_id, set()))

    def made_from(self, project_id: str, table: str) -> int | None:
        """Return the fingerprint of what the project's rows of a built table were made from; None: of nothing."""
        return ProjectMarks(self._marks[table], project_id).inputs()

    def stale_days(self, project_id: str, skipped: Collection[str] = ()) -> list[dt.date]:
        """Return the days for which tables that are made by day (but those `skipped`) are not up to date, in order.

        Where only a note in `builds` is missing that is the newest day; today if all events were taken back.
        """
        now = self.project(project_id)
        # Of a table that cannot be read no day is known.
        unknown = {*skipped, *self._unreadable}
        stages = [stage for stage in self._stages if stage.by_day and stage.table.name not in unknown]
        stages = [stage for stage in stages if not any(each.table.name in self._unreadable for each in stage.reads)]
        if not stages:
            return []
        found = {day for stage in stages for day in stage.stale_days(now)}
        emptied = [] if self.parts_of(project_id) else [dt.datetime.now(dt.UTC).date()]
        return sorted(found) or stages[0].days(now)[-1:] or emptied

    def parts_of(self, project_id: str) -> list[Part]:
        """Return the project's raw parts."""
        return self._parts.get(project_id, [])

    def marks(self, table: Table) -> Mapping[str, int]:
        """Return all marks of the table, by id."""
        return self._marks[table.name]

    def days(self, table: Table) -> Mapping[str, list[dt.date]]:
        """Return by project the days of receipt on which the table has rows, in order."""
        if table.name not in self._days:
            head = f"tables/{table.name}"
            self._days[table.name] = heads.remembered(self.lake, head, "days", lambda: self._days_of(table))
        return self._days[table.name]

    def _days_of(self, table: Table) -> Mapping[str, list[dt.date]]:
        opened = store.open_table(self.lake, table)
        found: defaultdict[str, set[dt.date]] = defaultdict(set)
        for partition in opened.partitions() if opened is not None else ():
            found[str(partition["project_id"])].add(dt.date.fromisoformat(str(partition["received_date"])))
        return {project: sorted(days) for project, days in found.items()}

    def rows(self, table: Table, project_id: str) -> pl.DataFrame:
        """Return one project's rows of a small table."""
        head = f"tables/{table.name}"
        if table.name not in self._files:
            # Looked up once for all projects: each look at the log costs as much as one that is for all.
            self._files[table.name] = heads.remembered(self.lake, head, "files", lambda: self._files_of(table))
        files = self._files[table.name].get(project_id)
        if not files:
            return table.empty()
        read = store.scan_files(self.lake, table, files).collect
        return heads.remembered(self.lake, head, ("rows", project_id), read)

    def _files_of(self, table: Table) -> Mapping[str, list[str]]:
        opened = store.open_table(self.lake, table)
        found = defaultdict[str, list[str]](list)
        for file in opened.file_uris() if opened is not None else ():
            found[file.partition("/project_id=")[2].partition("/")[0]].append(file)
        return found


@dataclass(frozen=True)
class ProjectOfLake:
    """One project of a lake as it is now: the `ProjectNow` that fingerprints are taken from to look for work."""

    lake_now: LakeNow
    project_id: str

    @property
    def model(self) -> str:
        """Key of the embedding model in use."""
        return self.lake_now.model

    @property
    def clusters(self) -> str:
        """How topics are found, `graph` or `hdbscan`."""
        return self.lake_now.clusters

    @property
    def parts(self) -> Mapping[dt.date, list[Part]]:
        """The raw parts by day of receipt, in order."""
        return parts_by_day(self.lake_now.parts_of(self.project_id))

    def marks(self, table: Table) -> ProjectMarks:
        """Return the project's marks in the table."""
        return ProjectMarks(self.lake_now.marks(table), self.project_id)

    def days(self, table: Table) -> list[dt.date]:
        """Return the days of receipt on which the table has rows, in order."""
        return self.lake_now.days(table).get(self.project_id, [])

    def rows(self, table: Table) -> pl.DataFrame:
        """Return the project's rows of a small table."""
        return self.lake_now.rows(table, self.project_id)
