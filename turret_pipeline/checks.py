"""What must be true of each table, as questions to the lake; the assets ask them after every run.

A check looks at one project. `blocking` ones stop what lies downstream: rows that are counted twice would spoil all
of it. No Dagster here, so that a test, or a person at a prompt, can ask the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from turret_pipeline.lake import store
from turret_pipeline.lake.parts import list_parts, read_parts
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
    TABLES,
    TOPIC_ASSIGNMENTS,
    TOPIC_DAYS,
    TOPIC_FITS,
    TOPIC_LINEAGE,
    TOPICS,
    Table,
)
from turret_pipeline.lake.visits import END, START

SAMPLE_VECTORS = 5_000
UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Finding:
    """How many things were looked at, how many of them are wrong, and one of those in words."""

    n_seen: int
    n_wrong: int
    example: str = ""


@dataclass(frozen=True)
class Check:
    """One check: what it makes sure of, in words, and the function that looks."""

    meaning: str
    find: Callable[[Lake, str], Finding]
    blocking: bool = False


def unique_key(table: Table) -> Check:
    """Return the check that the table's key names each row once."""

    def find(lake: Lake, project_id: str) -> Finding:
        keys = store.scan(lake, table, project_id).group_by(table.key).agg(n=pl.len())
        counted = keys.select(rows=pl.col("n").sum(), keys=pl.len()).collect().row(0)
        n_rows, n_keys = int(counted[0] or 0), int(counted[1])
        example = "" if n_rows == n_keys else str(keys.filter(pl.col("n") > 1).first().collect().row(0))
        return Finding(n_rows, n_rows - n_keys, example)

    return Check(f"{', '.join(table.key)} names each row once", find, blocking=True)


def nothing_lost(lake: Lake, project_id: str) -> Finding:
    """Every event of the newest day's raw parts is in `events`."""
    parts = list_parts(lake, project_id)
    newest = [part for part in parts if part.received_date == max(each.received_date for each in parts)]
    raw = read_parts(lake, newest).select("event_id").unique()
    there = store.scan(lake, EVENTS, project_id).select("event_id").collect()
    return _all_in(raw, there, "event_id")


def profiles_reconcile(lake: Lake, project_id: str) -> Finding:
    """No field of a day is in more events than the day has."""
    events = store.scan(lake, EVENTS, project_id).group_by("received_date").agg(there=pl.len())
    profiles = store.scan(lake, FIELD_PROFILES, project_id).select("received_date", "field", "n_events")
    met = profiles.join(events, on="received_date", how="left").collect()
    wrong = met.filter(pl.col("n_events") > pl.col("there").fill_null(0))
    return _finding(met, wrong)


def every_field_has_a_type(lake: Lake, project_id: str) -> Finding:
    fields = store.scan(lake, FIELD_PROFILES, project_id).select("field").unique().collect()
    return _all_in(fields, store.read(lake, FIELD_TYPES, project_id, "field"), "field")


def messages_have_events(lake: Lake, project_id: str) -> Finding:
    messages = store.scan(lake, MESSAGES, project_id).select("event_id").unique().collect()
    return _all_in(messages, store.read(lake, EVENTS, project_id, "event_id"), "event_id")


def every_text_has_a_vector(lake: Lake, project_id: str) -> Finding:
    texts = store.scan(lake, MESSAGES, project_id).select("text_id").unique().collect()
    return _all_in(texts, store.read(lake, EMBEDDINGS, project_id, "text_id"), "text_id")


def vectors_are_of_unit_length(lake: Lake, project_id: str) -> Finding:
    """Of a sample: all of them are checked before they are written."""
    sample = store.scan(lake, EMBEDDINGS, project_id).select("text_id", "vector").head(SAMPLE_VECTORS).collect()
    if sample.is_empty():
        return Finding(0, 0)
    wrong = sample.filter(pl.Series(not_unit(np.vstack(sample["vector"].to_list()))))
    return _finding(sample.select("text_id"), wrong.select("text_id"))


def not_unit(vectors: np.ndarray) -> np.ndarray:
    """Return for each row of `vectors`, (n, d), whether it is not finite or not of unit length."""
    lengths = np.linalg.norm(vectors, axis=1)
    return ~np.isfinite(lengths) | (np.abs(lengths - 1) > UNIT_TOLERANCE)


def labels_are_distinct(lake: Lake, project_id: str) -> Finding:
    topics = store.scan(lake, TOPICS, project_id).select("field", "level", "label").collect()
    return _finding(topics, topics.filter(topics.is_duplicated()))


def assignments_lead_to_topics(lake: Lake, project_id: str) -> Finding:
    assigned = store.scan(lake, TOPIC_ASSIGNMENTS, project_id).filter(pl.col("topic_id").is_not_null())
    used = assigned.select("field", "topic_id").unique().collect()
    topics = store.read(lake, TOPICS, project_id, "field", "topic_id")
    return _finding(used, used.join(topics, on=["field", "topic_id"], how="anti"))


def every_text_is_assigned(lake: Lake, project_id: str) -> Finding:
    texts = store.scan(lake, MESSAGES, project_id).select("field", "text_id").unique().collect()
    there = store.read(lake, TOPIC_ASSIGNMENTS, project_id, "field", "text_id")
    return _finding(texts, texts.join(there, on=["field", "text_id"], how="anti"))


def every_message_is_a_step(lake: Lake, project_id: str) -> Finding:
    """Each text field has as many steps as messages, on as many days as there are sessions one each."""
    messages = store.scan(lake, MESSAGES, project_id).group_by("field").agg(messages=pl.len())
    first = pl.col("place") == 0
    steps = store.scan(lake, JOURNEY_STEPS, project_id).group_by("field")
    counted = steps.agg(steps=pl.len(), begun=first.sum(), sessions=pl.col("session_id").n_unique())
    met = messages.join(counted, on="field", how="full", coalesce=True).collect().fill_null(0)
    wrong = met.filter((pl.col("messages") != pl.col("steps")) | (pl.col("begun") != pl.col("sessions")))
    return _finding(met, wrong)


def moves_balance(lake: Lake, project_id: str) -> Finding:
    """On each day as many sessions leave `start` as enter `end`, and each move between visits has its gap."""
    moves = store.scan(lake, JOURNEY_MOVES, project_id).with_columns(n_gaps=pl.col("gaps_s").list.len()).collect()
    start, end = pl.col("from_topic") == START, pl.col("to_topic") == END
    wrong = moves.filter(
        pl.when(start | end).then(pl.col("n_gaps") != 0).otherwise(pl.col("n_gaps") != pl.col("count"))
        | (pl.col("count").filter(start).sum() != pl.col("count").filter(end).sum()).over("received_date", "field")
    )
    return _finding(moves, wrong.drop("gaps_s"))


def every_fit_is_told(lake: Lake, project_id: str) -> Finding:
    """Every fit that topics are of has its row."""
    topics = store.scan(lake, TOPICS, project_id).select("field", "model_version").unique().collect()
    fits = store.read(lake, TOPIC_FITS, project_id, "field", "model_version")
    return _finding(topics, topics.join(fits, on=["field", "model_version"], how="anti"))


def every_topic_comes_from_somewhere(lake: Lake, project_id: str) -> Finding:
    """Every topic carried on, was born, or was split off at the fit that it is of."""
    topics = store.scan(lake, TOPICS, project_id).filter(pl.col("level") == 0)
    names = topics.select("field", "model_version", to_topic="topic_id").collect()
    ways = store.read(lake, TOPIC_LINEAGE, project_id, "field", "model_version", "to_topic")
    return _finding(names, names.join(ways, on=list(names.columns), how="anti"))


def days_add_up(lake: Lake, project_id: str) -> Finding:
    """As many messages are counted for each field and day of receipt as there are."""
    sent = store.scan(lake, MESSAGES, project_id).group_by("field", "received_date").agg(there=pl.len())
    days = store.scan(lake, TOPIC_DAYS, project_id).group_by("field", "received_date")
    counted = days.agg(counted=pl.col("n_messages").sum())
    met = sent.join(counted, on=["field", "received_date"], how="full", coalesce=True).fill_null(0).collect()
    return _finding(met, met.filter(pl.col("there") != pl.col("counted")))


def edges_balance(lake: Lake, project_id: str) -> Finding:
    """As many moves lead into a node as out of it, and each session starts and ends once."""
    edges = store.read(lake, JOURNEY_EDGES, project_id)
    out = edges.group_by("field", node="from_topic").agg(left=pl.col("count").sum())
    into = edges.group_by("field", node="to_topic").agg(entered=pl.col("count").sum())
    nodes = out.join(into, on=["field", "node"], how="full", coalesce=True).fill_null(0)
    spoken = store.scan(lake, MESSAGES, project_id).group_by("field").agg(sessions=pl.col("session_id").n_unique())
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


def _finding(rows: pl.DataFrame, wrong: pl.DataFrame) -> Finding:
    return Finding(rows.height, wrong.height, str(wrong.row(0)) if wrong.height else "")


_KEYS = {name: {"unique_key": unique_key(table)} for name, table in TABLES.items()}

CHECKS: dict[str, dict[str, Check]] = {
    "events": _KEYS["events"]
    | {"nothing_lost": Check("every event of the newest raw day is in the table", nothing_lost)},
    "field_profiles": _KEYS["field_profiles"]
    | {"counts_reconcile": Check("no field is in more events than the day has", profiles_reconcile)},
    "field_types": _KEYS["field_types"]
    | {"every_field_has_a_type": Check("every field that was seen has a type", every_field_has_a_type)},
    "messages": _KEYS["messages"]
    | {"every_message_has_its_event": Check("every message comes from an event", messages_have_events)},
    "embeddings": _KEYS["embeddings"]
    | {
        "unit_length": Check("vectors are finite and of unit length (a sample)", vectors_are_of_unit_length),
        "every_text_has_a_vector": Check("every text of a message has a vector", every_text_has_a_vector),
    },
    "topics": _KEYS["topics"]
    | {"labels_are_distinct": Check("a label names one topic of a field", labels_are_distinct)},
    "topic_assignments": _KEYS["topic_assignments"]
    | {
        "topics_exist": Check("every topic that a text has is in `topics`", assignments_lead_to_topics),
        "every_text_is_assigned": Check("every text was looked at, with a topic or without", every_text_is_assigned),
    },
    "journey_steps": _KEYS["journey_steps"]
    | {"every_message_is_a_step": Check("every message has its place in its session", every_message_is_a_step)},
    "journey_moves": _KEYS["journey_moves"]
    | {"moves_balance": Check("sessions of a day start and end once; each move has its gap", moves_balance)},
    "topic_lineage": _KEYS["topic_lineage"]
    | {"every_topic_has_one": Check("every topic comes from somewhere", every_topic_comes_from_somewhere)},
    "topic_fits": _KEYS["topic_fits"]
    | {"every_fit_is_told": Check("every fit that topics are of has its row", every_fit_is_told)},
    "topic_days": _KEYS["topic_days"] | {"days_add_up": Check("every message is counted on its day", days_add_up)},
    "journey_edges": _KEYS["journey_edges"]
    | {"edges_balance": Check("nodes are left as often as entered; sessions start and end once", edges_balance)},
}
"""Checks by table and name."""
