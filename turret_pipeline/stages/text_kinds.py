"""`text_kinds`: whether each distinct text is a move of conversation, and how much it says by itself.

Told once per text and model, by nearness to the examples that ship with Turret. What a message is follows from this and
from its place in its session (`journey_steps`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from turret_pipeline import failpoint
from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable, fingerprint
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EMBEDDINGS, MESSAGES, TEXT_KINDS
from turret_pipeline.stages.check import Check, Finding, ReceiptDays, all_there
from turret_pipeline.stages.containment import Failure, Failures, FieldError, contained, no_field_failed
from turret_pipeline.stages.embedding_attempt import by_first_field
from turret_pipeline.stages.halving import by_halves
from turret_pipeline.stages.kind_examples import examples_by
from turret_pipeline.stages.shared_frames import FRAMES
from turret_pipeline.stages.stage import UNFINISHED, Product, ProjectNow, Source, Stage, Task
from turret_pipeline.stages.work import Outcome

if TYPE_CHECKING:
    from turret_pipeline.analysis.kinds.examples import Examples

COLUMNS = pl.Schema({name: dtype for name, dtype in TEXT_KINDS.schema.items() if name not in ("project_id", "model")})

CHUNK_TEXTS = 50_000
"""Texts whose vectors are in memory at once."""

VECTORS = "vectors"
"""Name of the mark that says how the vectors were made that the rows were told by."""


def bring(task: Task) -> Outcome:
    """After this call every text that has a vector has its row; only those without are looked at.

    Once vectors are made by another method, or without other shared frames, all rows are made anew. A text that the
    analysis fails on counts as one that is no move and says enough; with the next change all rows are made anew, to see
    whether it fails still.
    """
    outcome, failures = Outcome("text_kinds"), Failures(task)
    work, table, wanted = task.work, task.table, task.inputs()
    if work.full_refresh or table.inputs() != wanted:
        made_by = _vectors_made_by(task.open(EMBEDDINGS))
        if task.makes_anew() or failures or table.mark(VECTORS) not in (None, made_by):
            table.replace(TEXT_KINDS.empty(), inputs=UNFINISHED)
            failures.settle({})
            failpoint.reached("text_kinds.after_removal")
        missing = _missing(task)
        for start in range(0, missing.height, CHUNK_TEXTS):
            rows = _told(task, missing.slice(start, CHUNK_TEXTS), failures)
            failpoint.reached("text_kinds.after_analysis")
            table.append(rows, inputs=UNFINISHED, marks={VECTORS: made_by})
            outcome.n_rows += rows.height
            work.tell("text_kinds", min(start + CHUNK_TEXTS, missing.height), missing.height)
            failpoint.reached("text_kinds.after_chunk")
        table.set_inputs(wanted)
    outcome.facts = {"model": task.model, **failures.facts}
    return task.finish(outcome)


def _vectors_made_by(embeddings: ProjectTable) -> int:
    """Return what stands for how the vectors were made: by which method, and without which shared frames."""
    method, frames = embeddings.mark("method") or 1, embeddings.mark(FRAMES) or 0
    return fingerprint(method, frames) if frames else method


def _missing(task: Task) -> pl.DataFrame:
    """Return `text_id` of the texts that have a vector of the model in use and no row, in order."""
    of_model = pl.col("model") == task.model
    with_vector, with_row = (each.scan().filter(of_model) for each in (task.open(EMBEDDINGS), task.table))
    missing = with_vector.select("text_id").join(with_row.select("text_id"), on="text_id", how="anti")
    return missing.unique().sort("text_id").collect()


def _told(task: Task, texts: pl.DataFrame, failures: Failures) -> pl.DataFrame:
    """Return the rows of `texts` (`text_id`), in order; note the fields that have texts of which none can be told."""
    work = task.work
    examples = examples_by(work.lake, task.model, work.embedder or (lambda: open_lake_embedder(work.lake, work.model)))
    of_model = pl.col("model") == task.model
    there = task.open(EMBEDDINGS).having("text_id", texts["text_id"]).filter(of_model)
    found = _of_fields(task, there.select("text_id", "text", "vector").collect(), examples, failures)
    rows = found.with_columns(project_id=pl.lit(work.project_id), model=pl.lit(task.model))
    return rows.select(TEXT_KINDS.schema.names()).sort("text_id")


def _of_fields(task: Task, texts: pl.DataFrame, examples: Examples, failures: Failures) -> pl.DataFrame:
    """Return a row (`COLUMNS`) for each of `texts`: all at once or, where that fails, field by field."""
    try:
        with contained():
            return told_kinds(texts, examples)
    except FieldError:
        said = task.open(MESSAGES).having("text_id", texts["text_id"]).select("field", "text_id").unique().collect()
    frames, failed = [COLUMNS.to_frame(eager=True)], dict[str, str]()
    for _, of_field in by_first_field(texts, said):
        frames.append(_halved(of_field.sort("text_id"), examples, failed))
    in_fields = said.filter(pl.col("text_id").is_in(list(failed))).sort("field", "text_id")
    for (field,), of_field in in_fields.group_by("field", maintain_order=True):
        reason = f"of {of_field.height} of its texts the kind could not be told: {failed[of_field['text_id'][0]]}"
        failures.note(str(field), Failure(reason))
    return pl.concat(frames)


def told_kinds(texts: pl.DataFrame, examples: Examples) -> pl.DataFrame:
    """Return the rows (`COLUMNS`) of `texts`, in their order."""
    # Here, not at the top: it loads scikit-learn, and a look for new work reads this module too.
    from turret_pipeline.analysis.kinds.texts import text_kinds

    return text_kinds(texts, examples).select(COLUMNS.names())


def _halved(texts: pl.DataFrame, examples: Examples, failed: dict[str, str]) -> pl.DataFrame:
    """Return a row (`COLUMNS`) for each of a field's texts; put those that fail into `failed`, each with the reason."""
    frames = [COLUMNS.to_frame(eager=True)]
    for part, rows in by_halves(texts.height, lambda part: told_kinds(texts[part], examples)):
        if isinstance(rows, FieldError):
            said = texts["text_id"][part]
            failed |= dict.fromkeys(said, str(rows))
            frames.append(_unknown(said))
        else:
            frames.append(rows)
    return pl.concat(frames)


def _unknown(text_ids: pl.Series) -> pl.DataFrame:
    """Return rows (`COLUMNS`) that count these texts as requests that say enough."""
    said = {"move": None, "sureness": 0.0, "weight": 1.0}
    return text_ids.to_frame("text_id").with_columns(pl.lit(of, COLUMNS[name]).alias(name) for name, of in said.items())


def every_text_has_its_kind(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """Every text that has a vector of some model has its row, of that or another."""
    texts = store.scan(lake, EMBEDDINGS, project_id).select("text_id").unique().collect(engine="streaming")
    return all_there(texts, store.scan(lake, TEXT_KINDS, project_id))


def _model(now: ProjectNow, day: object) -> tuple[object, ...]:
    return (now.model,)


STAGE = Stage(
    makes=(
        Product(
            TEXT_KINDS,
            "What each distinct text is by itself: a move of conversation such as thanks or a greeting, or not, and "
            "how much it says without what was said before it.",
            {"move sureness weight": "embeddings.text embeddings.vector"},
            {
                "every_text_has_its_kind": Check("every text with a vector was looked at", every_text_has_its_kind),
                "no_field_failed": no_field_failed(TEXT_KINDS),
            },
        ),
    ),
    reads=(Source(EMBEDDINGS), Source(MESSAGES)),
    besides=_model,
    version=2,
    method=bring,
    group="topics",
    remembers=True,
    kinds=frozenset({"deltalake", "polars"}),
)
