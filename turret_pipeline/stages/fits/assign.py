"""New texts of one field get the topics that there are, or the field is fitted anew where there is reason to.

A fit that fails leaves the topics that there are, and new texts get those; without any they have none. It is tried
again when enough has changed (`stages.containment`).
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Collection

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.analysis.topics.drift import drift_reason
from turret_pipeline.analysis.topics.fit import refit_reason
from turret_pipeline.lake.tables import TOPIC_ASSIGNMENTS
from turret_pipeline.semantics.definitions import DEFINED
from turret_pipeline.semantics.gone import IS_GONE
from turret_pipeline.stages.containment import Failure, Failures, FieldError, contained
from turret_pipeline.stages.fits.defined import defined_rows, found_only, rules_of, with_defined
from turret_pipeline.stages.fits.field import ASSIGNED, OTHER_CLUSTERS, Field, Tally, declared
from turret_pipeline.stages.fits.fit import Fit, assign_all, counted, fit_field, with_others
from turret_pipeline.stages.fits.gone import parted, redefined
from turret_pipeline.stages.work import Outcome


def bring_field(
    field: Field, days: Collection[dt.date], failures: Failures, fitted: Outcome, assigned: Outcome
) -> None:
    """Assign the texts of `days` that have no assignment yet, or fit the field's topics anew and assign all."""
    started = time.perf_counter()
    fit, failed = field.fit, failures.of(field.name)
    is_cut_off = fit != field.assigned_fit
    why = field.reason_of(fit) if is_cut_off else _why_anew(field)
    rows, tally = None, field.tally()
    if why is None:
        rows, tally = _assigned(field, field.new_texts(days), tally, failures)
        if rows.height or not fit:
            topics = field.rows(field.tables.topics).filter(~DEFINED)
            why = refit_reason(tally.n_texts, tally.n_without, topics) or _drift(field, tally)
    if why is None and not fit and field.definitions:
        why = "a topic was defined"
    if why is None and failed is not None:
        why = "the last fit failed"
    if why is not None and fit and not is_cut_off and field.is_gone:
        why = None  # nothing is left to find topics in: those that there are stay
    if why is not None and (failed is None or _is_to_be_tried(field, failed)):
        next_fit = Fit(fit + 1, why, None, field.seen)
        try:
            cut_off = Fit(fit, why, field.base_version, field.seen_before)
            fit_field(field, cut_off if is_cut_off else next_fit, failures, fitted, assigned)
            return
        except FieldError as error:
            _note(field, failures, error)
    if is_cut_off:
        texts, _, gone = parted(field.texts(), field.rows(field.tables.assignments))
        rows, tally = _assigned(field, texts, Tally(), failures)
        rows = pl.concat([rows, redefined(gone.known, field.rows(field.tables.topics)).select(ASSIGNED.names())])
        assign_all(field, rows, tally, fit, assigned)
        _redefine(field, failures, assigned)
        return
    if rows is None:
        rows, tally = _assigned(field, field.new_texts(days), tally, failures)
    failpoint.reached("topic_assignments.after_analysis")
    if rows.height:
        declared_rows = declared(field, TOPIC_ASSIGNMENTS, rows, fit)
        field.tables.assignments.append(declared_rows, marks=field.tally_marks(tally))
    assigned.add(rows.height, time.perf_counter() - started)
    failpoint.reached("topic_assignments.after_commit")
    if field.is_redefined:
        _redefine(field, failures, assigned)


def _redefine(field: Field, failures: Failures, assigned: Outcome) -> None:
    # Topics of another model's vectors wait for their fit, which looks at the definitions too.
    if field.fit and field.fitted_model == field.model:
        try:
            redefine(field, assigned)
        except FieldError as error:
            _note(field, failures, error)


def redefine(field: Field, assigned: Outcome) -> None:
    """After this call all the field's texts have the topics that follow from its definitions and the last fit.

    Topics that are defined no more have given their texts back. Two commits, and only the second says that it is done.
    Raise `FieldError`, with nothing committed, where the analysis fails.
    """
    started, tables, fit = time.perf_counter(), field.tables, field.fit
    before, old = field.rows(tables.assignments), field.rows(tables.topics)
    topics = old.filter(~DEFINED)
    left, gone = before.filter(~IS_GONE), before.filter(IS_GONE).select(ASSIGNED.names())
    base = found_only(field, left.select(ASSIGNED.names()), topics).sort("text_id")
    with contained():
        rules = rules_of(field, topics, base)
        rows = with_defined(field, base, rules)
        own = defined_rows(field, rows, rules, topics, int(old["fitted_texts"].max() or 0))  # type: ignore[arg-type]
        shown = pl.concat([topics, own])
        of_fit = rows.join(field.unfit, on="text_id", how="anti")
        of_gone = redefined(gone, shown)
        shown = counted(shown, pl.concat([of_fit, of_gone.join(field.unfit, on="text_id", how="anti")]), field.texts())
        rows = pl.concat([rows, of_gone]).sort("text_id")
    failpoint.reached("topics.after_definitions")
    tables.topics.replace(with_others(field, tables.topics, shown, fit))
    failpoint.reached("topics.after_commit")
    n_bare = field.tally().n_unembedded
    without = of_fit["topic_id"].null_count() - n_bare
    assign_all(field, rows, field.tally().with_none(without), fit, assigned)
    assigned.seconds += time.perf_counter() - started


def _why_anew(field: Field) -> str | None:
    """Return why the field is to be fitted anew whatever texts came, or None."""
    if field.work.forgets:
        return "events were taken back"
    if field.work.full_refresh:
        return "a full refresh was asked for"
    if field.fit and field.fitted_frames != field.frames:
        return "texts are read without other shared frames"
    if field.fit and field.fitted_model != field.model:
        return "the embedding model is another one"
    if field.fit and field.fitted_version != field.version:
        return "topics are found by another method"
    # Earlier versions fitted all texts, which is the same where there is none that no fit takes.
    if field.fit and field.fitted_told_by != field.told_by and (field.fitted_told_by or field.unfit.height):
        return "requests and moves of conversation are told apart by another method"
    if field.fit and field.fitted_clusters != field.work.clusters:
        return OTHER_CLUSTERS
    if n_late := field.n_embedded_late():
        return f"{n_late} texts have a vector that had none"
    return None


def _is_to_be_tried(field: Field, failed: Failure) -> bool:
    return field.work.full_refresh or field.work.forgets or failed.is_to_be_tried(field.n_messages(), field.tried_with)


def _note(field: Field, failures: Failures, error: FieldError) -> None:
    failures.note(field.name, Failure(str(error), field.n_messages(), field.tried_with))


def _assigned(field: Field, texts: pl.DataFrame, tally: Tally, failures: Failures) -> tuple[pl.DataFrame, Tally]:
    """Return the rows (`ASSIGNED`) of `texts` with the topics that there are, and the tally with them."""
    topics = field.rows(field.tables.topics)
    # Centroids of another model's vectors say nothing about these.
    usable = topics if field.fitted_model == field.model else topics.clear()
    try:
        near = field.assign(texts, usable)
        with contained():
            near = with_defined(field, near, rules_of(field, usable)) if near.height else near
    except FieldError as error:
        _note(field, failures, error)
        near = ASSIGNED.to_frame(eager=True)
    bare = field.unassigned(texts, near)
    counted = near.join(field.unfit, on="text_id", how="anti")
    return pl.concat([near, bare]), tally.with_texts(counted, bare.height)


def _drift(field: Field, tally: Tally) -> str | None:
    """Return why the field's drift asks for a fit, or None."""
    last = field.rows(field.tables.fits).filter(pl.col("model_version") == field.fit).drop_nulls("mean_similarity")
    if last.is_empty() or not tally.n_since:
        return None
    n_texts, mean, sd = last.select("n_texts", "mean_similarity", "sd_similarity").row(0)
    return drift_reason(tally.n_since, tally.near_since / tally.n_since, n_texts, mean, sd)
