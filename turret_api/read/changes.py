"""What people change: fields (their type, whether they are outcomes) and topics. Each change is one row of a table.

A change is in force at once, for answers lay these rows over the tables that the pipeline builds, and it can be taken
back by a later one. The tables follow with the next build.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson
import polars as pl

from turret_api.errors import NotFoundError, invalid
from turret_api.read.engine.library import Library, Snapshot
from turret_api.read.questions.fields import FieldRow, failures_of, field_row, find_field
from turret_api.read.questions.topics.edits import Action, DefinedTopic, Edit
from turret_api.read.questions.topics.topic import find_topic
from turret_api.read.views.messages import choose_field
from turret_api.read.views.outcomes import marked_outcomes
from turret_api.read.views.overrides import FieldType, overrides_of
from turret_api.read.views.topics import HIDE, MERGE, NODES, PIN, RENAME, EditsInForce, edits_of
from turret_pipeline.lake import store
from turret_pipeline.lake.tables import FIELD_OUTCOMES, FIELD_OVERRIDES, TOPIC_EDITS, TOPICS, Table
from turret_pipeline.semantics.blank import is_blank
from turret_pipeline.semantics.definitions import DEFINE, MOST_CHARACTERS, Definition, is_defined, new_topic_id
from turret_pipeline.semantics.edits import in_force
from turret_pipeline.semantics.outcomes import BOOLEANS, TRUE, Better, Outcome, misfit


class Keep(Enum):
    """That something stays as it is."""

    KEEP = "keep"


KEEP = Keep.KEEP


@dataclass(frozen=True)
class OutcomeMark:
    """What a person says of an outcome: which numbers are better, or which values are good (None: not said)."""

    better: Better | None = None
    good: tuple[str, ...] | None = None


def change_field(
    library: Library,
    project_id: str,
    field: str,
    chosen: FieldType | Keep | None = KEEP,
    mark: OutcomeMark | Keep | None = KEEP,
) -> FieldRow:
    """After this call the field has the type `chosen`, and is an outcome as `mark` says; return it as it now is.

    chosen: None leaves it to detection again. mark: None takes the mark back. Raise `NotFoundError` if the project has
    no such field, and an `ApiError` if a field of its type cannot be such an outcome; then nothing is changed.
    """
    snapshot = library.snapshot(project_id)
    known = find_field(snapshot, field)
    type_override = overrides_of(snapshot).get(field) if chosen is KEEP else chosen
    outcome = marked_outcomes(snapshot).get(field)
    if mark is not KEEP:
        type_in_force = type_override or known["detected_type"]
        outcome = None if mark is None else _outcome(field, mark, type_in_force, known)
    at = {"project_id": project_id, "field": field, "decided_at": dt.datetime.now(dt.UTC)}
    if chosen is not KEEP:
        append(library, FIELD_OVERRIDES, {**at, "type": chosen})
    if mark is not KEEP:
        better, good = (None, None) if outcome is None else (outcome.better, outcome.good)
        append(library, FIELD_OUTCOMES, {**at, "better": better, "good": None if good is None else list(good)})
    return field_row(known, type_override, failures_of(snapshot).get(field), outcome)


def _outcome(field: str, mark: OutcomeMark, type_in_force: FieldType, known: dict[str, Any]) -> Outcome:
    """Return the outcome that the mark makes of the field; raise an `ApiError` where it makes no sense.

    known: the field's row of `FIELD_TYPES`.
    """
    summary = orjson.loads(known["summary"])
    values = None if summary.get("values") is None else [each["value"] for each in summary["values"]]
    good = mark.good
    if mark.better is None and good is None and values and BOOLEANS.issuperset(values):
        good = (TRUE,)
    if mark.better is not None and good is not None:
        raise invalid("An outcome has `better` or `good`, not both.", field="outcome")
    outcome = Outcome(field, mark.better, good)
    if problem := misfit(outcome, type_in_force, values):
        raise invalid(problem, field="outcome")
    if not outcome.is_number and not good:
        raise invalid(f"Say in `good` which values of {field!r} are good.", field="outcome")
    if good and values is not None and not summary.get("n_rest") and (strange := sorted(set(good) - set(values))):
        words = f"No event has the value {strange[0][:80]!r} in {field!r}; GET /v1/fields lists its values."
        raise invalid(words, field="outcome")
    return outcome


def edit_topic(
    library: Library, project_id: str, topic_id: str, action: Action, value: str | None, field: str | None = None
) -> Edit:
    """After this call the edit is in force; return it as recorded.

    value: the label, the topic to merge into, or `true`; None takes the edit back. field: the text field, needed only
    if two have a topic of this id. Raise an `ApiError` where the edit makes no sense.
    """
    if action == DEFINE:
        if value is not None:
            raise invalid("A topic is defined by POST /v1/topics; here a definition is only taken back.", field="value")
        return remove_definition(library, project_id, topic_id)
    if action in (HIDE, PIN) and value not in ("true", None):
        raise invalid(f"value is 'true' to {action} a topic and null to take that back.", field="value")
    snapshot = library.snapshot(project_id)
    text_field = find_topic(snapshot, topic_id, field)
    topics = snapshot.scan(TOPICS).filter(pl.col("field") == text_field).select("topic_id", "label", "level").collect()
    known = {row["topic_id"]: row for row in topics.iter_rows(named=True)}
    edits = edits_of(snapshot, text_field)
    if action == RENAME and value is not None:
        value = _name(value, "value", topic_id, known, edits)
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
    append(library, TOPIC_EDITS, {"project_id": project_id, **edit})
    return edit


def define_topic(
    library: Library,
    project_id: str,
    label: str,
    examples: list[str],
    counter_examples: list[str],
    *,
    field: str | None = None,
    topic_id: str | None = None,
) -> DefinedTopic:
    """After this call the topic is defined; return it. The next build gives it its texts.

    topic_id: the defined topic whose definition this replaces; None: a new one. Raise an `ApiError` where the
    definition makes no sense, and `NotFoundError` if there is no such topic or field.
    """
    snapshot = library.snapshot(project_id)
    text_field = choose_field(snapshot, field) if topic_id is None else _defined_in(snapshot, topic_id)
    if text_field is None:
        raise NotFoundError("There is no text field yet; send some messages first.", field="field")
    check_examples(examples, counter_examples)
    topics = snapshot.scan(TOPICS).filter(pl.col("field") == text_field).select("topic_id", "label", "level").collect()
    edits = edits_of(snapshot, text_field)
    known = {row["topic_id"]: row for row in topics.iter_rows(named=True)}
    label = _name(label, "label", topic_id, known, edits)
    for name, other in edits.defined.items():
        if name != topic_id and (both := set(examples) & set(other.examples)):
            words = f"{min(both)[:80]!r} is an example of {other.label!r} already; it can belong to one topic alone."
            raise invalid(words, field="examples")
    found = Definition(topic_id or new_topic_id(), label, tuple(examples), tuple(counter_examples))
    decided_at = dt.datetime.now(dt.UTC)
    row = {
        "project_id": project_id,
        "field": text_field,
        "topic_id": found.topic_id,
        "decided_at": decided_at,
    }
    if topic_id is not None and edits.labels.get(topic_id) != label:  # it may have been renamed: the newer name counts
        append(library, TOPIC_EDITS, {**row, "action": RENAME, "value": None})
    append(library, TOPIC_EDITS, {**row, "action": DEFINE, "value": found.value})
    return {
        "topic_id": found.topic_id,
        "field": text_field,
        "label": label,
        "examples": examples,
        "counter_examples": counter_examples,
        "decided_at": decided_at,
    }


def remove_definition(library: Library, project_id: str, topic_id: str) -> Edit:
    """After this call the topic is defined no more: the next build gives its texts back to the found topics."""
    edit: Edit = {
        "field": _defined_in(library.snapshot(project_id), topic_id),
        "topic_id": topic_id,
        "action": "define",
        "value": None,
        "decided_at": dt.datetime.now(dt.UTC),
    }
    append(library, TOPIC_EDITS, {"project_id": project_id, **edit})
    return edit


def check_examples(examples: list[str], counter_examples: list[str]) -> None:
    """Raise an `ApiError` where texts are blank, given twice, both examples and counter-examples, or far too long."""
    n_characters = sum(map(len, examples + counter_examples))
    if n_characters > MOST_CHARACTERS:
        words = f"The texts have {n_characters:,} characters together; at most {MOST_CHARACTERS:,} are read."
        raise invalid(words, field="examples")
    for name, texts in (("examples", examples), ("counter_examples", counter_examples)):
        if any(is_blank(text) for text in texts):
            raise invalid("One of the texts is blank.", field=name)
        if len(set(texts)) < len(texts):
            raise invalid("One of the texts is there twice.", field=name)
    if both := set(examples) & set(counter_examples):
        raise invalid(f"{min(both)[:80]!r} is an example and a counter-example.", field="counter_examples")


def _defined_in(snapshot: Snapshot, topic_id: str) -> str:
    """Return the field that has the defined topic; raise `NotFoundError` if there is none."""
    edits = in_force(snapshot.scan(TOPIC_EDITS).collect())
    found = edits.filter(pl.col("action") == DEFINE, pl.col("topic_id") == topic_id)["field"]
    if not len(found):
        raise NotFoundError(f"There is no defined topic {topic_id!r}.", field="topic_id")
    return str(found[0])


def _name(given: str, at: str, topic_id: str | None, known: dict[str, Any], edits: EditsInForce) -> str:
    """Return the name in one line without blanks around it; raise an `ApiError` where it cannot be told or is taken."""
    label = " ".join(given.split())
    if is_blank(label):
        raise invalid("The label is blank; choose one that can be seen.", field=at)
    if any(unicodedata.category(character) == "Cc" for character in label):
        raise invalid("The label has a control character; leave it out.", field=at)
    if label.casefold() in (name.casefold() for name in NODES.values()):
        raise invalid(f"{label!r} is what Turret itself calls a group of messages; choose another name.", field=at)
    shown = {name: row["label"] for name, row in known.items() if name in edits.defined or not is_defined(name)}
    shown = {name: each for name, each in (shown | edits.labels).items() if name not in edits.merged}
    if label.casefold() in (each.casefold() for name, each in shown.items() if name != topic_id):
        raise invalid(f"Another topic of this field is called {label!r} already; choose another name.", field=at)
    return label


def _check_merge(known: dict[str, Any], edits: EditsInForce, topic_id: str, target: str | None) -> None:
    if known[topic_id]["level"] != 0:
        raise invalid("Themes are not merged; merge their topics.", field="topic_id")
    if target is None:
        return
    if target not in known or known[target]["level"] != 0:
        raise invalid(f"There is no topic {target!r} in this field to merge into.", field="value")
    if edits.merged.get(target, target) == topic_id or target == topic_id:
        raise invalid(f"{target!r} is, or is merged into, this very topic; take that back first.", field="value")


def append(library: Library, table: Table, row: dict[str, Any]) -> None:
    """After this call the row is in the table, and every answer from now on knows it."""
    store.append(library.lake, table, pl.DataFrame([row], schema=table.schema))
    library.look_again()
