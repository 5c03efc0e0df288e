"""What the stages have in common that tell something of each distinct text by its vector, once for each model.

A text that the telling fails on gets a row that says nothing of it, and its field is noted; with the next change all
rows are made anew, to see whether it fails still.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.lake.commits import fingerprint
from turret_pipeline.lake.schema import Table
from turret_pipeline.lake.tables import EMBEDDINGS, MESSAGES
from turret_pipeline.semantics.gone import IS_GONE
from turret_pipeline.stages.containment import Failure, Failures, FieldError, contained
from turret_pipeline.stages.embedding_attempt import by_first_field
from turret_pipeline.stages.halving import by_halves
from turret_pipeline.stages.shared_frames import FRAMES
from turret_pipeline.stages.stage import UNFINISHED, Task
from turret_pipeline.stages.work import Outcome

VECTORS = "vectors"
"""Name of the mark that says how the vectors were made that the rows were told by."""

ANEW = "anew"
"""Name of the mark that is another one each time that all rows are made anew: what follows from them must follow."""

TOLD = "told of vectors at"
"""Name of the mark that says of which rows of `embeddings` (`ProjectTable.seen`) all texts have been told."""

Tell = Callable[[pl.DataFrame], pl.DataFrame]
"""Returns the rows of texts (`text_id`, `text`, `vector`), in their order, without `project_id` and `model`."""


@dataclass(frozen=True)
class Telling:
    """How the rows of a table are told.

    Args:
        table: it has `project_id`, `model`, `text_id` and what is told.
        what: that is told, in words.
        unknown: what the row of a text that cannot be told says, by column.
        learn: opens what the rows are told by, where there are rows to tell.
        chunk_texts: texts whose vectors are in memory at once.
        keeps_models: whether the rows of models that are no longer in use stay.
    """

    table: Table
    what: str
    unknown: dict[str, object]
    learn: Callable[[Task], Tell]
    chunk_texts: int
    keeps_models: bool

    @property
    def columns(self) -> pl.Schema:
        """The columns that are told, and `text_id`."""
        return columns_of(self.table)


def columns_of(table: Table) -> pl.Schema:
    """Return the columns that are told of each text, and `text_id`."""
    return pl.Schema({name: dtype for name, dtype in table.schema.items() if name not in ("project_id", "model")})


def bring_told(task: Task, telling: Telling) -> Outcome:
    """After this call every text that has a vector has its row; only those without are looked at.

    Once vectors are made by another method, or without other shared frames, all rows are made anew.
    """
    name = telling.table.name
    outcome, failures = Outcome(name), Failures(task)
    work, table, wanted = task.work, task.table, task.inputs()
    if work.full_refresh or table.inputs() != wanted:
        made_by = _vectors_made_by(task, telling)
        if task.makes_anew() or failures or table.mark(VECTORS) not in (None, made_by):
            table.replace(_of_gone(task), inputs=UNFINISHED, marks={ANEW: table.version})
            failures.settle({})
            failpoint.reached(f"{name}.after_removal")
        if (gone := _of_gone(task, without_row=True)).height:
            table.append(gone, inputs=UNFINISHED)
        missing = _missing(task)
        vectors = task.open(EMBEDDINGS).having_by("text_id", missing["text_id"], telling.chunk_texts)
        for _, there in vectors if missing.height else ():
            rows = _told(task, telling, there, failures)
            failpoint.reached(f"{name}.after_analysis")
            table.append(rows, inputs=UNFINISHED, marks={VECTORS: made_by})
            outcome.n_rows += rows.height
            work.tell(name, outcome.n_rows, missing.height)
            failpoint.reached(f"{name}.after_chunk")
        seen = task.open(EMBEDDINGS).seen
        if table.inputs() != wanted or (table.mark(TOLD) or 0) != seen:
            table.append(telling.table.empty(), inputs=wanted, marks={TOLD: seen})
    outcome.facts = {"model": task.model, **failures.facts}
    return task.finish(outcome)


def _vectors_made_by(task: Task, telling: Telling) -> int:
    """Return what stands for how the vectors were made: by which method, and without which shared frames."""
    embeddings = task.open(EMBEDDINGS)
    method, frames = embeddings.mark("method") or 1, embeddings.mark(FRAMES) or 0
    if not telling.keeps_models:
        return fingerprint(task.model, method, frames)
    return fingerprint(method, frames) if frames else method


def _of_gone(task: Task, *, without_row: bool = False) -> pl.DataFrame:
    """Return the rows of texts that are gone and were told, now of the model in use: no other will be told of them.

    without_row: those only that have no row of this model. Of texts that messages have no more there is none.
    """
    there, of_model = task.table.scan().filter(IS_GONE), pl.col("model") == task.model
    if without_row:
        there = there.join(there.filter(of_model).select("text_id"), on="text_id", how="anti")
    rows = there.sort(~of_model, "model").unique("text_id", keep="first", maintain_order=True).collect()
    if task.work.forgets:
        said = task.open(MESSAGES).scan().filter(IS_GONE).select("text_id")
        rows = rows.join(said.collect(), on="text_id", how="semi")
    return rows.with_columns(model=pl.lit(task.model)).sort("text_id")


def _missing(task: Task) -> pl.DataFrame:
    """Return `text_id` of the texts that have a vector of the model in use and no row, in order."""
    of_model = pl.col("model") == task.model
    vectors, is_finished = task.open(EMBEDDINGS), task.table.inputs() != UNFINISHED
    # Where all that had a vector then has been told, and nothing since, what came is all that is missing.
    added = vectors.added_since(task.table.mark(TOLD)) if is_finished else None
    if added is not None:
        return added.filter(of_model).select("text_id").unique().sort("text_id").collect()
    with_vector, with_row = (each.scan().filter(of_model) for each in (vectors, task.table))
    missing = with_vector.select("text_id").join(with_row.select("text_id"), on="text_id", how="anti")
    return missing.unique().sort("text_id").collect()


def _told(task: Task, telling: Telling, vectors: pl.LazyFrame, failures: Failures) -> pl.DataFrame:
    """Return the rows of the texts of `vectors` (rows of `EMBEDDINGS`), in order; note the fields that have failed."""
    there = vectors.filter(pl.col("model") == task.model)
    found = _of_fields(task, telling, there.select("text_id", "text", "vector").collect(), failures)
    rows = found.with_columns(project_id=pl.lit(task.work.project_id), model=pl.lit(task.model))
    return rows.select(telling.table.schema.names()).sort("text_id")


def _of_fields(task: Task, telling: Telling, texts: pl.DataFrame, failures: Failures) -> pl.DataFrame:
    """Return a row for each of `texts`: all at once or, where that fails, field by field."""
    tell = telling.learn(task)
    try:
        with contained():
            return tell(texts)
    except FieldError:
        said = task.open(MESSAGES).having("text_id", texts["text_id"]).select("field", "text_id").unique().collect()
    frames, failed = [telling.columns.to_frame(eager=True)], dict[str, str]()
    for _, of_field in by_first_field(texts, said):
        frames.append(_halved(of_field.sort("text_id"), telling, tell, failed))
    in_fields = said.filter(pl.col("text_id").is_in(list(failed))).sort("field", "text_id")
    for (field,), of_field in in_fields.group_by("field", maintain_order=True):
        first = failed[of_field["text_id"][0]]
        failures.note(
            str(field), Failure(f"of {of_field.height} of its texts {telling.what} could not be told: {first}")
        )
    return pl.concat(frames)


def _halved(texts: pl.DataFrame, telling: Telling, tell: Tell, failed: dict[str, str]) -> pl.DataFrame:
    """Return a row for each of a field's texts; put those that fail into `failed`, each with the reason."""
    frames = [telling.columns.to_frame(eager=True)]
    for part, rows in by_halves(texts.height, lambda part: tell(texts[part])):
        if isinstance(rows, FieldError):
            said = texts["text_id"][part]
            failed |= dict.fromkeys(said, str(rows))
            frames.append(_unknown(said, telling))
        else:
            frames.append(rows)
    return pl.concat(frames)


def _unknown(text_ids: pl.Series, telling: Telling) -> pl.DataFrame:
    """Return rows that say nothing of these texts."""
    said = [pl.lit(of, telling.columns[name]).alias(name) for name, of in telling.unknown.items()]
    return text_ids.to_frame("text_id").with_columns(said).select(telling.columns.names())
