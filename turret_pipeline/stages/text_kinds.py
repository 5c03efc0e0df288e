"""`text_kinds`: whether each distinct text is a move of conversation, and how much it says by itself.

Told once per text and model, by nearness to the examples that ship with Turret. What a message is follows from this and
from its place in its session (`journey_steps`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EMBEDDINGS, MESSAGES, TEXT_KINDS
from turret_pipeline.stages.check import Check, Finding, ReceiptDays, all_told
from turret_pipeline.stages.containment import no_field_failed
from turret_pipeline.stages.kind_examples import examples_by
from turret_pipeline.stages.messages import STAGE as MESSAGES_STAGE
from turret_pipeline.stages.stage import Product, ProjectNow, Source, Stage, Task
from turret_pipeline.stages.told_texts import Tell, Telling, bring_told, columns_of
from turret_pipeline.stages.work import Outcome

if TYPE_CHECKING:
    from turret_pipeline.analysis.kinds.examples import Examples

COLUMNS = columns_of(TEXT_KINDS)

CHUNK_TEXTS = 50_000
"""Texts whose vectors are in memory at once."""


def bring(task: Task) -> Outcome:
    """After this call every text that has a vector has its row; only those without are looked at.

    Once vectors are made by another method, or without other shared frames, all rows are made anew. A text that the
    analysis fails on counts as one that is no move and says enough.
    """
    unknown: dict[str, object] = {"move": None, "sureness": 0.0, "weight": 1.0}
    return bring_told(task, Telling(TEXT_KINDS, "the kind", unknown, _learn, CHUNK_TEXTS, keeps_models=True))


def _learn(task: Task) -> Tell:
    work = task.work
    examples = examples_by(work.lake, task.model, work.embedder or (lambda: open_lake_embedder(work.lake, work.model)))
    return lambda texts: told_kinds(texts, examples)


def told_kinds(texts: pl.DataFrame, examples: Examples) -> pl.DataFrame:
    """Return the rows (`COLUMNS`) of `texts`, in their order."""
    # Here, not at the top: it loads scikit-learn, and a look for new work reads this module too.
    from turret_pipeline.analysis.kinds.texts import text_kinds

    return text_kinds(texts, examples).select(COLUMNS.names())


def every_text_has_its_kind(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """Every text that has a vector of some model has its row, of that or another."""
    return all_told(lake, project_id, EMBEDDINGS, TEXT_KINDS)


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
    follows=(MESSAGES_STAGE,),
    kinds=frozenset({"deltalake", "polars"}),
)
