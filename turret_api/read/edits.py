"""What people decided about topics: names, merges, what is hidden, and what is pinned.

Decisions are rows of `topic_edits` and are laid over the tables when they are read. So they show at once, hold through
every refit (a topic's id keeps its meaning), and can be taken back. A merged topic's messages are its target's, in
sizes, journeys and the export alike; a hidden topic keeps its messages and is only left out of the list. A pinned
topic is shown as it is, and every refit keeps it: its id, its label and its texts. So it does with the topics that any
other decision in force is about, or the decision would be about nothing one day.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from turret_api.errors import NotFoundError, invalid
from turret_api.read.snapshot import Snapshot
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TOPIC_EDITS, TOPICS
from turret_pipeline.semantics.edits import in_force, merged_topics

RENAME, MERGE, HIDE, PIN = ACTIONS = ("rename", "merge", "hide", "pin")


@dataclass(frozen=True)
class Edits:
    """The decisions in force for one field.

    labels: by topic or theme. merged: from a topic to the topic that has its messages now. hidden, pinned: ids.
    """

    labels: dict[str, str] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    pinned: frozenset[str] = frozenset()


def edits_of(snapshot: Snapshot, text_field: str) -> Edits:
    """Return the decisions in force about the topics of a field."""
    last = snapshot.remember("edits", (TOPIC_EDITS,), lambda: in_force(snapshot.scan(TOPIC_EDITS).collect())).filter(
        pl.col("field") == text_field
    )
    by_action = {
        action: dict(last.filter(pl.col("action") == action).select("topic_id", "value").iter_rows())
        for action in ACTIONS
    }
    return Edits(by_action[RENAME], merged_topics(last), frozenset(by_action[HIDE]), frozenset(by_action[PIN]))


def decide(
    lake: Lake, snapshot: Snapshot, text_field: str, topic_id: str, action: str, value: str | None
) -> dict[str, Any]:
    """After this call the decision is in force; return it as recorded. Raise an `ApiError` where it makes no sense."""
    topics = snapshot.scan(TOPICS).filter(pl.col("field") == text_field).select("topic_id", "label", "level").collect()
    known = {row["topic_id"]: row for row in topics.iter_rows(named=True)}
    edits = edits_of(snapshot, text_field)
    if topic_id not in known:
        raise NotFoundError(f"There is no topic {topic_id!r}; GET /v1/topics lists them.", field="topic_id")
    if action == RENAME and value is not None:
        labels = {name: edits.labels.get(name, row["label"]) for name, row in known.items() if name not in edits.merged}
        if value in (label for name, label in labels.items() if name != topic_id):
            raise invalid(
                f"Another topic of this field is called {value!r} already; choose another name.", field="value"
            )
    if action == PIN and known[topic_id]["level"] != 0:
        raise invalid("Themes follow from their topics and are not pinned; pin their topics.", field="topic_id")
    if action == MERGE:
        _check_merge(known, edits, topic_id, value)
    row = {
        "project_id": snapshot.project_id,
        "field": text_field,
        "topic_id": topic_id,
        "action": action,
        "value": value,
        "decided_at": dt.datetime.now(dt.UTC),
    }
    store.append(lake, TOPIC_EDITS, pl.DataFrame([row], schema=TOPIC_EDITS.schema))
    return {name: row[name] for name in TOPIC_EDITS.schema if name != "project_id"}


def _check_merge(known: dict[str, Any], edits: Edits, topic_id: str, target: str | None) -> None:
    if known[topic_id]["level"] != 0:
        raise invalid("Themes are not merged; merge their topics.", field="topic_id")
    if target is None:
        return
    if target not in known or known[target]["level"] != 0:
        raise invalid(f"There is no topic {target!r} in this field to merge into.", field="value")
    if edits.merged.get(target, target) == topic_id or target == topic_id:
        raise invalid(f"{target!r} is, or is merged into, this very topic; take that back first.", field="value")
