"""A planted lake some of whose texts are gone."""

from __future__ import annotations

import datetime as dt

import polars as pl

from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    JOURNEY_STEPS,
    MESSAGES,
    REMOVALS,
    TEXT_SENTIMENT,
    TOPIC_ASSIGNMENTS,
    Table,
)
from turret_pipeline.semantics.gone import mark_of

REMOVED_AT = dt.datetime(2026, 3, 21, 1, 17, tzinfo=dt.UTC)


def let_go(lake: Lake, project_id: str, gone_day: dt.date) -> int:
    """Let the texts of a day of receipt be gone, as the retention leaves the tables; return how many."""
    marks: dict[str, str] = {}

    def rewrite(table: Table, change: pl.Expr | None = None, day: str = "received_date") -> None:
        rows = store.read(lake, table, project_id)
        of_day = pl.col(day) == gone_day
        for text_id in rows.filter(of_day)["text_id"]:
            marks[text_id] = mark_of(b"key", text_id)
        gone = rows.filter(of_day).with_columns(pl.col("text_id").replace(marks))
        if change is not None:
            gone = gone.with_columns(change)
        store.replace(lake, table, pl.concat([rows.filter(~of_day), gone]), project_id)

    rewrite(MESSAGES, pl.lit(None, dtype=pl.String).alias("text"))
    rewrite(JOURNEY_STEPS, day="message_date")
    for table in (TOPIC_ASSIGNMENTS, TEXT_SENTIMENT):
        rows = store.read(lake, table, project_id)
        copies = rows.filter(pl.col("text_id").is_in(list(marks))).with_columns(pl.col("text_id").replace(marks))
        store.append(lake, table, copies)
    removal = {
        "project_id": project_id,
        "removed_at": REMOVED_AT,
        "field": None,
        "days": 20,
        "from_date": gone_day,
        "until_date": gone_day,
        "n_events": 5,
        "n_messages": 5,
    }
    store.append(lake, REMOVALS, pl.DataFrame([removal], schema=REMOVALS.schema))
    return len(marks)
