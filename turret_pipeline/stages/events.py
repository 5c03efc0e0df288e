"""`events`: raw parts to events, each `event_id` of a project once, the first received winning."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import fingerprint
from turret_pipeline.lake.parts import (
    Part,
    count_rows,
    list_parts,
    read_again,
    read_ids,
    read_parts,
    source_of,
    taken_back,
)
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EVENTS
from turret_pipeline.stages.check import Check, Finding, ReceiptDays, each_once, finding, of_days
from turret_pipeline.stages.stage import TAKEN_BACK, UNFINISHED, Product, ProjectNow, Stage, Task
from turret_pipeline.stages.work import Outcome

RECEIPT = ("received_at", "part", "seq")
"""Columns that order events by receipt; `part` decides between collectors at the same microsecond."""

LOOKED_AT = 200
"""Parts of a collector and day whose events the checks look at; a run comes before there are so many new ones."""
_MANY = 2**32 - 1

GROUP_BYTES = 16 * 1024 * 1024
"""Size of the parts that are in memory at once: some 200,000 events. A day of imports holds millions."""


def bring(task: Task) -> Outcome:
    """After this call every raw part of the days that were asked for is in `events`.

    An event that was sent again is dropped, also when the first came on another day or through another collector. If
    the one that comes now was received before the one that is there, it takes its place. A day is one commit, or as
    many as its new parts make groups of `GROUP_BYTES`; the last one says that the day is done. Events of parts that
    were taken back go first, in a commit of their own. Those of parts that are missing for no known reason stay.
    """
    outcome = Outcome("events")
    stale = task.stale_days()
    todo = task.asked_for(stale)
    for position, day in enumerate(todo, start=1):
        outcome.days[day] = _bring_day(task, day)
        outcome.n_rows += outcome.days[day]
        task.work.tell("events", position, len(todo))
        failpoint.reached("events.after_day")
    outcome.facts = {"parts": sum(len(task.parts.get(day, ())) for day in todo)}
    return task.finish(outcome, is_whole=todo == stale)


def _bring_day(task: Task, day: dt.date) -> int:
    """Bring the parts of one day that are not in the table yet; return the number of events that are new in it."""
    parts = task.parts.get(day, [])
    consumed = _consumed(task, day)
    missing = consumed - {part.name for part in parts}
    notes = taken_back(task.work.lake, task.work.project_id) if missing else {}
    gone = {name for name in missing if source_of(name) in notes}
    n_new = _take_back(task, day, gone) if gone else 0
    if task.makes_anew(day) and parts:
        # At once, or a reader would find the day half there.
        return _bring_parts(task, day, parts, task.inputs(day), anew=True)
    groups = list(_groups([part for part in parts if part.name not in consumed])) or [[]]
    for group in groups:
        n_new += _bring_parts(task, day, group, task.inputs(day) if group is groups[-1] else UNFINISHED)
        failpoint.reached("events.after_group")
    return n_new


def _consumed(task: Task, day: dt.date) -> set[str]:
    """Return the names of the parts of a day that events in the table are from."""
    there = task.table.scan().filter(pl.col("received_date") == day).select(pl.col("part").unique())
    return set(there.collect()["part"])


def _take_back(task: Task, day: dt.date, gone: set[str]) -> int:
    """Commit the table without the events of a day's parts that are `gone`; return how many came in their places.

    An event that came again, in a part that is in the table, takes the place of the one that goes, on whichever day it
    was received. Parts that are not in the table yet bring theirs themselves.
    """
    table = task.table
    goes = (pl.col("received_date") == day) & pl.col("part").is_in(list(gone))
    ids = table.scan().filter(goes).select("event_id").collect()["event_id"]
    read = []
    for other, parts in task.parts.items():
        is_whole = table.inputs(other) == task.inputs(other)
        there = set() if is_whole else _consumed(task, other)
        read += [part for part in parts if is_whole or part.name in there]
    back = first_of_each(read_again(task.work.lake, read, ids)).with_columns(project_id=pl.lit(task.work.project_id))
    touched = sorted({day, *back["received_date"]})
    kept = table.scan().filter(pl.col("received_date").is_in(touched), ~goes).collect()
    rows = pl.concat([kept, back.select(EVENTS.schema.names())]).sort("received_date", *RECEIPT, "event_id")
    failpoint.reached("events.before_taking_back")
    table.replace(rows, touched, days={day: UNFINISHED}, marks={TAKEN_BACK: (table.mark(TAKEN_BACK) or 0) + 1})
    failpoint.reached("events.after_taking_back")
    return back.height


def _groups(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Yield the parts in order, as many at a time as hold `GROUP_BYTES`."""
    group: list[Part] = []
    for part in parts:
        if group and sum(each.size_bytes for each in group) + part.size_bytes > GROUP_BYTES:
            yield group
            group = []
        group.append(part)
    if group:
        yield group


def _bring_parts(task: Task, day: dt.date, parts: Iterable[Part], inputs: int, anew: bool = False) -> int:
    """Commit the events of some parts of a day (of all, `anew`); return how many are new. inputs: the day's mark."""
    table = task.table
    is_other = pl.col("received_date") != day if anew else pl.lit(True)
    came = first_of_each(read_parts(task.work.lake, parts))
    failpoint.reached("events.after_read")
    known = _known(table.near(came["event_id"]).filter(is_other), came)
    met = came.join(known, on="event_id", how="left", suffix="_known")
    won = met.filter(pl.col("received_date").is_null() | _received_before("_known"))
    beaten = won.filter(pl.col("received_date").is_not_null()).select("event_id", "received_date")
    new = won.with_columns(project_id=pl.lit(task.work.project_id), received_date=pl.lit(day, dtype=pl.Date))
    new = new.select(EVENTS.schema.names()).sort(*RECEIPT, "event_id")
    if beaten.is_empty() and not anew:
        table.append(new, days={day: inputs})
    else:
        touched = sorted({day, *beaten["received_date"]})
        kept = table.scan().filter(is_other, pl.col("received_date").is_in(touched)).collect()
        kept = kept.join(beaten, on=["event_id", "received_date"], how="anti")
        rows = pl.concat([kept, new]).sort("received_date", *RECEIPT, "event_id")
        table.replace(rows, touched, days={day: inputs})
    return new.height


def _known(others: pl.LazyFrame, came: pl.DataFrame) -> pl.DataFrame:
    """Return day and receipt of those of `others` that have the id of one of `came`.

    others: those of the files that may hold one. Of them only the ids are read, and few are in memory at once: some
    50 ms a million. The rest is looked up for those that are met again.
    """
    columns = others.select("event_id", "received_date", *RECEIPT)
    again = others.select("event_id").join(came.lazy().select("event_id"), on="event_id", how="semi")
    ids = again.unique().collect(engine="streaming")
    if ids.is_empty():
        return columns.head(0).collect()
    return columns.join(ids.lazy(), on="event_id", how="semi").collect(engine="streaming")


def first_of_each(events: pl.DataFrame) -> pl.DataFrame:
    """Return the events, of each id the one that was received first."""
    return events.sort(*RECEIPT).unique("event_id", keep="first", maintain_order=True)


def _received_before(suffix: str) -> pl.Expr:
    at, part, seq = (pl.col(name) for name in RECEIPT)
    other_at, other_part, other_seq = (pl.col(name + suffix) for name in RECEIPT)
    same_part = (part == other_part) & (seq < other_seq)
    return (at < other_at) | ((at == other_at) & ((part < other_part) | same_part))


def _what_came(now: ProjectNow, day: dt.date | None) -> tuple[object, ...]:
    """Return what stands for the raw parts: they are immutable, so their names say what they hold."""
    if day is not None:
        return (sorted(part.name for part in now.parts.get(day, ())),)
    names = {day: sorted(part.name for part in parts) for day, parts in now.parts.items()}
    return ([(day.isoformat(), fingerprint(names[day])) for day in sorted(names)],)


def nothing_lost(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """Every event of the days' newest raw parts (default: of the newest day's) is in `events`."""
    parts = list_parts(lake, project_id)
    newest = {max((part.received_date for part in parts), default=None)} if days is None else set(days)
    ids = read_ids(lake, _came_last(part for part in parts if part.received_date in newest))
    raw = pl.concat([pl.Series("event_id", dtype=pl.String), *ids]).unique().to_frame()
    events = store.scan(lake, EVENTS, project_id)
    of_newest = of_days(events, [day for day in newest if day is not None])
    lost = raw.join(of_newest.select("event_id").collect(), on="event_id", how="anti")
    if lost.height:
        # They may have come on another day first; the ids of all days are many more.
        near = store.scan_near(lake, EVENTS, project_id, lost["event_id"]).select("event_id")
        there = near.join(lost.lazy(), on="event_id", how="semi").collect(engine="streaming")
        lost = lost.join(there, on="event_id", how="anti")
    return finding(raw, lost)


def nothing_made_up(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """No part of the newest gave more events than it has rows, and no event came from a part that is not there."""
    parts = [part for part in list_parts(lake, project_id) if days is None or part.received_date in days]
    newest = _came_last(parts)
    counts = dict(zip(newest, count_rows(lake, newest), strict=True))
    rows = [(part.name, part.received_date, counts.get(part, _MANY)) for part in parts]
    there = pl.DataFrame(rows, {"part": pl.String, "received_date": pl.Date, "rows": pl.UInt32}, orient="row")
    events = of_days(store.scan(lake, EVENTS, project_id), days).group_by("part", "received_date").agg(n=pl.len())
    met = events.join(there.lazy(), on=["part", "received_date"], how="left").collect()
    return finding(met, met.filter(pl.col("n") > pl.col("rows").fill_null(0)))


def _came_last(parts: Iterable[Part]) -> list[Part]:
    """Return the newest `LOOKED_AT` parts of each collector and day, in order.

    Earlier ones were looked at as they came. Of a day that fills up all would be read again with each run, which on S3
    are thousands of requests.
    """
    of: dict[tuple[dt.date, str], list[Part]] = {}
    for part in sorted(parts):
        of.setdefault((part.received_date, part.source.rpartition("-")[0]), []).append(part)
    return sorted(part for some in of.values() for part in some[-LOOKED_AT:])


def no_event_on_two_days(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """No event that was received on one of the days was received on another day too."""
    rows = store.scan(lake, EVENTS, project_id).select("event_id", "received_date")
    if days is None:
        return each_once(rows, ["event_id"])
    ids = of_days(rows, days).select("event_id").collect()
    near = store.scan_near(lake, EVENTS, project_id, ids["event_id"]).select("event_id")
    return each_once(near.join(ids.lazy(), on="event_id", how="semi"), ["event_id"])


STAGE = Stage(
    makes=(
        Product(
            EVENTS,
            "Every event that your app tracked, once, by the day on which it was received. An event that came "
            "twice is kept once: the first that was received wins.",
            {"received_date": "raw_events.received_at"},
            {
                "nothing_lost": Check("every event of the newest raw parts is in the table", nothing_lost),
                "no_event_on_two_days": Check("no event was received on two days", no_event_on_two_days, blocking=True),
                "nothing_made_up": Check("no raw part gave more events than it has rows", nothing_made_up),
            },
        ),
    ),
    reads=(),
    besides=_what_came,
    method=bring,
    group="events",
    by_day=True,
)
