"""One run of the retention over one project: what is due by the rules now goes, and `removals` says what it was.

What is due follows from the rules and the tables, and a mark in `events` says of each day of receipt by which of them
it was done; so a day is looked into once. A session's or a user's id goes once the newest event that bears it is past
the days of the project: until then the id is needed to tell that the older ones are of the same. A day whose tables do
not follow from its events yet is left for the next run.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable, fingerprint
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS, JOURNEY_STEPS, MESSAGES, REMOVALS, RETENTION_RULES, TOPIC_ASSIGNMENTS
from turret_pipeline.retention.metadata import Goes
from turret_pipeline.retention.order import Note, Order, begin, end, noted
from turret_pipeline.retention.strip import Stripped, finish, goes_of, strip
from turret_pipeline.semantics.gone import IS_MARK
from turret_pipeline.semantics.retention import Rules, last_day, rules_of
from turret_pipeline.stages import STAGE_OF
from turret_pipeline.stages.field_types import TEXT_FIELDS
from turret_pipeline.stages.stage import Task
from turret_pipeline.stages.work import Work

FOLLOW = ("events", "messages", "step_values", "friction", "answers")
"""Tables whose day must follow from what they are made from, before the day's texts go."""


@dataclass
class Retained:
    """What a run did to a project. waiting: days that are due and are left for the next run."""

    stripped: Stripped = field(default_factory=Stripped)
    waiting: list[dt.date] = field(default_factory=list)


def retain(work: Work, now: dt.datetime, tell: Callable[[dt.date], None] = lambda day: None) -> Retained:
    """After this call nothing is left of the project that its rules do not keep, but on days that wait.

    work: the project's, with the model in use. Call it with the project's lock.
    """
    lake, project_id = work.lake, work.project_id
    finish(lake, project_id, tell)
    rules = _rules(lake, project_id)
    is_cut_off = noted(lake, project_id) is not None
    if not rules and not is_cut_off:
        return Retained()
    due = _due(lake, project_id, rules, now.date())
    ready = _ready(work)
    done = Retained(waiting=sorted(set(due) - ready))
    goes = {day: due[day] for day in sorted(set(due) & ready)}
    border = rules.last_day(now.date())
    whole = frozenset(day for day, each in goes.items() if each.fields is None)
    # Ids wait for all days that are due, or a session would have two marks.
    sessions, users = _past(lake, project_id, None if done.waiting else border)
    if not (goes or sessions.len() or users.len() or is_cut_off):
        return done
    note = begin(lake, project_id, noted(lake, project_id) or Note("", since=now))
    done.stripped = strip(lake, project_id, Order(goes, whole, None, sessions, users), note, tell)
    failpoint.reached("retention.before_removals")
    _write_down(lake, project_id, rules, done.stripped, goes, note.since or now)
    failpoint.reached("retention.after_removals")
    _mark(lake, project_id, goes)
    end(lake, project_id)
    return done


def has_rules(lake: Lake, project_id: str) -> bool:
    """Return whether the project has rules."""
    return bool(_rules(lake, project_id))


def _rules(lake: Lake, project_id: str) -> Rules:
    return rules_of(store.read(lake, RETENTION_RULES, project_id))


def _due(lake: Lake, project_id: str, rules: Rules, today: dt.date) -> dict[dt.date, Goes]:
    """Return by day of receipt what goes of the days that are past the rules and were not done by them yet."""
    events = ProjectTable(lake, EVENTS, project_id)
    border, of_fields = rules.last_day(today), {name: last_day(days, today) for name, days in rules.fields.items()}
    found = {}
    all_fields = goes_of(lake, project_id, None)
    for day in events.days():
        fields = frozenset(name for name, last in of_fields.items() if last is not None and day <= last)
        is_whole = border is not None and day <= border
        if is_whole or fields:
            goes = Goes(None if is_whole else fields, all_fields.text, all_fields.kept)
            if events.mark(_done_on(day)) != _done_by(events, day, goes):
                found[day] = goes
    return found


def _done_on(day: dt.date) -> str:
    """Return the name of the mark in `events` that says by what the day was done."""
    return f"let go on {day.isoformat()}"


def _done_by(events: ProjectTable, day: dt.date, goes: Goes) -> int:
    fields = ["all"] if goes.fields is None else ["only", *sorted(goes.fields - goes.kept)]
    return fingerprint(events.state(day), fields)


def _mark(lake: Lake, project_id: str, goes: dict[dt.date, Goes]) -> None:
    events = ProjectTable(lake, EVENTS, project_id)
    if goes:
        marks = {_done_on(day): _done_by(events, day, each) for day, each in goes.items()}
        events.append(EVENTS.empty(), marks=marks)


def _ready(work: Work) -> set[dt.date]:
    """Return the days of receipt whose tables follow from their events."""
    stale: set[dt.date] = set()
    for name in FOLLOW:
        stage = STAGE_OF[name]
        stale.update(stage.stale_days(Task(stage, work)))
    task = Task(STAGE_OF[JOURNEY_STEPS.name], work)
    messages, assigned, steps = task.open(MESSAGES), task.open(TOPIC_ASSIGNMENTS), task.table
    chosen = Task(STAGE_OF[MESSAGES.name], work)
    text_fields = chosen.open(STAGE_OF["field_types"].table).mark(TEXT_FIELDS)
    for day in messages.days():
        state = messages.state(day)
        is_assigned = assigned.inputs(day) == fingerprint(state, text_fields)
        if not is_assigned or steps.inputs(day) != task.stage.of_version(state or 0):
            stale.add(day)
    return set(task.open(EVENTS).days()) - stale


def _past(lake: Lake, project_id: str, border: dt.date | None) -> tuple[pl.Series, pl.Series]:
    """Return the ids of sessions and of users of which no event is younger than `border`, without marks."""
    found = []
    for name in ("session_id", "user_id"):
        if border is None:
            found.append(pl.Series(name, dtype=pl.String))
            continue
        rows = store.scan(lake, EVENTS, project_id).select("received_date", name)
        newest = rows.group_by(name).agg(pl.col("received_date").max())
        past = newest.filter(pl.col("received_date") <= border, ~pl.col(name).str.contains(IS_MARK))
        found.append(past.select(name).collect(engine="streaming")[name].sort())
    return found[0], found[1]


def _write_down(
    lake: Lake, project_id: str, rules: Rules, done: Stripped, goes: dict[dt.date, Goes], now: dt.datetime
) -> None:
    """After this call `removals` says what went, if anything did; once, also where a run was cut off behind it."""
    rows: list[tuple[str | None, int, list[dt.date]]] = []
    whole = [day for day in done.n_events if day not in goes or goes[day].fields is None]
    if whole and rules.days is not None:
        rows.append((None, rules.days, whole))
    for name, days in rules.fields.items():
        of_field = [day for day in done.n_events if day in goes and name in (goes[day].fields or ())]
        rows += [(name, days, of_field)] if of_field else []
    frame = [
        {
            "project_id": project_id,
            "removed_at": now,
            "field": name,
            "days": days,
            "from_date": min(of),
            "until_date": max(of),
            "n_events": sum(done.n_events[day] for day in of),
            "n_messages": sum(done.n_messages_of(day, name) for day in of),
        }
        for name, days, of in rows
    ]
    known = store.scan(lake, REMOVALS, project_id).filter(pl.col("removed_at") == now).collect()
    if frame and known.is_empty():
        store.append(lake, REMOVALS, pl.DataFrame(frame, schema=REMOVALS.schema))
