"""What is erased leaves `events`, and the tables that people write to; all others follow with the next build."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping

import orjson
import polars as pl
from deltalake.exceptions import CommitFailedError

from turret_pipeline import failpoint
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.parts import list_parts, read_again
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    ANNOTATIONS,
    EVENTS,
    FIELD_OUTCOMES,
    FIELD_OVERRIDES,
    SAVED_VIEWS,
    TOPIC_EDITS,
    TOPIC_NOTES,
    Table,
)
from turret_pipeline.semantics.definitions import DEFINE, LEAST_EXAMPLES, definition
from turret_pipeline.stages.erasure.quoting import Quoting
from turret_pipeline.stages.erasure.together import Together
from turret_pipeline.stages.events import RECEIPT, first_of_each
from turret_pipeline.stages.stage import TAKEN_BACK

OF_PEOPLE: Mapping[str, tuple[Table, tuple[str, ...], tuple[str, ...]]] = {
    table.name: (table, of_one, said)
    for table, of_one, said in (
        (FIELD_OVERRIDES, ("field",), ("field",)),
        (FIELD_OUTCOMES, ("field",), ("field", "good")),
        (TOPIC_EDITS, ("field", "topic_id", "action"), ("field", "value")),
        (ANNOTATIONS, ("annotation_id",), ("text",)),
        (TOPIC_NOTES, ("field", "note_id"), ("field", "text")),
        (SAVED_VIEWS, ("view_id",), ("name", "address")),
    )
}
"""The tables that people write to: columns of which all rows are of one thing, and columns that may quote."""

TRIES = 5


def remove_events(lake: Lake, gone: Together) -> Counter[str]:
    """After this call no event that is erased is in `events`; return how many went with this call, by erasure.

    An event with the same id that is not erased, and was received later, takes its place: as if it alone had come.
    """
    table = ProjectTable(lake, EVENTS, gone.project_id)
    ids = pl.Series("event_id", gone.event_ids, pl.String)
    found = gone.selection.of(table.scan().filter(pl.col("event_id").is_in(ids.implode())).collect())
    if found.is_empty():
        return Counter()
    back = _others(lake, table, gone, found["event_id"])
    touched = sorted({*found["received_date"], *back["received_date"]})
    of_days = table.scan().filter(pl.col("received_date").is_in(touched)).collect()
    kept = of_days.join(found, on="event_id", how="anti")
    rows = pl.concat([kept, back]).sort("received_date", *RECEIPT, "event_id")
    failpoint.reached("erasure.before_events")
    table.replace(rows, touched, marks={TAKEN_BACK: (table.mark(TAKEN_BACK) or 0) + 1})
    failpoint.reached("erasure.after_events")
    return Counter({each.erasure_id: each.selection.of(found).height for each in gone.erasures})


def remember_no_more(lake: Lake, gone: Together) -> None:
    """After this call tables that remember earlier rows are made anew by the next build, as if events had gone."""
    table = ProjectTable(lake, EVENTS, gone.project_id)
    table.append(EVENTS.empty(), marks={TAKEN_BACK: (table.mark(TAKEN_BACK) or 0) + 1})


def _others(lake: Lake, table: ProjectTable, gone: Together, ids: pl.Series) -> pl.DataFrame:
    """Return, as rows of `events`, those events with these ids that stay, out of parts that the table has."""
    there = table.scan().select("received_date", "part").unique().collect()
    of_table = set(there.iter_rows())
    parts = [part for part in list_parts(lake, gone.project_id) if (part.received_date, part.name) in gone.others]
    # A part all of whose events were beaten has none in the table; the day's mark says that it was looked at. Parts
    # of days that are not done bring theirs themselves, and what is here then is the same.
    parts = [part for part in parts if table.inputs(part.received_date) or (part.received_date, part.name) in of_table]
    back = first_of_each(read_again(lake, parts, ids))
    return back.with_columns(project_id=pl.lit(gone.project_id)).select(EVENTS.schema.names())


def remove_quotes(lake: Lake, gone: Together) -> dict[str, int]:
    """After this call nothing that people wrote quotes what is erased; return how many rows went, by table."""
    quoting = Quoting(gone)
    return {name: _removed(lake, gone.project_id, quoting, *about) for name, about in OF_PEOPLE.items()}


def _removed(
    lake: Lake, project_id: str, quoting: Quoting, table: Table, of_one: tuple[str, ...], said: tuple[str, ...]
) -> int:
    for attempt in range(TRIES):
        opened = ProjectTable(lake, table, project_id)
        rows = opened.read()
        quotes = pl.Series([False] * rows.height, dtype=pl.Boolean)
        for column in said:
            quotes |= _quotes(quoting, rows[column], column)
        changed = _without_quotes(quoting, rows, quotes) if table is TOPIC_EDITS else rows.filter(quotes).clear()
        # An earlier text of the same thing would come back, if its latest went alone.
        kept = rows.join(rows.filter(quotes), on=list(of_one), how="anti")
        n_gone = rows.height - kept.height - changed.height
        if not quotes.any():
            return 0
        with contextlib.suppress(CommitFailedError) if attempt + 1 < TRIES else contextlib.nullcontext():
            opened.replace(pl.concat([kept, changed]).sort(*table.key))
            failpoint.reached("erasure.after_quotes")
            return n_gone + changed.height
    raise AssertionError("the last attempt returns or raises")


def _quotes(quoting: Quoting, values: pl.Series, column: str) -> pl.Series:
    """Tell of each row whether it quotes. The name of a field does where it is one that is erased, not a part of it."""
    if isinstance(values.dtype, pl.List):
        return pl.Series([any(map(quoting.is_in, each or ())) for each in values.to_list()], dtype=pl.Boolean)
    return quoting.are(values) if column == "field" else quoting.are_in(values)


def _without_quotes(quoting: Quoting, edits: pl.DataFrame, quotes: pl.Series) -> pl.DataFrame:
    """Return the latest definitions among edits that quote, without the examples that do, where enough are left."""
    rows = edits.filter(quotes & (pl.Series(edits["action"]) == DEFINE)).sort("decided_at")
    kept = []
    for row in rows.unique(["field", "topic_id"], keep="last", maintain_order=True).iter_rows(named=True):
        if row["value"] is None or quoting.is_one(row["field"]):
            continue
        found = definition(row["topic_id"], row["value"])
        examples, counters = (
            [text for text in texts if not quoting.is_in(text)] for texts in (found.examples, found.counter_examples)
        )
        if len(examples) >= LEAST_EXAMPLES and not quoting.is_in(found.label):
            words = {"label": found.label, "examples": examples, "counter_examples": counters}
            kept.append({**row, "value": orjson.dumps(words).decode()})
    return pl.DataFrame(kept, schema=edits.schema)
