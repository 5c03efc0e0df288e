"""What must be true of each table, as questions to the lake; the assets ask them after every run.

A check looks at one project; where a table is kept by day of receipt, at the days that were worked on, so that it costs
what the work did and not what the history would. `blocking` ones stop what lies downstream: rows that are counted twice
would spoil all of it. No Dagster here, so that a test, or a person at a prompt, can ask the same.

From stage to stage the counts add up: raw parts to events, events to messages, messages to vectors and assignments,
sessions to journeys.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from dataclasses import dataclass

import orjson
import polars as pl
import pyarrow as pa

from turret_pipeline.analysis.fields.shapes import BLANK
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.parts import count_rows, list_parts, read_parts
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    EMBEDDINGS,
    EVENTS,
    FIELD_PROFILES,
    FIELD_TYPES,
    JOURNEY_EDGES,
    JOURNEY_MOVES,
    JOURNEY_STEPS,
    MESSAGES,
    STEP_VALUES,
    TABLES,
    TOPIC_ASSIGNMENTS,
    TOPIC_DAYS,
    TOPIC_FITS,
    TOPIC_LINEAGE,
    TOPICS,
    Table,
)
from turret_pipeline.semantics.visits import END, START

SAMPLE_VECTORS = 5_000
UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Finding:
    """How many things were looked at, how many of them are wrong, and one of those in words."""

    n_seen: int
    n_wrong: int
    example: str = ""


Days = Collection[dt.date] | None
"""The days of receipt to look at, in tables that know them; None: all."""


@dataclass(frozen=True)
class Check:
    """One check: what it makes sure of, in words, and the function that looks."""

    meaning: str
    find: Callable[[Lake, str, Days], Finding]
    blocking: bool = False


def unique_key(table: Table) -> Check:
    """Return the check that the table's key names each row once: of each day, where it is kept by day of receipt.

    That no event is in two days `no_event_on_two_days` makes sure of; messages, steps and values follow from events day
    by day, and other checks count them.
    """
    by_day = "received_date" in table.partition_by
    key = list(dict.fromkeys([*table.key, "received_date"])) if by_day else list(table.key)

    def find(lake: Lake, project_id: str, days: Days = None) -> Finding:
        rows = store.scan(lake, table, project_id)
        return _once(_of_days(rows, days) if by_day else rows, key)

    each_day = " of a day" if by_day and "received_date" not in table.key else ""
    return Check(f"{', '.join(table.key)} names each row{each_day} once", find, blocking=True)


def no_event_on_two_days(lake: Lake, project_id: str, days: Days = None) -> Finding:
    """No event that was received on one of the days was received on another day too."""
    rows = store.scan(lake, EVENTS, project_id).select("event_id", "received_date")
    ids = _of_days(rows, days).select("event_id")
    return _once(rows if days is None else rows.join(ids, on="event_id", how="semi"), ["event_id"])


def declared_types(table: Table) -> Check:
    """Return the check that the columns in the lake have the types that the table declares."""

    def find(lake: Lake, project_id: str, days: Days = None) -> Finding:
        opened = store.open_table(lake, table)
        if opened is None:
            return Finding(0, 0)
        empty = pa.schema(opened.schema().to_arrow()).empty_table()
        found = pl.DataFrame(pl.from_arrow(empty)).schema
        wrong = {name: dtype for name, dtype in table.schema.items() if found.get(name) != dtype}
        example = "; ".join(f"{name} is {found.get(name)}, not {dtype}" for name, dtype in wrong.items())
        return Finding(len(table.schema), len(wrong), example)

    return Check("every column has the type that is declared", find)


def nothing_lost(lake: Lake, project_id: str, days: Days = None) -> Finding:
    """Every event of the days' raw parts (default: of the newest day's) is in `events`."""
    parts = list_parts(lake, project_id)
    newest = {max((part.received_date for part in parts), default=None)} if days is None else set(days)
    raw = read_parts(lake, [part for part in parts if part.received_date in newest]).select("event_id").unique()
    there = store.scan(lake, EVENTS, project_id).select("event_id")
    return _finding(raw, raw.lazy().join(there, on="event_id", how="anti").collect())


def nothing_made_up(lake: Lake, project_id: str, days: Days = None) -> Finding:
    """No part gave more events than it has rows, and none came from a part that is not there."""
    parts = [part for part in list_parts(lake, project_id) if days is None or part.received_date in days]
    rows = {"part": [part.name for part in parts], "received_date": [part.received_date for part in parts]}
    there = pl.DataFrame(rows, schema={"part": pl.String, "received_date": pl.Date})
    there = there.with_columns(rows=pl.Series(count_rows(lake, parts), dtype=pl.UInt32))
    events = _of_days(store.scan(lake, EVENTS, project_id), days).group_by("part", "received_date").agg(n=pl.len())
    met = events.join(there.lazy(), on=["part", "received_date"], how="left").collect()
    return _finding(met, met.filter(pl.col("n") > pl.col("rows").fill_null(0)))


def profiles_reconcile(lake: Lake, project_id: str, days: Days = None) -> Finding:
    """No field of a day is in more events than the day has."""
    events = _of_days(store.scan(lake, EVENTS, project_id), days).group_by("received_date").agg(there=pl.len())
    by_field = _of_days(store.scan(lake, FIELD_PROFILES, project_id), days).group_by("received_date", "field")
    profiles = by_field.agg(pl.col("n_events").sum())
    met = profiles.join(events, on="received_date", how="left").collect()
    wrong = met.filter(pl.col("n_events") > pl.col("there").fill_null(0))
    return _finding(met, wrong)


def every_field_has_a_type(lake: Lake, project_id: str, days: Days = None) -> Finding:
    fields = store.scan(lake, FIELD_PROFILES, project_id).select("field").unique().collect()
    return _all_in(fields, store.read(lake, FIELD_TYPES, project_id, "field"), "field")


def messages_have_events(lake: Lake, project_id: str, days: Days = None) -> Finding:
    messages = _of_days(store.scan(lake, MESSAGES, project_id), days).select("event_id").unique()
    there = _of_days(store.scan(lake, EVENTS, project_id), days).select("event_id")
    return _finding(messages.collect(), messages.join(there, on="event_id", how="anti").collect())


def messages_add_up(lake: Lake, project_id: str, days: Days = None) -> Finding:
    """Each day has as many messages of a text field as its profile says that the field had texts that are not blank."""
    text = store.scan(lake, FIELD_TYPES, project_id).filter(pl.col("type") == "text").select("field")
    profiles = _of_days(store.scan(lake, FIELD_PROFILES, project_id), days).join(text, on="field", how="semi").collect()
    counts = []
    for evidence in profiles["evidence"]:
        found = orjson.loads(evidence)
        counts.append(found["kinds"].get("text", 0) - found["shapes"].get(BLANK, 0))
    texts = profiles.select("received_date", "field", texts=pl.Series(counts, dtype=pl.Int64))
    wanted = texts.group_by("received_date", "field").sum()
    messages = _of_days(store.scan(lake, MESSAGES, project_id), days).group_by("received_date", "field")
    met = wanted.join(messages.agg(n=pl.len()).collect(), on=["received_date", "field"], how="left")
    return _finding(met, met.filter(pl.col("n").fill_null(0) != pl.col("texts")))


def every_text_has_a_vector(lake: Lake, project_id: str, days: Days = None) -> Finding:
    return _all_there(_texts(lake, project_id, days, "text_id"), store.scan(lake, EMBEDDINGS, project_id))


def vectors_are_of_unit_length(lake: Lake, project_id: str, days: Days = None) -> Finding:
    """Of a sample: all of them are checked before they are written."""
    sample = store.scan(lake, EMBEDDINGS, project_id).select("text_id", "vector").head(SAMPLE_VECTORS).collect()
    return _finding(sample.select("text_id"), sample.filter(not_unit("vector")).select("text_id"))


def not_unit(column: str) -> pl.Expr:
    """Return whether the vector in `column` is not finite or not of unit length."""
    vector = pl.col(column).cast(pl.List(pl.Float64))
    square = (vector * vector).list.sum()
    near = square.is_finite() & ((square.sqrt() - 1).abs() <= UNIT_TOLERANCE)
    return ~near.fill_null(False)


def centroids_are_of_unit_length(lake: Lake, project_id: str, days: Days = None) -> Finding:
    topics = store.read(lake, TOPICS, project_id, "topic_id", "centroid")
    return _finding(topics.select("topic_id"), topics.filter(not_unit("centroid")).select("topic_id"))


def labels_are_distinct(lake: Lake, project_id: str, days: Days = None) -> Finding:
    topics = store.scan(lake, TOPICS, project_id).select("field", "level", "label").collect()
    return _finding(topics, topics.filter(topics.is_duplicated()))


def assignments_lead_to_topics(lake: Lake, project_id: str, days: Days = None) -> Finding:
    assigned = store.scan(lake, TOPIC_ASSIGNMENTS, project_id).filter(pl.col("topic_id").is_not_null())
    used = assigned.select("field", "topic_id").unique().collect()
    topics = store.read(lake, TOPICS, project_id, "field", "topic_id")
    return _finding(used, used.join(topics, on=["field", "topic_id"], how="anti"))


def every_text_is_assigned(lake: Lake, project_id: str, days: Days = None) -> Finding:
    texts = _texts(lake, project_id, days, "field", "text_id")
    return _all_there(texts, store.scan(lake, TOPIC_ASSIGNMENTS, project_id))


def every_message_is_a_step(lake: Lake, project_id: str, days: Days = None) -> Finding:
    """Each day has as many steps of a field as messages, and each session that lies on it one that is its first."""
    day = pl.col("received_date")
    messages = _of_days(store.scan(lake, MESSAGES, project_id), days).group_by("field", day).agg(messages=pl.len())
    steps = store.scan(lake, JOURNEY_STEPS, project_id)
    received = steps.select("field", received_date="message_date")
    made = _of_days(received, days).group_by("field", day).agg(steps=pl.len())
    sessions = _of_days(steps, days).group_by("field", day)
    begun = sessions.agg(begun=(pl.col("place") == 0).sum(), sessions=pl.col("session_id").n_unique())
    met = messages.join(made, on=["field", "received_date"], how="full", coalesce=True)
    met = met.join(begun, on=["field", "received_date"], how="full", coalesce=True)
    found = met.collect().with_columns(pl.exclude("field", "received_date").fill_null(0))
    wrong = found.filter((pl.col("messages") != pl.col("steps")) | (pl.col("begun") != pl.col("sessions")))
    return _finding(found, wrong)


def values_fit_the_steps(lake: Lake, project_id: str, days: Days = None) -> Finding:
    """On each day every enum and number field has a place for each step of a text field, among as many values."""
    steps = _of_days(store.scan(lake, JOURNEY_STEPS, project_id), days).group_by("received_date", "field")
    types = store.scan(lake, FIELD_TYPES, project_id).filter(pl.col("type").is_in(["enum", "number"]))
    wanted = steps.agg(steps=pl.len()).join(types.select(segment="field"), how="cross")
    key = ["received_date", "field", "segment"]
    places, values, numbers = (pl.col(name).list for name in ("places", "values", "numbers"))
    there = _of_days(store.scan(lake, STEP_VALUES, project_id), days)
    there = there.select(*key, n=places.len(), most=places.max(), values=values.len(), numbers=numbers.len())
    met = wanted.join(there, on=key, how="full", coalesce=True).collect()
    fits = (pl.col("n") == pl.col("steps")) & (pl.col("most") + 1 == pl.col("values"))
    return _finding(met, met.filter(~(fits & (pl.col("values") == pl.col("numbers"))).fill_null(False)))


def moves_balance(lake: Lake, project_id: str, days: Days = None) -> Finding:
    """On each day as many sessions leave `start` as enter `end`, and each move between visits has its gap."""
    there = _of_days(store.scan(lake, JOURNEY_MOVES, project_id), days)
    moves = there.with_columns(n_gaps=pl.col("gaps_s").list.len()).collect()
    start, end = pl.col("from_topic") == START, pl.col("to_topic") == END
    wrong = moves.filter(
        pl.when(start | end).then(pl.col("n_gaps") != 0).otherwise(pl.col("n_gaps") != pl.col("count"))
        | (pl.col("count").filter(start).sum() != pl.col("count").filter(end).sum()).over("received_date", "field")
    )
    return _finding(moves, wrong.drop("gaps_s"))


def every_fit_is_told(lake: Lake, project_id: str, days: Days = None) -> Finding:
    """Every fit that topics are of has its row."""
    topics = store.scan(lake, TOPICS, project_id).select("field", "model_version").unique().collect()
    fits = store.read(lake, TOPIC_FITS, project_id, "field", "model_version")
    return _finding(topics, topics.join(fits, on=["field", "model_version"], how="anti"))


def every_topic_comes_from_somewhere(lake: Lake, project_id: str, days: Days = None) -> Finding:
    """Every topic carried on, was born, or was split off at the fit that it is of."""
    topics = store.scan(lake, TOPICS, project_id).filter(pl.col("level") == 0)
    names = topics.select("field", "model_version", to_topic="topic_id").collect()
    ways = store.read(lake, TOPIC_LINEAGE, project_id, "field", "model_version", "to_topic")
    return _finding(names, names.join(ways, on=list(names.columns), how="anti"))


def days_add_up(lake: Lake, project_id: str, days: Days = None) -> Finding:
    """As many messages are counted for each field and day of receipt as there are."""
    messages = _of_days(store.scan(lake, MESSAGES, project_id), days)
    sent = messages.group_by("field", "received_date").agg(there=pl.len())
    by_day = _of_days(store.scan(lake, TOPIC_DAYS, project_id), days).group_by("field", "received_date")
    counted = by_day.agg(counted=pl.col("n_messages").sum())
    met = sent.join(counted, on=["field", "received_date"], how="full", coalesce=True).fill_null(0).collect()
    return _finding(met, met.filter(pl.col("there") != pl.col("counted")))


def edges_balance(lake: Lake, project_id: str, days: Days = None) -> Finding:
    """As many moves lead into a node as out of it, and each session starts and ends once."""
    edges = store.read(lake, JOURNEY_EDGES, project_id)
    out = edges.group_by("field", node="from_topic").agg(left=pl.col("count").sum())
    into = edges.group_by("field", node="to_topic").agg(entered=pl.col("count").sum())
    nodes = out.join(into, on=["field", "node"], how="full", coalesce=True).fill_null(0)
    first = store.scan(lake, JOURNEY_STEPS, project_id).filter(pl.col("place") == 0)
    spoken = first.group_by("field").agg(sessions=pl.len())
    met = nodes.join(spoken.collect(), on="field", how="left").fill_null(0)
    start, end = pl.col("node") == START, pl.col("node") == END
    wrong = met.filter(
        (start & (pl.col("left") != pl.col("sessions")))
        | (end & (pl.col("entered") != pl.col("sessions")))
        | (~start & ~end & (pl.col("left") != pl.col("entered")))
    )
    return _finding(met, wrong)


def _all_in(rows: pl.DataFrame, there: pl.DataFrame, column: str) -> Finding:
    return _finding(rows, rows.join(there, on=column, how="anti"))


def _once(rows: pl.LazyFrame, key: list[str]) -> Finding:
    """Return whether `key` names each of `rows` once."""
    # By hash: the ids of millions of rows need not be in memory to be counted.
    n_rows, n_keys = rows.select(pl.len(), pl.struct(key).hash().n_unique()).collect().row(0)
    if n_rows == n_keys:
        return Finding(n_rows, 0)
    twice = rows.group_by(key).agg(n=pl.len()).filter(pl.col("n") > 1).first().collect()
    return Finding(n_rows, n_rows - n_keys, str(twice.row(0)) if twice.height else "")


def _texts(lake: Lake, project_id: str, days: Days, *columns: str) -> pl.DataFrame:
    """Return the distinct values of the columns among the messages of the days."""
    messages = _of_days(store.scan(lake, MESSAGES, project_id), days)
    return messages.select(columns).unique().collect(engine="streaming")


def _all_there(rows: pl.DataFrame, there: pl.LazyFrame) -> Finding:
    """Return whether each of `rows` is among those of `there`, which may be many more: they pass by."""
    found = there.select(rows.columns).join(rows.lazy(), on=rows.columns, how="semi").collect(engine="streaming")
    return _finding(rows, rows.join(found, on=rows.columns, how="anti"))


def _finding(rows: pl.DataFrame, wrong: pl.DataFrame) -> Finding:
    return Finding(rows.height, wrong.height, str(wrong.row(0)) if wrong.height else "")


def _of_days(rows: pl.LazyFrame, days: Days) -> pl.LazyFrame:
    return rows if days is None else rows.filter(pl.col("received_date").is_in(list(days)))


_OWN: dict[str, dict[str, Check]] = {
    "events": {
        "nothing_lost": Check("every event of the raw parts is in the table", nothing_lost),
        "no_event_on_two_days": Check("no event was received on two days", no_event_on_two_days, blocking=True),
        "nothing_made_up": Check("no raw part gave more events than it has rows", nothing_made_up),
    },
    "field_profiles": {"counts_reconcile": Check("no field is in more events than the day has", profiles_reconcile)},
    "field_types": {"every_field_has_a_type": Check("every field that was seen has a type", every_field_has_a_type)},
    "messages": {
        "every_message_has_its_event": Check("every message comes from an event", messages_have_events),
        "counts_reconcile": Check("as many messages as the fields' profiles count texts", messages_add_up),
    },
    "embeddings": {
        "unit_length": Check("vectors are finite and of unit length (a sample)", vectors_are_of_unit_length),
        "every_text_has_a_vector": Check("every text of a message has a vector", every_text_has_a_vector),
    },
    "topics": {
        "labels_are_distinct": Check("a label names one topic of a field", labels_are_distinct),
        "unit_length": Check("centroids are finite and of unit length", centroids_are_of_unit_length),
    },
    "topic_assignments": {
        "topics_exist": Check("every topic that a text has is in `topics`", assignments_lead_to_topics),
        "every_text_is_assigned": Check("every text was looked at, with a topic or without", every_text_is_assigned),
    },
    "topic_lineage": {
        "every_topic_has_one": Check("every topic comes from somewhere", every_topic_comes_from_somewhere)
    },
    "topic_fits": {"every_fit_is_told": Check("every fit that topics are of has its row", every_fit_is_told)},
    "topic_days": {"days_add_up": Check("every message is counted on its day", days_add_up)},
    "journey_steps": {
        "every_message_is_a_step": Check("every message has its place in its session", every_message_is_a_step)
    },
    "step_values": {
        "values_fit_the_steps": Check("every step has its place among each field's values", values_fit_the_steps)
    },
    "journey_moves": {
        "moves_balance": Check("sessions of a day start and end once; each move has its gap", moves_balance)
    },
    "journey_edges": {
        "edges_balance": Check("nodes are left as often as entered; sessions start and end once", edges_balance)
    },
}

CHECKS: dict[str, dict[str, Check]] = {
    name: {"unique_key": unique_key(table), "declared_types": declared_types(table)} | _OWN.get(name, {})
    for name, table in TABLES.items()
}
"""Checks by table and name."""


def spoilt(opened: ProjectTable, days: Days) -> dict[dt.date | None, bool]:
    """Return for each of `days` (default: of all) whether a blocking check finds its rows wrong.

    Where the table is not kept by day of receipt, the one answer for all of its rows is that for the day None.
    """
    table, lake, project_id = opened.table, opened.lake, opened.project_id
    looks: list[tuple[dt.date | None, Days]] = [(None, None)]
    if "received_date" in table.partition_by:
        looks = [(day, [day]) for day in (opened.days() if days is None else days)]
    blocking = [check for check in CHECKS[table.name].values() if check.blocking]
    return {day: any(check.find(lake, project_id, of).n_wrong for check in blocking) for day, of in looks}
