"""One day of receipt in the tables that have a row for an event or a message: the same rows, with marks.

Rows keep their places in the files: what lies beside the steps (`step_values`) tells them by their order.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.analysis.fields.detect import profile_fields
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import ANSWERS, EVENTS, FIELD_PROFILES, FRICTION, JOURNEY_STEPS, MESSAGES
from turret_pipeline.retention.metadata import strip
from turret_pipeline.retention.order import Order
from turret_pipeline.semantics.gone import IS_GONE, marks_of

IDS = ("event_id", "session_id", "user_id")


@dataclass(frozen=True)
class Day:
    """The events of one day of receipt, as they are and as they are to be.

    Args:
        day: which.
        now: rows of `EVENTS`, as they are to be, in the order of those that there are.
        was: their ids as they are.
        loses: whether each loses values.
        changed: of those that change `was`, and ids and metadata as they are to be.
    """

    day: dt.date
    now: pl.DataFrame
    was: pl.Series
    loses: pl.Series
    changed: pl.DataFrame

    @property
    def losing(self) -> pl.Series:
        """Ids, as they are, of the events that lose values."""
        return self.was.filter(self.loses)


def day_of(lake: Lake, project_id: str, day: dt.date, order: Order, key: bytes) -> Day:
    """Return the events of a day as they are and as they are to be."""
    before = ProjectTable(lake, EVENTS, project_id).scan().filter(pl.col("received_date") == day).collect()
    loses = order.losing(day, before["event_id"])
    now = changed_rows(before, loses, day, order, key)
    columns = (*IDS, "metadata")
    is_other = pl.any_horizontal(pl.col(name) != pl.col(f"{name}_was") for name in columns)
    both = now.select(columns).hstack(before.select(pl.col(columns).name.suffix("_was")))
    changed = both.filter(is_other).select(pl.col("event_id_was").alias("was"), *columns)
    return Day(day, now, before["event_id"], loses, changed)


def changed_rows(before: pl.DataFrame, loses: pl.Series, day: dt.date, order: Order, key: bytes) -> pl.DataFrame:
    """Return events (ids and metadata, and whatever else) as they are to be; `loses`: whether each loses values."""
    columns = [
        _marked(before["session_id"], before["session_id"].is_in(order.sessions.implode()), key),
        _marked(before["user_id"], before["user_id"].is_in(order.users.implode()), key),
    ]
    if day in order.whole:
        columns.append(_marked(before["event_id"], loses, key))
    if day in order.goes:
        less = strip(before["metadata"].filter(loses), key, order.goes[day])
        columns.append(before["metadata"].scatter(loses.arg_true(), less))
    return before.with_columns(columns)


def _marked(ids: pl.Series, goes: pl.Series, key: bytes) -> pl.Series:
    distinct = ids.filter(goes).unique()
    return ids.replace(distinct, marks_of(key, distinct)) if distinct.len() else ids


def gone_texts(lake: Lake, day: Day, order: Order, key: bytes) -> pl.DataFrame:
    """Return `field`, `text_id`, `mark` and `n_messages` of the distinct texts that messages of the day lose."""
    said = ProjectTable(lake, MESSAGES, day.now["project_id"][0]).scan()
    said = said.filter(pl.col("received_date") == day.day, pl.col("event_id").is_in(day.losing.implode()), ~IS_GONE)
    rows = said.group_by("field", "text_id").agg(n_messages=pl.len()).sort("field", "text_id").collect()
    goes = order.goes.get(day.day)
    rows = rows.filter(pl.Series([goes is not None and goes.takes(field) for field in rows["field"]], dtype=pl.Boolean))
    return rows.with_columns(marks_of(key, rows["text_id"]).alias("mark"))


def rewrite_day(lake: Lake, day: Day, texts: pl.DataFrame) -> None:
    """After this call no table has an event of the day as it was.

    texts: as of `gone_texts`. `messages` and `events` come last: until then they tell what is to be done.
    """
    project_id = day.now["project_id"][0]
    ids = day.changed.select("was", *(pl.col(name).alias(f"{name}_now") for name in IDS))

    def of_event(rows: pl.DataFrame) -> pl.DataFrame:
        return _with_ids(rows, ids)

    def of_message(rows: pl.DataFrame) -> pl.DataFrame:
        return _with_ids(_with_marks(rows, day, texts, "field"), ids)

    def of_answer(rows: pl.DataFrame) -> pl.DataFrame:
        return _with_ids(_with_marks(rows, day, texts, "answer_field"), ids)

    steps = ProjectTable(lake, JOURNEY_STEPS, project_id)
    of_day = pl.col("message_date") == day.day
    lie = steps.scan().filter(of_day).select(pl.col("received_date").unique()).collect()["received_date"].to_list()
    _rewrite(ProjectTable(lake, FRICTION, project_id), lie, of_event)
    _rewrite(ProjectTable(lake, ANSWERS, project_id), lie, of_answer)
    failpoint.reached("strip.after_signs")
    _rewrite(steps, lie, of_message)
    failpoint.reached("strip.after_steps")
    _rewrite(ProjectTable(lake, MESSAGES, project_id), [day.day], of_message)
    failpoint.reached("strip.after_messages")
    _rewrite_profiles(lake, day)
    _rewrite(ProjectTable(lake, EVENTS, project_id), [day.day], lambda rows: day.now)
    failpoint.reached("strip.after_events")


def _with_marks(rows: pl.DataFrame, day: Day, texts: pl.DataFrame, field: str) -> pl.DataFrame:
    """Return `rows` with the marks of the texts that their events lose. field: column that the text is of."""
    of = texts.select(pl.col("field").alias(field), "text_id", "mark")
    met = rows.join(of, on=[field, "text_id"], how="left", maintain_order="left")
    mark = pl.when(pl.col("event_id").is_in(day.losing.implode())).then("mark")
    met = met.with_columns(mark=mark)
    if "text" in rows.columns:
        met = met.with_columns(text=pl.when(pl.col("mark").is_null()).then("text"))
    return met.with_columns(text_id=pl.coalesce("mark", "text_id")).drop("mark")


def _with_ids(rows: pl.DataFrame, ids: pl.DataFrame) -> pl.DataFrame:
    """Return `rows` with the ids that their events have now."""
    met = rows.join(ids, left_on="event_id", right_on="was", how="left", maintain_order="left")
    there = [name for name in IDS if name in rows.columns]
    return met.with_columns(pl.coalesce(f"{name}_now", name).alias(name) for name in there)


def _rewrite(table: ProjectTable, days: Iterable[dt.date], change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """After this call the rows of the days are as `change` makes them."""
    for day in days:
        before = table.scan().filter(pl.col("received_date") == day).collect()
        after = change(before).select(table.table.schema.names())
        if not after.equals(before):
            table.rewrite(after, [day])


def _rewrite_profiles(lake: Lake, day: Day) -> None:
    """After this call the day's profiles are those of its events as they are to be."""

    def profiled(before: pl.DataFrame) -> pl.DataFrame:
        if before.is_empty():
            return before
        found = profile_fields(day.now.select("timestamp", "metadata"), left_out=set())
        of_day = found.with_columns(
            project_id=pl.lit(before["project_id"][0]), received_date=pl.lit(day.day, dtype=pl.Date)
        )
        return of_day.sort("month", "field")

    return _rewrite(ProjectTable(lake, FIELD_PROFILES, day.now["project_id"][0]), [day.day], profiled)
