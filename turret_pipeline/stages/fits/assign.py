"""New texts of one field get the topics that there are, or the field is fitted anew where there is reason to."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Collection

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.analysis.topics.drift import drift_reason
from turret_pipeline.analysis.topics.fit import refit_reason
from turret_pipeline.lake.tables import TOPIC_ASSIGNMENTS
from turret_pipeline.stages.fits.field import OTHER_CLUSTERS, Field, Tally, declared
from turret_pipeline.stages.fits.fit import fit_field
from turret_pipeline.stages.work import Outcome


def bring_field(field: Field, days: Collection[dt.date], fitted: Outcome, assigned: Outcome) -> None:
    """Assign the texts of `days` that have no assignment yet, or fit the field's topics anew and assign all."""
    started = time.perf_counter()
    fit, tally = field.fit, field.tally()
    if fit != field.assigned_fit:
        fit_field(field, field.reason_of(fit), fit, field.base_version, field.seen_before, fitted, assigned)
        return
    why = "a full refresh was asked for" if field.work.full_refresh else None
    if why is None and fit and field.fitted_model != field.model:
        why = "the embedding model is another one"
    if why is None and fit and field.fitted_version != field.version:
        why = "topics are found by another method"
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
