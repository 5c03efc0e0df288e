"""`embeddings`: each distinct text of a project's messages, embedded once per model."""

from __future__ import annotations

from functools import partial

import polars as pl

from turret_pipeline.analysis.embedding import model_key
from turret_pipeline.lake import failpoint
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.tables import EMBEDDINGS, MESSAGES, VECTOR
from turret_pipeline.stages.embedder import open_lake_embedder
from turret_pipeline.stages.inputs import embeddings_inputs
from turret_pipeline.stages.work import Outcome, Work

CHUNK_TEXTS = 8192
"""Texts embedded between two commits: what a crash can cost at most, some ten seconds on two cores."""


def bring_embeddings(work: Work) -> Outcome:
    """After this call every text of `messages` has its vector; only those that had none are embedded.

    They go in order of `text_id`, `CHUNK_TEXTS` a commit, so that after a crash the rest falls into the same chunks:
    a vector's last bits depend on the batch that its text was embedded in.
    """
    outcome = Outcome("embeddings")
    messages, table = work.open(MESSAGES), work.open(EMBEDDINGS)
    model = model_key(work.model)
    wanted = embeddings_inputs(messages.state(), model)
    if table.inputs() != wanted:
        missing = _missing(messages, table, model)
        if missing.height:
            _embed(work, table, model, missing)
        outcome.n_rows = missing.height
    outcome.facts = {"model": model}
    return outcome.finish(work, table, wanted)


def _missing(messages: ProjectTable, table: ProjectTable, model: str) -> pl.DataFrame:
    """Return `text_id` and `text` of the distinct texts without a vector, in order of `text_id`."""
    known = table.scan().filter(pl.col("model") == model).select("text_id")
    ids = messages.scan().select("text_id").unique().join(known, on="text_id", how="anti")
    texts = messages.scan().select("text_id", "text").join(ids, on="text_id", how="semi")
    return texts.unique("text_id").sort("text_id").collect()


def _embed(work: Work, table: ProjectTable, model: str, missing: pl.DataFrame) -> None:
    work.tell("embeddings", 0, missing.height)
    embedder = open_lake_embedder(work.lake, work.model)
    for start in range(0, missing.height, CHUNK_TEXTS):
        chunk = missing.slice(start, CHUNK_TEXTS)
        vectors = embedder.embed(chunk["text"].to_list(), partial(_tell, work, start, missing.height))
        failpoint.reached("embeddings.after_analysis")
        rows = chunk.with_columns(
            project_id=pl.lit(work.project_id),
            model=pl.lit(model),
            vector=pl.Series(vectors).cast(VECTOR),
        )
        table.append(rows.select(EMBEDDINGS.schema.names()))
        failpoint.reached("embeddings.after_chunk")


def _tell(work: Work, before: int, total: int, done: int) -> None:
    work.tell("embeddings", before + done, total)
