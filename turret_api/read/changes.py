"""What people change: the type of a field (an override) and the topics (edits). Each change is one row of a table.

A change is in force at once, for answers lay these rows over the tables that the pipeline builds, and it can be taken
back by a later one. The tables follow with the next build.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl

from turret_api.errors import invalid
from turret_api.read.engine.library import Library
from turret_api.read.questions.fields import FieldRow, FieldType, failures_of, field_row, find_field
from turret_api.read.questions.topics.edits import Action, Edit
from turret_api.read.questions.topics.topic import find_topic
from turret_api.read.views.topics import HIDE, MERGE, PIN, RENAME, EditsInForce, edits_of
from turret_pipeline.lake import store
from turret_pipeline.lake.tables import FIELD_OVERRIDES, TOPIC_EDITS, TOPICS, Table
from turret_pipeline.semantics.blank import is_blank


def override_type(library: Library, project_id: str, field: str, chosen: FieldType | None) -> FieldRow:
    """After this call the field has the type `chosen`, or by detection again (None); return the field as it now is.

    Raise `NotFoundError` if the project has no such field.
    """
    snapshot = library.snapshot(project_id)
    known = find_field(snapshot, field)
    row = {"project_id": project_id, "field": field, "decided_at": dt.datetime.now(dt.UTC), "type": chosen}
    _append(library, FIELD_OVERRIDES, row)
    return field_row(known, chosen, failures_of(snapshot).get(field))


def edit_topic(
    library: Library, project_id: str, topic_id: str, action: Action, value: str | None, field: str | None = None
) -> Edit:
    """After this call the edit is in force; return it as recorded.

    value: the label, the topic to merge into, or `true`; None takes the edit back. field: the text field, needed only
    if two have a topic of this id. Raise an `ApiError` where the edit makes no sense.
    """
    if action in (HIDE, PIN) and value not in ("true", None):
        raise invalid(f"value is 'true' to {action} a topic and null to take that back.", field="value")
    snapshot = library.snapshot(project_id)
    text_field = find_topic(snapshot, topic_id, field)
    topics = snapshot.scan(TOPICS).filter(pl.col("field") == text_field).select("topic_id", "label", "level").collect()
    known = {row["topic_id"]: row for row in topics.iter_rows(named=True)}
    edits = edits_of(snapshot, text_field)
    if action == RENAME and value is not None:
        if is_blank(value):
            raise invalid("The label is blank; choose one that can be seen.", field="value")
        labels = {name: edits.labels.get(name, row["label"]) for name, row in known.items() if name not in edits.merged}
        if value in (label for name, label in labels.items() if name != topic_id):
            words = f"Another topic of this field is called {value!r} already; choose another name."
            raise invalid(words, field="value")
    if action == PIN and known[topic_id]["level"] != 0:
        raise invalid("Themes follow from their topics and are not pinned; pin their topics.", field="topic_id")
    if action == MERGE:
        _check_merge(known, edits, topic_id, value)
    edit: Edit = {
        "field": text_field,
        "topic_id": topic_id,
        "action": action,
        "value": value,
        "decided_at": dt.datetime.now(dt.UTC),
    }
    _append(library, TOPIC_EDITS, {"project_id": project_id, **edit})
    return edit


def _check_merge(known: dict[str, Any], edits: EditsInForce, topic_id: str, target: str | None) -> None:
    if known[topic_id]["level"] != 0:
        raise invalid("Themes are not merged; merge their topics.", field="topic_id")
    if target is None:
        return
    if target not in known or known[target]["level"] != 0:
        raise invalid(f"There is no topic {target!r} in this field to merge into.", field="value")
    if edits.merged.get(target, target) == topic_id or target == topic_id:
        raise invalid(f"{target!r} is, or is merged into, this very topic; take that back first.", field="value")


def _append(library: Library, table: Table, row: dict[str, Any]) -> None:
    store.append(library.lake, table, pl.DataFrame([row], schema=table.schema))
    library.look_again()
