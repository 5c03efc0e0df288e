"""A fit of one field: its topics, what became of the old ones, and the topic of every text; four commits."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.analysis.topics.fit import MAX_FIT_TEXTS, fit_topics
from turret_pipeline.analysis.topics.lineage import lineage, stability
from turret_pipeline.analysis.topics.sound import refuse_unsound
from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.tables import TOPIC_FITS
from turret_pipeline.semantics.definitions import DEFINED
from turret_pipeline.semantics.edits import held_topics, labels_given
from turret_pipeline.stages.containment import Failures, contained
from turret_pipeline.stages.fits.defined import defined_rows, found_only, rules_of, with_defined
from turret_pipeline.stages.fits.field import ASSIGNED, CLUSTERS, OTHER_CLUSTERS, Field, Tally, as_assigned, declared
from turret_pipeline.stages.fits.gone import carried, parted
from turret_pipeline.stages.fits.lost import untouched, without_words
from turret_pipeline.stages.fits.marks import DEFINITIONS
from turret_pipeline.stages.shared_frames import FRAMES
from turret_pipeline.stages.stage import UNFINISHED
from turret_pipeline.stages.work import Outcome, Work


def with_one_embedder(work: Work) -> Work:
    """Return the same work, whose embedding model is opened once, when a fit first has a phrase to embed."""
    return replace(work, embedder=cache(work.embedder or (lambda: open_lake_embedder(work.lake, work.model))))


def _embed(work: Work, texts: Sequence[str]) -> np.ndarray:
    assert work.embedder is not None
    return work.embedder().embed(texts)


@dataclass(frozen=True)
class Fit:
    """A fit that is to be made.

    Args:
        number: of the fit, from 1 for the field's first.
        reason: why, in words.
        base: version of `topics` to go on from; None: the one that is open.
        seen: when the last fit was made (of receipt, in microseconds).
    """

    number: int
    reason: str
    base: int | None
    seen: int


def fit_field(field: Field, fit: Fit, failures: Failures, fitted: Outcome, assigned: Outcome) -> None:
    """Commit what a fit finds: that the field has not failed, the fit, the lineage, the topics, then all assignments.

    Moves of conversation, and texts that say little by themselves, get the topics that the others have. Nothing that is
    told of the fit counts them, or each of them would have changed its topic, or lack one. Texts that came after `seen`
    were given the nearest of the topics that there were. They count as texts without a
    topic, or a theme that came up since could never become a topic of its own. Raise `FieldError`, with nothing
    committed, where the analysis fails.
    """
    started, tables = time.perf_counter(), field.tables
    base = tables.topics.version if fit.base is None else fit.base
    old_topics = field.topics_at(base)
    all_texts, known, gone = parted(field.texts(), field.rows(tables.assignments))
    is_unfit = all_texts["text_id"].is_in(field.unfit["text_id"].implode())
    texts, others = all_texts.filter(~is_unfit), all_texts.filter(is_unfit)
    known = _of_requests(known, field.unfit)
    forgets = field.work.forgets
    field.work.tell("topics", 0, texts.height)
    # The sample that `fit_topics` would take too, but the vectors of the rest need not be in memory for it.
    sample, rest = texts.head(MAX_FIT_TEXTS), texts.slice(MAX_FIT_TEXTS)
    edits = field.edits
    defined = [each.topic_id for each in field.definitions]
    taken = known.filter(pl.col("topic_id").is_in(defined)).select("text_id")
    if forgets:
        known = known.join(texts, on="text_id", how="semi")
    if taken.height:  # what a defined topic took is no material for found ones
        rest = pl.concat([rest, sample.join(taken, on="text_id", how="semi")])
        sample = sample.join(taken, on="text_id", how="anti", maintain_order="left")
    fitted_before, vectors = sample.filter(pl.col("first") <= fit.seen), field.with_vectors(sample)
    if forgets:
        clean = untouched(old_topics, field.lost, vectors, known)
        old_topics = without_words(old_topics, {*held_topics(edits), *clean})
    found_before = old_topics.filter(~DEFINED)
    known_found = found_only(field, known, found_before)
    with contained():
        found = fit_topics(
            vectors,
            previous_topics=found_before if found_before.height else None,
            previous_assignments=known_found.join(fitted_before, on="text_id", how="semi")
            if found_before.height
            else None,
            held=held_topics(edits),
            given_labels=sorted({*labels_given(edits).values(), *(each.label for each in field.definitions)}),
            embed=partial(_embed, field.work),
            suggest=field.work.suggest,
            clusters=field.work.clusters,
            replace=(forgets and not (field.lost and field.lost.is_few)) or fit.reason == OTHER_CLUSTERS,
        )
    field.work.tell("topics", texts.height, texts.height)
    rows = pl.concat([as_assigned(found.assignments), field.assign(rest, found.topics)])
    with contained():
        rules = rules_of(field, found.topics, rows)
        rows = with_defined(field, rows, rules)
    bare = field.unassigned(texts, rows)
    tally = Tally(rows.height, rows["topic_id"].null_count(), n_unembedded=bare.height)
    rows = pl.concat([rows, bare]).sort("text_id")
    all_rows = pl.concat([rows, with_defined(field, field.assign(others, found.topics), rules)]).sort("text_id")
    with contained():
        topics = pl.concat([found.topics, defined_rows(field, rows, rules, found.topics)])
        if gone.known.height:
            of_gone, stay = carried(gone, known, rows, topics, old_topics)
            topics, all_rows = pl.concat([topics, stay]), pl.concat([all_rows, of_gone.select(ASSIGNED.names())])
            known, told = pl.concat([known, _of_requests(gone.known, field.unfit)]), _of_requests(of_gone, field.unfit)
            rows, texts = pl.concat([rows, told.select(ASSIGNED.names())]), pl.concat([texts, gone.texts])
        topics = counted(topics, rows, texts) if rest.height or rules or gone.known.height else topics
        topics = topics.with_columns(fitted_texts=pl.lit(tally.n_texts, dtype=pl.Int64))
        refuse_unsound(topics, rows)
        facts = _facts(known, rows.join(texts, on="text_id"), topics)
        ways = _labelled(lineage(known, rows), old_topics, topics)
    failpoint.reached("topics.after_analysis")

    failures.clear(field.name)
    until = int(all_texts["first"].max() or 0)  # type: ignore[arg-type]
    one_fit = facts.with_columns(
        reason=pl.lit(fit.reason),
        seen_until=pl.lit(dt.datetime.fromtimestamp(until / 1e6, dt.UTC), dtype=pl.Datetime("us", "UTC")),
    )
    tables.fits.replace(with_others(field, tables.fits, one_fit, fit.number, keep_earlier=True))
    tables.lineage.replace(with_others(field, tables.lineage, ways, fit.number, keep_earlier=True))
    failpoint.reached("topic_lineage.after_commit")
    marks = {"base": base, "fit": fit.number, "seen before": fit.seen, "seen": until, "model": field.model}
    marks |= {"method": field.version, "told by": field.told_by, "clusters": CLUSTERS.index(field.work.clusters)}
    marks |= {FRAMES: field.frames}
    # Unfinished, or a full refresh that is cut off before the assignments would leave nothing to do.
    tables.topics.replace(
        with_others(field, tables.topics, topics, fit.number),
        inputs=UNFINISHED,
        marks={field.mark_id(name): n for name, n in marks.items()},
    )
    fitted.add(topics.height, time.perf_counter() - started)
    fitted.facts[f"why {field.name} was fitted"] = fit.reason
    fitted.facts |= {_told(name, field.name): value for name, value in facts.row(0, named=True).items() if value}
    failpoint.reached("topics.after_commit")

    assign_all(field, all_rows, tally, fit.number, assigned)


def _of_requests(known: pl.DataFrame, unfit: pl.DataFrame) -> pl.DataFrame:
    """Return `known` assignments without those of `unfit` texts, but for topics that have no others: these end."""
    requests = known.join(unfit, on="text_id", how="anti")
    left = known.drop_nulls("topic_id").join(requests, on="topic_id", how="anti")
    return pl.concat([requests, left])


def assign_all(field: Field, rows: pl.DataFrame, tally: Tally, fit: int, assigned: Outcome) -> None:
    """Commit the assignments (`ASSIGNED`) of all the field's texts, which are those of fit number `fit`."""
    started, table = time.perf_counter(), field.tables.assignments
    marks = {field.mark_id("fit"): fit, **field.tally_marks(tally), field.mark_id(DEFINITIONS): field.wanted}
    table.replace(with_others(field, table, rows, fit), marks=marks)
    assigned.add(rows.height, time.perf_counter() - started)
    failpoint.reached("topic_assignments.after_commit")


def _told(column: str, field: str) -> str:
    """Return what a number of `TOPIC_FITS` is called where people see it."""
    return f"{column.removeprefix('n_').replace('_', ' ')} of {field}"


def _facts(known: pl.DataFrame, counted: pl.DataFrame, topics: pl.DataFrame) -> pl.DataFrame:
    """Return the numbers of `TOPIC_FITS`, one row. counted: assignments of all texts, with n_messages."""
    n_messages = int(counted["n_messages"].sum())
    covered = int(counted.drop_nulls("topic_id")["n_messages"].sum())
    near = counted.select(mean=pl.col("similarity").mean(), sd=pl.col("similarity").std(ddof=0)).row(0)
    row = {
        "n_texts": counted.height,
        "n_topics": topics.filter(pl.col("level") == 0).height,
        "coverage": covered / n_messages if n_messages else None,
        "mean_similarity": near[0],
        "sd_similarity": near[1],
        **stability(known, counted),
    }
    return pl.DataFrame([row], schema={name: TOPIC_FITS.schema[name] for name in row})


def _labelled(ways: pl.DataFrame, before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return the lineage with the labels that the topics had."""
    labels = [
        each.select(f"{side}_topic", f"{side}_label")
        for side, each in (
            ("from", before.rename({"topic_id": "from_topic", "label": "from_label"})),
            ("to", after.rename({"topic_id": "to_topic", "label": "to_label"})),
        )
    ]
    for side, named in zip(("from", "to"), labels, strict=True):
        ways = ways.join(named, on=f"{side}_topic", how="left", maintain_order="left")
    return ways


def counted(topics: pl.DataFrame, assignments: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """Return `topics` with the numbers of all texts and messages, not only of those that they were fitted on."""
    with_topic = assignments.join(texts, on="text_id").group_by("topic_id")
    counts = with_topic.agg(n_messages=pl.col("n_messages").sum(), n_texts=pl.len().cast(pl.Int64))
    told = topics.drop("n_messages", "n_texts").join(counts, on="topic_id", how="left", maintain_order="left")
    sums = told.group_by("parent_id").agg(pl.col("n_messages", "n_texts").sum())
    told = told.join(sums, left_on="topic_id", right_on="parent_id", how="left", suffix="_below")
    return told.with_columns(
        pl.coalesce(name, f"{name}_below", pl.lit(0, dtype=pl.Int64)).alias(name) for name in ("n_messages", "n_texts")
    ).select(topics.columns)


def with_others(
    field: Field, table: ProjectTable, rows: pl.DataFrame, fit: int, *, keep_earlier: bool = False
) -> pl.DataFrame:
    """Return the project's rows of `table`, with `rows` for the field's (of this fit on, if earlier ones are kept)."""
    other = pl.col("field") != field.name
    others = table.scan().filter(other | (pl.col("model_version") < fit) if keep_earlier else other).collect()
    return pl.concat([others, declared(field, table.table, rows, fit)]).sort(*table.table.key)
