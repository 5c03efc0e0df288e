"""Which stages of which projects are not up to date, found in milliseconds from the marks of the newest commits.

Nothing here loads a model or Dagster: `turret build` with nothing to do ends here, and the sensor asks every few
seconds.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from turret_pipeline.embedder.embed import model_key
from turret_pipeline.lake import store
from turret_pipeline.lake.marks import ProjectMarks, blocked_days, follow
from turret_pipeline.lake.parts import Part, list_parts
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    BUILDS,
    EMBEDDINGS,
    EVENTS,
    FIELD_OVERRIDES,
    FIELD_PROFILES,
    FIELD_TYPES,
    JOURNEY_EDGES,
    JOURNEY_MOVES,
    JOURNEY_STEPS,
    MESSAGES,
    STEP_VALUES,
    TOPIC_ASSIGNMENTS,
    TOPIC_DAYS,
    TOPICS,
    Table,
)
from turret_pipeline.stages.inputs import (
    SEGMENT_FIELDS,
    TEXT_FIELDS,
    all_parts_state,
    edges_inputs,
    embeddings_inputs,
    field_types_inputs,
    messages_inputs,
    moves_inputs,
    parts_by_day,
    parts_state,
    profiles_inputs,
    step_values_inputs,
    steps_inputs,
    topic_days_inputs,
    topics_inputs,
)
from turret_pipeline.stages.work import recorded_mark

STAGES = (
    EVENTS,
    FIELD_PROFILES,
    FIELD_TYPES,
    MESSAGES,
    EMBEDDINGS,
    TOPICS,
    TOPIC_ASSIGNMENTS,
    TOPIC_DAYS,
    JOURNEY_STEPS,
    STEP_VALUES,
    JOURNEY_MOVES,
    JOURNEY_EDGES,
)
"""The tables in the order in which they are brought up to date."""

BY_DAY = frozenset({EVENTS.name, FIELD_PROFILES.name})
"""Those that are brought up to date, and materialized, by day of receipt."""

READS: dict[str, tuple[Table, ...]] = {
    "events": (),
    "field_profiles": (EVENTS,),
    "field_types": (FIELD_PROFILES,),
    "messages": (EVENTS, FIELD_TYPES),
    "embeddings": (MESSAGES,),
    "topics": (MESSAGES, EMBEDDINGS),
    "topic_assignments": (MESSAGES, EMBEDDINGS),
    "topic_days": (MESSAGES, TOPIC_ASSIGNMENTS),
    "journey_steps": (MESSAGES, TOPIC_ASSIGNMENTS),
    "step_values": (EVENTS, FIELD_TYPES, JOURNEY_STEPS),
    "journey_moves": (JOURNEY_STEPS,),
    "journey_edges": (JOURNEY_MOVES,),
}
"""By stage the tables that it reads, in the order in which they are brought up to date."""


def pending_stages(
    lake: Lake,
    model: str | None,
    projects: Collection[str] | None = None,
    parts: Collection[Part] | None = None,
    clusters: str = "graph",
) -> dict[str, dict[str, int]]:
    """Return for each project the stages that have something to do, in order, with the fingerprint of their inputs.

    A stage is named too when it did its work but was killed before `builds` said so. What will change below a stage
    that is named is not foreseen: a project is up to date when there is nothing.

    projects: default: each that has raw events. parts: all there are, if they are at hand. clusters: how topics are
    found.
    """
    by_project: defaultdict[str, list[Part]] = defaultdict(list)
    for part in list_parts(lake) if parts is None else parts:
        by_project[part.project_id].append(part)
    marks = {table.name: follow(lake, table) for table in (*STAGES, BUILDS)}
    model_name = model_key(model)
    overrides = _rows(lake, FIELD_OVERRIDES)
    found = {}
    for project in sorted(by_project) if projects is None else projects:
        tables = {name: ProjectMarks(of, project) for name, of in marks.items()}
        mine = overrides.filter(pl.col("project_id") == project)
        wanted = dict(_wanted(tables, by_project[project], mine, model_name, clusters))
        found[project] = {
            name: inputs
            for name, inputs in wanted.items()
            if tables[name].inputs() != inputs or tables[BUILDS.name].mark(recorded_mark(name)) != inputs
        }
    return found


Blocked = dict[str, list[dt.date | None]]
"""Tables of a project that a blocking check found wrong, with the days of receipt (None: all rows) that are so."""


def blocked_tables(lake: Lake) -> dict[str, Blocked]:
    """Return by project what a blocking check found wrong in it; projects in which all is right are left out."""
    found: defaultdict[str, Blocked] = defaultdict(dict)
    for table in STAGES:
        for project, days in blocked_days(follow(lake, table)).items():
            found[project][table.name] = days
    return dict(found)


def stopped(blocked: Collection[str]) -> set[str]:
    """Return the stages that follow from the tables named, which are `blocked`, by whatever way."""
    wrong, found = set(blocked), set[str]()
    for name, reads in READS.items():
        if any(table.name in wrong | found for table in reads):
            found.add(name)
    return found


def why_stopped(blocked: Blocked) -> str:
    """Return in words what is wrong with a project's tables, each with its days, and what a person can do."""
    of = [f"{name} of {', '.join(map(str, days))}" if None not in days else name for name, days in blocked.items()]
    return (
        f"a check found rows of {' and '.join(of)} wrong; nothing is built on them until they are right: "
        f"`turret build --full-refresh --asset {next(iter(blocked))}` makes them anew"
    )


@dataclass(frozen=True)
class EventDays:
    """The days of all projects' events, and what these and their profiles were made from; opened once for all of them.

    Args:
        days: those that have events, by project, in order.
        events, profiles: all marks of the two tables, by id.
    """

    days: Mapping[str, Sequence[dt.date]]
    events: Mapping[str, int]
    profiles: Mapping[str, int]

    @classmethod
    def of(cls, lake: Lake) -> EventDays:
        """Return them as they are now."""
        marks = follow(lake, EVENTS), follow(lake, FIELD_PROFILES)
        opened = store.open_table(lake, EVENTS)
        found: defaultdict[str, set[dt.date]] = defaultdict(set)
        for partition in opened.partitions() if opened is not None else ():
            found[str(partition["project_id"])].add(dt.date.fromisoformat(str(partition["received_date"])))
        return cls({project: sorted(days) for project, days in found.items()}, *marks)

    def pending(self, project_id: str, parts: Collection[Part]) -> list[dt.date]:
        """Return the days whose raw parts are not all in `events`, or whose events are not profiled, in order.

        parts: those of the project. Where only a note in `builds` is missing that is the newest day.
        """
        came, events = parts_by_day(parts), ProjectMarks(self.events, project_id)
        found = {day for day, there in came.items() if events.inputs(day) != parts_state(there)}
        return sorted(found.union(self._unprofiled(project_id))) or sorted(came)[-1:]

    def unprofiled(self, project_id: str) -> list[dt.date]:
        """Return the days whose events are not profiled, in order; or the newest, for a note in `builds`."""
        return self._unprofiled(project_id) or list(self.days.get(project_id, ()))[-1:]

    def _unprofiled(self, project_id: str) -> list[dt.date]:
        events, profiles = ProjectMarks(self.events, project_id), ProjectMarks(self.profiles, project_id)
        days = self.days.get(project_id, ())
        return [day for day in days if profiles.inputs(day) != profiles_inputs(events.state(day))]


def _wanted(
    tables: dict[str, ProjectMarks], parts: list[Part], overrides: pl.DataFrame, model: str, clusters: str
) -> Iterator[tuple[str, int]]:
    """Yield for each stage the fingerprint of its inputs as they are now."""
    state = {name: table.state() for name, table in tables.items()}
    chosen = tables["field_types"].mark(TEXT_FIELDS)
    yield "events", all_parts_state(parts_by_day(parts))
    yield "field_profiles", profiles_inputs(state["events"])
    yield "field_types", field_types_inputs(state["field_profiles"], overrides)
    yield "messages", messages_inputs(state["events"], chosen)
    yield "embeddings", embeddings_inputs(state["messages"], model)
    for name in ("topics", "topic_assignments"):
        yield name, topics_inputs(state["messages"], state["embeddings"], chosen, clusters)
    yield "journey_steps", steps_inputs(state["messages"], state["topic_assignments"], chosen)
    yield "step_values", step_values_inputs(state["journey_steps"], tables["field_types"].mark(SEGMENT_FIELDS))
    yield "journey_moves", moves_inputs(state["journey_steps"])
    yield "journey_edges", edges_inputs(state["journey_moves"])
    yield "topic_days", topic_days_inputs(state["messages"], state["topic_assignments"], chosen)


def _rows(lake: Lake, table: Table) -> pl.DataFrame:
    """Return all projects' rows of a small table."""
    opened = store.open_table(lake, table)
    if opened is None:
        return table.empty()
    return pl.DataFrame(pl.from_arrow(opened.to_pyarrow_table())).select(table.schema.names()).cast(table.schema)
