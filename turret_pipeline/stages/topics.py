"""`topics`, `topic_assignments`, `topic_lineage`, `topic_fits`: discover rarely, assign always.

New texts get the topics that there are, which costs what is new: only days of receipt whose messages changed are read,
and what a refit is decided by is kept as marks (`Tally`). A fit reads the whole field (`stages.topics_fit`).
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Collection

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.analysis.topics.drift import drift_reason
from turret_pipeline.analysis.topics.fit import refit_reason
from turret_pipeline.embedder.embed import model_key
from turret_pipeline.lake.commits import fingerprint
from turret_pipeline.lake.tables import TOPIC_ASSIGNMENTS
from turret_pipeline.stages.inputs import TEXT_FIELDS, embeddings_inputs, topics_inputs
from turret_pipeline.stages.messages import text_fields
from turret_pipeline.stages.topics_field import OTHER_CLUSTERS, Field, Tables, Tally, declared
from turret_pipeline.stages.topics_fit import fit_field
from turret_pipeline.stages.work import Outcome, Work


def bring_topics(work: Work) -> tuple[Outcome, Outcome]:
    """After this call every text of each text field has its topic, or is known to have none.

    Several tables cannot be written in one commit: `topic_fits` and `topic_lineage` go first, then the topics with the
    version that they were fitted from, then the assignments of that fit. When the assignments are missing the fit is
    made again from what it was made from. Rows of a field that is no longer text stay, so that its topics keep their
    ids should it become text again.
    """
    fitted, assigned = Outcome("topics"), Outcome("topic_assignments")
    tables = Tables.of(work)
    messages, embeddings, assignments = tables.messages, tables.embeddings, tables.assignments
    chosen = tables.types.mark(TEXT_FIELDS)
    wanted = topics_inputs(messages.state(), embeddings.state(), chosen, work.clusters)
    if work.full_refresh or assignments.inputs() != wanted or tables.topics.inputs() != wanted:
        days = {day: fingerprint(messages.state(day), chosen) for day in messages.days()}
        changed = [day for day, state in days.items() if assignments.inputs(day) != state]
        for name in text_fields(tables.types):
            _bring_field(Field(work, name, tables), changed, fitted, assigned)
        # A fit assigns every text anew.
        assigned.looked_at = None if fitted.n_rows else changed
        # While texts wait for their vectors the days are not done: they are looked into again.
        if embeddings.inputs() == embeddings_inputs(messages.state(), model_key(work.model)):
            assignments.set_inputs(wanted, {day: days[day] for day in changed})
    return fitted.finish(work, tables.topics, wanted), assigned.finish(work, assignments, wanted)


def _bring_field(field: Field, days: Collection[dt.date], fitted: Outcome, assigned: Outcome) -> None:
    """Assign the texts of `days` that have no assignment yet, or fit the field's topics anew and assign all."""
    started = time.perf_counter()
    fit, tally = field.fit, field.tally()
    if fit != field.assigned_fit:
        fit_field(field, field.reason_of(fit), fit, field.base_version, field.seen_before, fitted, assigned)
        return
    why = "a full refresh was asked for" if field.work.full_refresh else None
    if why is None and fit and field.fitted_model != field.model:
        why = "the embedding model is another one"
    if why is None and fit and field.fitted_clusters != field.work.clusters:
        why = OTHER_CLUSTERS
    if why is None:
        topics = field.rows(field.tables.topics)
        added = field.assign(field.new_texts(days), topics)
        tally = tally.with_texts(added)
        if added.height or not fit:
            why = refit_reason(tally.n_texts, tally.n_without, topics) or _drift(field, tally)
        if why is None:
            failpoint.reached("topic_assignments.after_analysis")
            if added.height:
                rows = declared(field, TOPIC_ASSIGNMENTS, added, fit)
                field.tables.assignments.append(rows, marks=field.tally_marks(tally))
            assigned.add(added.height, time.perf_counter() - started)
            failpoint.reached("topic_assignments.after_commit")
            return
    fit_field(field, why, fit + 1, None, field.seen, fitted, assigned)


def _drift(field: Field, tally: Tally) -> str | None:
    """Return why the field's drift asks for a fit, or None."""
    last = field.rows(field.tables.fits).filter(pl.col("model_version") == field.fit).drop_nulls("mean_similarity")
    if last.is_empty() or not tally.n_since:
        return None
    n_texts, mean, sd = last.select("n_texts", "mean_similarity", "sd_similarity").row(0)
    return drift_reason(tally.n_since, tally.near_since / tally.n_since, n_texts, mean, sd)
