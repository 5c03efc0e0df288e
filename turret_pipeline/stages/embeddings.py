"""`embeddings`: what each distinct text of a project's messages asks, embedded once per model.

A row's text is what was embedded: of a long prompt without frames (`shared_frames`) and the material that it carries.
What reads the rows (topics, their names and examples) reads that too.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator
from functools import partial

import numpy as np
import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.embedder.embed import Embedder
from turret_pipeline.embedder.kept import keeps_model
from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.fanout import threads_of_task
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EMBEDDINGS, MESSAGES, SHARED_FRAMES, TOPIC_EDITS, VECTOR
from turret_pipeline.semantics.definitions import all_definitions
from turret_pipeline.semantics.gone import IS_GONE
from turret_pipeline.semantics.prompts.asked import SHORT_CHARACTERS, asked
from turret_pipeline.semantics.prompts.frames import Frames
from turret_pipeline.semantics.prompts.turns import MARKED
from turret_pipeline.semantics.values import text_id
from turret_pipeline.semantics.vectors import pack, quantize
from turret_pipeline.stages.check import Check, Finding, ReceiptDays, all_there, texts_of_messages, unit_length
from turret_pipeline.stages.containment import Failure, Failures, no_field_failed
from turret_pipeline.stages.embedding_attempt import EmbeddingAttempt, vectors_of
from turret_pipeline.stages.kind_examples import examples_by
from turret_pipeline.stages.learnt import EachOnce
from turret_pipeline.stages.messages import STAGE as MESSAGES_STAGE
from turret_pipeline.stages.sentiment_examples import sentiment_by
from turret_pipeline.stages.shared_frames import FRAMES, MAY_HAVE_FRAMES, frames_of
from turret_pipeline.stages.stage import UNFINISHED, Product, ProjectNow, Source, Stage, Task
from turret_pipeline.stages.work import Outcome, Work

CHUNK_TEXTS = 8192
"""Texts embedded between two commits: what a crash can cost at most, some ten seconds on two cores."""

WINDOW_MESSAGES = 500_000
"""Messages among which texts without a vector are looked for at once."""

CUT_OFF = 1
WITHOUT_TURNS = 2
"""Versions of the method: the first embedded the beginning of long texts, the second what they ask, but did not know
conversations in one text. Of both, vectors of texts that are read as before stay."""

_MAY_BE_READ_OTHERWISE = (pl.col("text").str.len_chars() > SHORT_CHARACTERS) | pl.col("text").str.contains(MARKED)
"""Whether this version of the method may read a text otherwise than the one before, whatever frames there are."""

SAMPLE_VECTORS = 5_000
"""Vectors that the check of their length looks at: all of them are checked before they are written."""


def bring(task: Task) -> Outcome:
    """After this call every text of `messages` that can be embedded has its vector; only those without are embedded.

    Only days whose messages changed are looked through, some at a time; all days while a field has texts that could not
    be embedded. The texts go in order of `text_id`, `CHUNK_TEXTS` a commit, so that after a crash the rest falls into
    the same chunks: a vector's last bits depend on the batch that its text was embedded in. Vectors of another version
    of the method go first: distances between vectors of two methods mean nothing. (Those of texts that the earlier
    version read as this one does stay.) So do those of texts that are read otherwise since frames were
    found, and, once events were taken back, those of texts that are gone. Those of another model go last: until each
    text that can be has a vector of the one in use, search has theirs. Topics keep their ids by texts, not by vectors.
    Texts that topics are defined by are embedded too, said or not.
    """
    outcome, failures = Outcome("embeddings"), Failures(task)
    work, messages, table, wanted = task.work, task.open(MESSAGES), task.table, task.inputs()
    if table.inputs() != wanted or work.forgets or (failures and work.full_refresh):
        if table.made_by() not in (None, task.stage.version):
            _remove_others(task, frames_of(task.open(SHARED_FRAMES)))
            failpoint.reached("embeddings.after_removal")
        if work.forgets:
            said = pl.concat([messages.scan().select("text_id").unique(), _defined(task).lazy().select("text_id")])
            gone = table.scan().select("text_id").join(said, on="text_id", how="anti").unique()
            table.remove("text_id", gone.collect(engine="streaming")["text_id"], inputs=UNFINISHED)
        frames = frames_of(task.open(SHARED_FRAMES))
        _remove_read_otherwise(task, frames)
        changed = {day: task.inputs(day) for day in task.stage.stale_days(task)}
        open_model = work.embedder or (lambda: open_lake_embedder(work.lake, work.model))
        attempt = EmbeddingAttempt(open_model, work.fanout, partial(_embed_in_worker, work.lake.root, work.model))
        for window in _windows(messages, messages.days() if failures else list(changed)):
            missing = _missing(messages, table, task.model, window)
            outcome.n_rows += _embed(task, missing.with_columns(text=what_is_read(frames)), attempt)
        missing = _without_vector(table, task.model, _defined(task)).select("text_id", "text")
        outcome.n_rows += _embed(task, missing.with_columns(text=what_is_read(frames)), attempt)
        _remove_other_models(table, task.model)
        if attempt.is_begun:
            teacher = functools.cache(lambda: EachOnce(attempt.model()))
            examples_by(work.lake, task.model, teacher)
            sentiment_by(work.lake, task.model, teacher)
        failures.settle({field: Failure(reason) for field, reason in attempt.reasons.items()})
        table.set_inputs(wanted, changed)
        outcome.looked_at = changed
    outcome.facts = {"model": task.model, **failures.facts}
    return task.finish(outcome)


def _remove_others(task: Task, frames: Frames) -> None:
    """After this call no vector of another version of the method is left that this one would not give too."""
    table, made_by = task.table, task.table.made_by()
    if (made_by in (CUT_OFF, WITHOUT_TURNS)) and table.method == WITHOUT_TURNS + 1:
        known = table.scan().select("text_id", embedded="text")
        said = pl.concat([task.open(MESSAGES).scan().select("text_id", "text"), _defined(task).lazy().drop("field")])
        other = [_read_otherwise(known, said.filter(_MAY_BE_READ_OTHERWISE), frames)]
        if made_by == CUT_OFF:
            long = table.scan().filter(pl.col("text").str.len_chars() > SHORT_CHARACTERS).select("text_id")
            other.append(long.collect(engine="streaming")["text_id"])
        # In one commit, which says that the new version made what is left.
        table.remove("text_id", pl.concat(other).unique().sort(), inputs=UNFINISHED)
    else:
        table.replace(EMBEDDINGS.empty(), inputs=UNFINISHED)


def _read_otherwise(known: pl.LazyFrame, said: pl.LazyFrame, frames: Frames) -> pl.Series:
    """Return the ids of the texts in `said` that are embedded in `known`, but not as they are read now."""
    pairs = known.join(said.unique("text_id").select("text_id", "text"), on="text_id").collect(engine="streaming")
    return pairs.filter(pl.col("embedded") != what_is_read(frames))["text_id"].unique().sort()


def _remove_other_models(table: ProjectTable, model: str) -> None:
    """After this call no vector of another model is left."""
    others = table.scan().filter(pl.col("model") != model).select("model").unique()
    table.remove("model", others.collect(engine="streaming")["model"].sort(), inputs=UNFINISHED)
    failpoint.reached("embeddings.after_other_models")


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
    said = messages.scan().filter(pl.col("received_date").is_in(days), ~IS_GONE)
    missing = _without_vector(table, model, said.select("text_id").unique().collect(engine="streaming"))
    if missing.is_empty():
        return said.select("text_id", "text").head(0).collect()
    texts = said.select("text_id", "text").join(missing.lazy(), on="text_id", how="semi")
    return texts.unique("text_id").sort("text_id").collect(engine="streaming")


def _without_vector(table: ProjectTable, model: str, texts: pl.DataFrame) -> pl.DataFrame:
    """Return those of `texts` that have no vector of the model."""
    if texts.is_empty():
        return texts
    # The ids that are there are many more: they pass by.
    known = table.scan().filter(pl.col("model") == model).select("text_id")
    there = known.join(texts.lazy(), on="text_id", how="semi").collect(engine="streaming")
    return texts.join(there, on="text_id", how="anti")


def _defined(task: Task) -> pl.DataFrame:
    """Return `field`, `text_id`, `text` of the texts that topics are defined by, each text once, by its id."""
    found = all_definitions(task.rows(TOPIC_EDITS))
    rows = [(field, text_id(text), text) for field, each in found for text in each.texts]
    texts = pl.DataFrame(rows, schema={"field": pl.String, "text_id": pl.String, "text": pl.String}, orient="row")
    return texts.unique("text_id", keep="first", maintain_order=True).sort("text_id")


def _embed(task: Task, missing: pl.DataFrame, attempt: EmbeddingAttempt) -> int:
    """Embed the texts of `missing`, of each field those that can be; return how many."""
    work, table, done = task.work, task.table, 0
    if missing.height:
        work.tell("embeddings", 0, missing.height)
    if missing.height and not keeps_model(work.lake, task.model):
        attempt.model()  # it is converted once, or each worker would
    chunks = [missing.slice(start, CHUNK_TEXTS) for start in range(0, missing.height, CHUNK_TEXTS)]
    for texts, vectors in attempt.embed(chunks, partial(_fields_of, task), partial(_tell, work, missing.height)):
        failpoint.reached("embeddings.after_analysis")
        if texts.height:
            table.append(embedding_rows(work.project_id, task.model, texts, vectors), inputs=UNFINISHED)
        done += texts.height
        failpoint.reached("embeddings.after_chunk")
    return done


def what_is_read(frames: Frames) -> pl.Expr:
    """Return the column of what is embedded of the column `text`: without `frames` and without material.

    Of a conversation in one text it is what the user said last.
    """
    text = pl.col("text")
    long = pl.when((text.str.len_chars() > min(SHORT_CHARACTERS, frames.least)) | text.str.contains(MARKED)).then(text)
    read = long.map_elements(lambda said: asked(frames.split(said)[0]), return_dtype=pl.String, skip_nulls=True)
    return pl.coalesce(read, text)


def _remove_read_otherwise(task: Task, frames: Frames) -> None:
    """After this call no vector is left of a text that is read otherwise with the frames that there are now."""
    table, messages = task.table, task.open(MESSAGES)
    now = task.open(SHARED_FRAMES).mark(FRAMES) or 0
    if now == (table.mark(FRAMES) or 0):
        return
    for window in _windows(messages, messages.days()):
        said = messages.scan().filter(MAY_HAVE_FRAMES & pl.col("received_date").is_in(window))
        other = _read_otherwise(table.scan().select("text_id", embedded="text"), said, frames)
        table.remove("text_id", other, inputs=UNFINISHED)
        failpoint.reached("embeddings.after_frames")
    table.append(EMBEDDINGS.empty(), inputs=UNFINISHED, marks={FRAMES: now})


def _fields_of(task: Task, texts: pl.DataFrame) -> pl.DataFrame:
    """Return `field` and `text_id` of the fields that have messages with these texts, or topics defined by them."""
    told = pl.concat([task.open(MESSAGES).scan().select("field", "text_id"), _defined(task).lazy().drop("text")])
    said = told.join(texts.lazy().select("text_id"), on="text_id", how="semi")
    return said.unique().collect(engine="streaming")


def embedding_rows(project_id: str, model: str, texts: pl.DataFrame, vectors: np.ndarray) -> pl.DataFrame:
    """Return the rows of `embeddings` for `texts` (`text_id`, `text`) with these unit vectors, one a text."""
    rows = texts.with_columns(
        project_id=pl.lit(project_id),
        model=pl.lit(model),
        vector=pl.Series(vectors).cast(VECTOR),
        quantized=pack(quantize(vectors)),
    )
    return rows.select(EMBEDDINGS.schema.names())


def _embed_in_worker(root: str, model: str | None, texts: list[str]) -> np.ndarray | None:
    """Return what `vectors_of` does, in a process of its own that has the lake alone. root: of the lake."""
    return vectors_of(_model_of_worker(root, model), texts)


@functools.cache
def _model_of_worker(root: str, model: str | None) -> Embedder:
    return open_lake_embedder(Lake(root), model, n_threads=threads_of_task())


def _tell(work: Work, total: int, done: int) -> None:
    work.tell("embeddings", done, total)


def every_text_has_a_vector(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """Every text of the days' messages has a vector."""
    return all_there(texts_of_messages(lake, project_id, days, "text_id"), store.scan(lake, EMBEDDINGS, project_id))


def defined_texts(now: ProjectNow) -> tuple[object, ...]:
    """Return what stands for the topics that people defined, of which the API writes down; () where there are none."""
    found = all_definitions(now.rows(TOPIC_EDITS))
    return ([(field, each.topic_id, each.value) for field, each in found],) if found else ()


def _model(now: ProjectNow, day: dt.date | None) -> tuple[object, ...]:
    # The texts of definitions are of no day.
    return (now.model, *(defined_texts(now) if day is None else ()))


STAGE = Stage(
    makes=(
        Product(
            EMBEDDINGS,
            "The meaning of each distinct text as a vector, so that texts that mean the same lie close "
            "together. Each text is embedded once; of a long one what it asks, without what it carries.",
            {"text vector": "messages.text"},
            {
                "unit_length": unit_length(EMBEDDINGS, "text_id", "vector", at_most=SAMPLE_VECTORS),
                "every_text_has_a_vector": Check("every text of a message has a vector", every_text_has_a_vector),
                "no_field_failed": no_field_failed(EMBEDDINGS),
            },
        ),
    ),
    reads=(Source(MESSAGES), Source(SHARED_FRAMES, FRAMES)),
    besides=_model,
    method=bring,
    version=3,
    group="topics",
    remembers=True,
    follows=(MESSAGES_STAGE,),
    kinds=frozenset({"deltalake", "huggingface"}),
    pool="models",
)
