"""`topics` and `topic_assignments`: discover rarely, assign always."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from turret_pipeline.analysis.embedding import Embedder, model_key
from turret_pipeline.analysis.topics import MAX_FIT_TEXTS, assign_texts, fit_topics, refit_reason
from turret_pipeline.lake import failpoint
from turret_pipeline.lake.commits import ProjectTable, fingerprint
from turret_pipeline.lake.tables import EMBEDDINGS, FIELD_TYPES, MESSAGES, TOPIC_ASSIGNMENTS, TOPICS, Table
from turret_pipeline.stages.embedder import open_lake_embedder
from turret_pipeline.stages.inputs import TEXT_FIELDS, topics_inputs
from turret_pipeline.stages.messages import text_fields
from turret_pipeline.stages.work import Outcome, Work

ASSIGNED = pl.Schema({"text_id": pl.String(), "topic_id": pl.String(), "similarity": pl.Float64()})

ASSIGN_TEXTS = 65_536
"""Texts whose vectors are in memory at once when they are assigned to topics."""


def bring_topics(work: Work) -> tuple[Outcome, Outcome]:
    """After this call every text of each text field has its topic, or is known to have none.

    Two tables cannot be written in one commit: topics go first, with the version that they were fitted from, then the
    assignments of that fit. When the assignments are missing the fit is made again from what it was made from.
    Rows of a field that is no longer text stay, so that its topics keep their ids should it become text again.
    """
    fitted, assigned = Outcome("topics"), Outcome("topic_assignments")
    messages, embeddings = work.open(MESSAGES), work.open(EMBEDDINGS)
    topics, assignments = work.open(TOPICS), work.open(TOPIC_ASSIGNMENTS)
    types = work.open(FIELD_TYPES)
    wanted = topics_inputs(messages.state(), embeddings.state(), types.mark(TEXT_FIELDS))
    if work.full_refresh or assignments.inputs() != wanted or topics.inputs() != wanted:
        for name in text_fields(types):
            _bring_field(_Field(work, name, messages, embeddings, topics, assignments), fitted, assigned)
    return fitted.finish(work, topics, wanted), assigned.finish(work, assignments, wanted)


@dataclass(frozen=True)
class _Field:
    """One text field of a project, with the tables that its topics are made from and go to."""

    work: Work
    name: str
    messages: ProjectTable
    embeddings: ProjectTable
    topics: ProjectTable
    assignments: ProjectTable

    @property
    def fit_mark(self) -> str:
        """Name of the mark that says which fit the field's rows are of; in both tables."""
        return f"fit of {fingerprint(self.name)}"

    @property
    def base_mark(self) -> str:
        """Name of the mark in `topics` with the table's version before the field's newest fit."""
        return f"base of {fingerprint(self.name)}"

    @property
    def seen_mark(self) -> str:
        """Name of the mark in `topics` with the time of receipt, in microseconds, up to which the newest fit read."""
        return f"seen of {fingerprint(self.name)}"

    @property
    def seen_before_mark(self) -> str:
        """Name of the mark in `topics` with the same of the fit before the newest."""
        return f"seen before of {fingerprint(self.name)}"

    def rows(self, table: ProjectTable, at: int | None = None) -> pl.DataFrame:
        return table.scan(at).filter(pl.col("field") == self.name).drop("project_id", "field").collect()

    def texts(self) -> pl.DataFrame:
        """Return `text_id`, `n_messages`, `first` (microseconds) of the field's distinct texts, by `text_id`."""
        grouped = self.messages.scan().filter(pl.col("field") == self.name).group_by("text_id")
        first = pl.col("received_at").min().dt.epoch("us")
        return grouped.agg(n_messages=pl.len().cast(pl.Int64), first=first).sort("text_id").collect()

    def with_vectors(self, texts: pl.DataFrame) -> pl.DataFrame:
        """Return `texts` with `text` and `vector`, in the same order."""
        model = model_key(self.work.model)
        vectors = self.embeddings.scan().filter(pl.col("model") == model).select("text_id", "text", "vector")
        found = vectors.join(texts.lazy().select("text_id"), on="text_id", how="semi").collect()
        return texts.join(found, on="text_id", how="inner", maintain_order="left")

    def assign(self, texts: pl.DataFrame, topics: pl.DataFrame) -> pl.DataFrame:
        """Return `text_id`, `topic_id`, `similarity` of `texts`: the nearest topic, null where none is near."""
        if not topics.height:
            nothing = pl.lit(None)
            return texts.select("text_id", topic_id=nothing.cast(pl.String), similarity=nothing.cast(pl.Float64))
        frames = [ASSIGNED.to_frame(eager=True)]
        for start in range(0, texts.height, ASSIGN_TEXTS):
            chunk = self.with_vectors(texts.slice(start, ASSIGN_TEXTS)).select("text_id", "text", "vector")
            frames.append(assign_texts(chunk, topics).select(ASSIGNED.names()))
            self.work.tell("topic_assignments", min(start + ASSIGN_TEXTS, texts.height), texts.height)
        return pl.concat(frames)


class _Lazily:
    """The project's embedder, opened when a fit first has a phrase to embed."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._embedder: Embedder | None = None

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self._embedder = self._embedder or open_lake_embedder(self._work.lake, self._work.model)
        return self._embedder.embed(texts)


def _bring_field(field: _Field, fitted: Outcome, assigned: Outcome) -> None:
    """Assign the field's texts that have no assignment yet, or fit its topics anew and assign all."""
    started = time.perf_counter()
    texts, known, topics = field.texts(), field.rows(field.assignments), field.rows(field.topics)
    fit, seen = field.topics.mark(field.fit_mark) or 0, field.topics.mark(field.seen_mark)
    if fit != (field.assignments.mark(field.fit_mark) or 0):
        reason, base = "the last fit was interrupted", field.topics.mark(field.base_mark)
        topics, fit, seen = field.rows(field.topics, base), fit - 1, field.topics.mark(field.seen_before_mark)
    else:
        new = texts.join(known, on="text_id", how="anti")
        added = field.assign(new, topics)
        n_unassigned = known["topic_id"].null_count() + added["topic_id"].null_count()
        why = "a full refresh was asked for" if field.work.full_refresh else None
        if why is None and (added.height or not fit):
            why = refit_reason(texts.height, n_unassigned, topics)
        if why is None:
            failpoint.reached("topic_assignments.after_analysis")
            if added.height:
                field.assignments.append(_declared(field, TOPIC_ASSIGNMENTS, added, fit))
            _account(assigned, added.height, time.perf_counter() - started)
            failpoint.reached("topic_assignments.after_commit")
            return
        reason = why
    fitted.facts[f"why {field.name} was fitted"] = reason
    _fit(field, texts, topics, known, fit + 1, seen or 0, fitted, assigned)


def _fit(
    field: _Field,
    texts: pl.DataFrame,
    previous_topics: pl.DataFrame,
    previous: pl.DataFrame,
    fit: int,
    seen: int,
    fitted: Outcome,
    assigned: Outcome,
) -> None:
    """Commit the field's topics as number `fit` finds them, then the assignments of all its texts.

    Texts that came after `seen`, when the last fit was made, were given the nearest of the topics that there were. They
    count as texts without a topic, or a theme that came up since could never become a topic of its own.
    """
    started = time.perf_counter()
    field.work.tell("topics", 0, texts.height)
    # The sample that `fit_topics` would take too, but the vectors of the rest need not be in memory for it.
    sample, rest = texts.head(MAX_FIT_TEXTS), texts.slice(MAX_FIT_TEXTS)
    fitted_before = sample.filter(pl.col("first") <= seen)
    found = fit_topics(
        field.with_vectors(sample),
        previous_topics=previous_topics if previous_topics.height else None,
        previous_assignments=previous.join(fitted_before, on="text_id", how="semi") if previous_topics.height else None,
        embed=_Lazily(field.work),
    )
    field.work.tell("topics", texts.height, texts.height)
    rows = pl.concat([found.assignments.select(ASSIGNED.names()), field.assign(rest, found.topics)]).sort("text_id")
    topics = _counted(found.topics, rows, texts) if rest.height else found.topics
    topics = topics.with_columns(fitted_texts=pl.lit(texts.height, dtype=pl.Int64))
    failpoint.reached("topics.after_analysis")
    base = {field.base_mark: field.topics.version, field.fit_mark: fit, field.seen_before_mark: seen}
    base[field.seen_mark] = int(texts["first"].max() or 0)  # type: ignore[arg-type]
    field.topics.replace(_with_others(field, field.topics, topics, fit), marks=base)
    n_topics = topics.filter(pl.col("level") == 0).height
    _account(fitted, topics.height, time.perf_counter() - started)
    fitted.facts[f"topics of {field.name}"] = n_topics
    failpoint.reached("topics.after_commit")
    started = time.perf_counter()
    field.assignments.replace(_with_others(field, field.assignments, rows, fit), marks={field.fit_mark: fit})
    _account(assigned, rows.height, time.perf_counter() - started)
    failpoint.reached("topic_assignments.after_commit")


def _counted(topics: pl.DataFrame, assignments: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """Return `topics` with the numbers of all texts and messages, not only of those that they were fitted on."""
    with_topic = assignments.join(texts, on="text_id").group_by("topic_id")
    counts = with_topic.agg(n_messages=pl.col("n_messages").sum(), n_texts=pl.len().cast(pl.Int64))
    counted = topics.drop("n_messages", "n_texts").join(counts, on="topic_id", how="left", maintain_order="left")
    sums = counted.group_by("parent_id").agg(pl.col("n_messages", "n_texts").sum())
    counted = counted.join(sums, left_on="topic_id", right_on="parent_id", how="left", suffix="_below")
    return counted.with_columns(
        pl.coalesce(name, f"{name}_below", pl.lit(0, dtype=pl.Int64)).alias(name) for name in ("n_messages", "n_texts")
    ).select(topics.columns)


def _with_others(field: _Field, table: ProjectTable, rows: pl.DataFrame, fit: int) -> pl.DataFrame:
    others = table.scan().filter(pl.col("field") != field.name).collect()
    return pl.concat([others, _declared(field, table.table, rows, fit)]).sort(*table.table.key)


def _declared(field: _Field, table: Table, rows: pl.DataFrame, fit: int) -> pl.DataFrame:
    named = rows.with_columns(
        project_id=pl.lit(field.work.project_id), field=pl.lit(field.name), model_version=pl.lit(fit, dtype=pl.Int64)
    )
    return named.select(table.schema.names())


def _account(outcome: Outcome, n_rows: int, seconds: float) -> None:
    outcome.n_rows += n_rows
    outcome.seconds += seconds
