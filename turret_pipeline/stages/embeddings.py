"""`embeddings`: each distinct text of a project's messages, embedded once per model."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import partial

import numpy as np
import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.embedder.embed import Embedder, model_key
from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.tables import EMBEDDINGS, MESSAGES, VECTOR
from turret_pipeline.semantics.vectors import pack, quantize
from turret_pipeline.stages.inputs import embeddings_inputs
from turret_pipeline.stages.work import Outcome, Work

CHUNK_TEXTS = 8192
"""Texts embedded between two commits: what a crash can cost at most, some ten seconds on two cores."""


WINDOW_MESSAGES = 500_000
"""Messages among which texts without a vector are looked for at once."""


def bring_embeddings(work: Work) -> Outcome:
    """After this call every text of `messages` has its vector; only those that had none are embedded.

    Only days whose messages changed are looked through, some at a time. Their texts go in order of `text_id`,
    `CHUNK_TEXTS` a commit, so that after a crash the rest falls into the same chunks: a vector's last bits depend on
    the batch that its text was embedded in.
    """
    outcome = Outcome("embeddings")
    messages, table = work.open(MESSAGES), work.open(EMBEDDINGS)
    model = model_key(work.model)
    wanted = embeddings_inputs(messages.state(), model)
    if table.inputs() != wanted:
        days = {day: embeddings_inputs(messages.state(day), model) for day in messages.days()}
        changed = {day: inputs for day, inputs in days.items() if table.inputs(day) != inputs}
        embedder = None
        for window in _windows(messages, list(changed)):
            missing = _missing(messages, table, model, window)
            if missing.height:
                embedder = embedder or open_lake_embedder(work.lake, work.model)
                _embed(work, table, embedder, missing)
            outcome.n_rows += missing.height
        table.set_inputs(wanted, changed)
        outcome.looked_at = changed
    outcome.facts = {"model": model}
    return outcome.finish(work, table, wanted)


def _windows(messages: ProjectTable, days: list[dt.date]) -> Iterator[list[dt.date]]:
    """Yield the days in order, as many at a time as have `WINDOW_MESSAGES`."""
    sizes = dict(messages.sizes().select("received_date", "n_rows").rows())
    window: list[dt.date] = []
    for day in days:
        if window and sum(sizes[each] for each in [*window, day]) > WINDOW_MESSAGES:
            yield window
            window = []
        window.append(day)
    if window:
        yield window


def _missing(messages: ProjectTable, table: ProjectTable, model: str, days: list[dt.date]) -> pl.DataFrame:
    """Return `text_id` and `text` of the distinct texts of `days` without a vector, in order of `text_id`."""
    said = messages.scan().filter(pl.col("received_date").is_in(days))
    ids = said.select("text_id").unique().collect(engine="streaming")
    # The ids that are there are many more: they pass by.
    known = table.scan().filter(pl.col("model") == model).select("text_id")
    there = known.join(ids.lazy(), on="text_id", how="semi").collect(engine="streaming")
    missing = ids.join(there, on="text_id", how="anti")
    if missing.is_empty():
        return said.select("text_id", "text").head(0).collect()
    texts = said.select("text_id", "text").join(missing.lazy(), on="text_id", how="semi")
    return texts.unique("text_id").sort("text_id").collect(engine="streaming")


def _embed(work: Work, table: ProjectTable, embedder: Embedder, missing: pl.DataFrame) -> None:
    work.tell("embeddings", 0, missing.height)
    for start in range(0, missing.height, CHUNK_TEXTS):
        chunk = missing.slice(start, CHUNK_TEXTS)
        vectors = embedder.embed(chunk["text"].to_list(), partial(_tell, work, start, missing.height))
        failpoint.reached("embeddings.after_analysis")
        table.append(embedding_rows(work.project_id, embedder.key, chunk, vectors))
        failpoint.reached("embeddings.after_chunk")


def embedding_rows(project_id: str, model: str, texts: pl.DataFrame, vectors: np.ndarray) -> pl.DataFrame:
    """Return the rows of `embeddings` for `texts` (`text_id`, `text`) with these unit vectors, one a text."""
    rows = texts.with_columns(
        project_id=pl.lit(project_id),
        model=pl.lit(model),
        vector=pl.Series(vectors).cast(VECTOR),
        quantized=pack(quantize(vectors)),
    )
    return rows.select(EMBEDDINGS.schema.names())


def _tell(work: Work, before: int, total: int, done: int) -> None:
    work.tell("embeddings", before + done, total)
