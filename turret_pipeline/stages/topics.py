"""`topics`, `topic_assignments`, `topic_lineage`, `topic_fits`: discover rarely, assign always.

New texts get the topics that there are, which costs what is new: only days of receipt whose messages changed are read,
and what a refit is decided by is kept as marks (`fits.field.Tally`). A fit reads the whole field (`fits.fit`). Another
version of the method, or of the one that embeds, asks for a fit of each field; topics keep their ids through it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time

import polars as pl

from turret_pipeline.lake import store
from turret_pipeline.lake.commits import fingerprint
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    EMBEDDINGS,
    EVENTS,
    FIELD_TYPES,
    MESSAGES,
    TEXT_KINDS,
    TOPIC_ASSIGNMENTS,
    TOPIC_FITS,
    TOPIC_LINEAGE,
    TOPICS,
)
from turret_pipeline.semantics.definitions import DEFINED
from turret_pipeline.stages.check import (
    Check,
    Finding,
    ReceiptDays,
    all_there,
    finding,
    texts_of_messages,
    unit_length,
)
from turret_pipeline.stages.containment import Failures, FieldError, contained, no_field_failed
from turret_pipeline.stages.embeddings import STAGE as EMBEDDINGS_STAGE
from turret_pipeline.stages.embeddings import defined_texts
from turret_pipeline.stages.field_types import TEXT_FIELDS, text_fields
from turret_pipeline.stages.messages import STAGE as MESSAGES_STAGE
from turret_pipeline.stages.stage import TAKEN_BACK, Product, ProjectNow, Source, Stage, Task
from turret_pipeline.stages.topic_map import DRAWN, Drawing, topic_map
from turret_pipeline.stages.work import Outcome, Work

COMMITS = (TOPIC_FITS, TOPIC_LINEAGE, TOPICS, TOPIC_ASSIGNMENTS)
"""Tables that a fit commits to, in this order."""

FEW_FIELDS, HELD_S = 8, 10.0
"""Text fields with which each commits for itself; of more, what a few seconds found is committed together."""

MOST_FIELDS, MOST_TOPICS = 3, 150
"""Text fields whose topics are drawn, and topics of each: what is shown is kept with every run."""


def bring(task: Task) -> tuple[Outcome, Outcome]:
    """After this call every text of each text field has its topic, or is known to have none.

    A field whose texts cannot be fitted keeps the topics that it had, or has none.

    Several tables cannot be written in one commit: `topic_fits` and `topic_lineage` go first, then the topics with the
    version that they were fitted from, then the assignments of that fit. When the assignments are missing the fit is
    made again from what it was made from. Rows of a field that is no longer text stay, so that its topics keep their
    ids should it become text again; but not when events were taken back.
    """
    fitted, assigned = Outcome("topics"), Outcome("topic_assignments")
    if task.has_news:
        # Here, not at the top: the analysis takes seconds to import, and a look for new work reads this module too.
        from turret_pipeline.stages.fits.assign import bring_field
        from turret_pipeline.stages.fits.field import Field, Tables
        from turret_pipeline.stages.fits.fit import with_one_embedder
        from turret_pipeline.stages.fits.forget import forget

        failures = Failures(task)
        fields = text_fields(task.open(FIELD_TYPES))
        # While texts wait for their vectors the days are not done: they are looked into again.
        is_embedded = EMBEDDINGS_STAGE.is_followed(task)
        failures.keep(fields)
        with contextlib.ExitStack() as block:
            many = len(fields) > FEW_FIELDS
            commit = block.enter_context(task.holding(*COMMITS)) if many else _nothing
            tables, committed_at = Tables.of(task), time.monotonic()
            chosen = tables.types.mark(TEXT_FIELDS)
            days = {day: fingerprint(tables.messages.state(day), chosen) for day in tables.messages.days()}
            changed = [day for day, state in days.items() if tables.assignments.inputs(day) != state]
            lost = forget(tables, fields, task.open(EVENTS).mark(TAKEN_BACK) or 0) if task.work.forgets else {}
            work = with_one_embedder(task.work)
            for name in fields:
                field = Field(work, name, tables, task.stage.version, is_embedded, lost.get(name))
                bring_field(field, changed, failures, fitted, assigned)
                if time.monotonic() > committed_at + HELD_S:
                    commit()
                    committed_at = time.monotonic()
        fitted.facts |= failures.facts
        # A fit assigns every text anew.
        assigned.looked_at = None if fitted.n_rows else changed
        if is_embedded:
            task.open(TOPIC_ASSIGNMENTS).set_inputs(task.inputs(), {day: days[day] for day in changed})
    return task.finish(fitted), task.finish(assigned)


def _nothing() -> None:
    """Commit nothing: nothing is held."""


def labels_are_distinct(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """No two topics or themes of a field have the same label."""
    topics = store.scan(lake, TOPICS, project_id).select("field", "level", "label").collect()
    return finding(topics, topics.filter(topics.is_duplicated()))


def assignments_lead_to_topics(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """Every topic that a text has is in `topics`."""
    assigned = store.scan(lake, TOPIC_ASSIGNMENTS, project_id).filter(pl.col("topic_id").is_not_null())
    used = assigned.select("field", "topic_id").unique().collect()
    topics = store.read(lake, TOPICS, project_id, "field", "topic_id")
    return finding(used, used.join(topics, on=["field", "topic_id"], how="anti"))


def every_text_is_assigned(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """Every text of the days' messages has its row, with a topic or without."""
    texts = texts_of_messages(lake, project_id, days, "field", "text_id")
    return all_there(texts, store.scan(lake, TOPIC_ASSIGNMENTS, project_id))


def every_fit_is_told(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """Every fit that topics are of has its row."""
    topics = store.scan(lake, TOPICS, project_id).select("field", "model_version").unique().collect()
    fits = store.read(lake, TOPIC_FITS, project_id, "field", "model_version")
    return finding(topics, topics.join(fits, on=["field", "model_version"], how="anti"))


def every_topic_comes_from_somewhere(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """Every found topic carried on, was born, or was split off at the fit that it is of."""
    topics = store.scan(lake, TOPICS, project_id).filter(pl.col("level") == 0, ~DEFINED)
    names = topics.select("field", "model_version", to_topic="topic_id").collect()
    ways = store.read(lake, TOPIC_LINEAGE, project_id, "field", "model_version", "to_topic")
    return finding(names, names.join(ways, on=list(names.columns), how="anti"))


def _maps(work: Work, rows: pl.LazyFrame) -> dict[str, object]:
    topics = rows.filter(pl.col("level") == 0).sort("n_messages", "topic_id", descending=[True, False])
    drawn = topics.select("field", *DRAWN).collect()
    largest = drawn.group_by("field").agg(pl.col("n_messages").sum()).sort("n_messages", "field", descending=True)
    shown: dict[str, object] = {"topics": drawn.height}
    for field in largest["field"].head(MOST_FIELDS):
        of_field = drawn.filter(pl.col("field") == field)
        try:
            with contained():
                shown[f"map of {field}"] = Drawing(topic_map(of_field.head(MOST_TOPICS)))
        except FieldError as error:
            shown[f"map of {field}"] = f"not drawn: {error}"
    return shown | {"top topics": topics.select("label", "n_messages", "n_texts", "field")}


def _shares(work: Work, rows: pl.LazyFrame) -> dict[str, object]:
    texts, without = rows.select(texts=pl.len(), without=pl.col("topic_id").null_count()).collect().row(0)
    return {"texts": texts, "share without a topic": round(without / texts, 4) if texts else 0.0}


def _choices(now: ProjectNow, day: dt.date | None) -> tuple[object, ...]:
    # The default counts as nothing, so that topics which were found before there was a choice are up to date.
    return (*(() if now.clusters == "graph" else (now.clusters,)), *defined_texts(now))


STAGE = Stage(
    name="fit_and_assign",
    makes=(
        Product(
            TOPICS,
            "What people talk about: topics with a name, key words and examples, and themes over them. "
            "Found anew only when there is reason to; a topic keeps its id.",
            {
                "topic_id parent_id level x y centroid radius": "embeddings.vector",
                "label summary keywords examples": "messages.text embeddings.vector",
                "n_messages n_texts fitted_texts": "messages.text_id",
            },
            {
                "labels_are_distinct": Check("a label names one topic of a field", labels_are_distinct),
                "unit_length": unit_length(TOPICS, "topic_id", "centroid"),
                "no_field_failed": no_field_failed(TOPICS),
            },
            _maps,
        ),
        Product(
            TOPIC_ASSIGNMENTS,
            "Which topic each distinct text belongs to, or that it fits none.",
            {"topic_id similarity": "embeddings.vector"},
            {
                "topics_exist": Check("every topic that a text has is in `topics`", assignments_lead_to_topics),
                "every_text_is_assigned": Check(
                    "every text was looked at, with a topic or without", every_text_is_assigned
                ),
            },
            _shares,
        ),
    ),
    by_products=(
        Product(
            TOPIC_LINEAGE,
            "What became of topics when they were found anew: carried on, split, merged, born, ended.",
            checks={"every_topic_has_one": Check("every topic comes from somewhere", every_topic_comes_from_somewhere)},
        ),
        Product(
            TOPIC_FITS,
            "Each time topics were found anew: why, from how much, and how much changed.",
            checks={"every_fit_is_told": Check("every fit that topics are of has its row", every_fit_is_told)},
        ),
    ),
    reads=(Source(MESSAGES), Source(EMBEDDINGS), Source(TEXT_KINDS), Source(FIELD_TYPES, TEXT_FIELDS)),
    besides=_choices,
    method=bring,
    version=3,
    group="topics",
    remembers=True,
    follows=(MESSAGES_STAGE,),
    kinds=frozenset({"deltalake", "bertopic"}),
    pool="models",
)
