"""`answers`: the answer of each message that has one, what became of the request by it, and whether it is repeated.

Follows the steps and the friction day by day; a session lies whole on one day. What an answer does is told from its own
words, so late events and refits give what one build gives. Topics stand in the steps: an answer's own are those of its
event in `answer_field`.
"""

from __future__ import annotations

import datetime as dt

import polars as pl

from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import ANSWERS, FIELD_TYPES, FRICTION, JOURNEY_STEPS, MESSAGES
from turret_pipeline.semantics.answers import ANSWER_KINDS, OPENING_CHARACTERS, repeated
from turret_pipeline.semantics.friction import answers_of
from turret_pipeline.semantics.gone import IS_GONE
from turret_pipeline.stages.by_day import bring_days
from turret_pipeline.stages.check import Check, Finding, ReceiptDays, finding, of_days
from turret_pipeline.stages.field_types import TEXT_FIELDS
from turret_pipeline.stages.stage import Product, Source, Stage, Task
from turret_pipeline.stages.work import Outcome, Work

STEP = ("received_date", "field", "session_id", "place", "event_id", "message_date")
"""Columns of `journey_steps` that are read."""


def bring(task: Task) -> Outcome:
    """After this call each day has the answers of the sessions that lie on it; only days that changed are looked at."""
    return bring_days(task, STEP, _answers)


def _answers(task: Task, days: list[dt.date], steps: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of these steps, in order."""
    types = task.rows(FIELD_TYPES)
    found = answers_of(types.filter(pl.col("type") == "text")["field"])
    fields = {field: answers for field, answers in found.items() if answers is not None}
    if not fields:
        return ANSWERS.empty()
    steps = steps.filter(pl.col("field").is_in(list(fields)))
    # An answer lies on the day of its own receipt, which may be another than that of the session.
    received = pl.col("received_date").is_in(steps["message_date"].unique().implode())
    said = task.open(MESSAGES).scan().filter(received, pl.col("field").is_in(sorted(set(fields.values()))))
    opening = pl.col("text").str.slice(0, OPENING_CHARACTERS)
    wanted = said.select("event_id", "text_id", answer_field="field", opening=opening)
    there = wanted.join(steps.lazy().select(pl.col("event_id").unique()), on="event_id", how="semi").collect()
    named = steps.with_columns(answer_field=pl.col("field").replace_strict(fields, return_dtype=pl.String))
    answered = named.join(there.drop("opening"), on=["event_id", "answer_field"])
    left, gone = there.filter(~IS_GONE), answered.filter(IS_GONE)
    told = answered.filter(~IS_GONE).join(_kinds(left), on="text_id", how="left", maintain_order="left")
    session_days = pl.col("received_date").is_in(steps["received_date"].unique().implode())
    signs = task.open(FRICTION).scan().filter(session_days).collect()
    told = told.with_columns(repeated(told, signs).alias("is_repeated"))
    # What an answer was, whose words are gone, was told while they were there.
    known = task.table.scan().filter(session_days, IS_GONE).collect()
    kept = ["field", "event_id", "answer_field", "kind", "sureness", "is_repeated"]
    of_gone = gone.join(known.select(kept), on=kept[:3], how="inner").select(told.columns)
    rows = pl.concat([told, of_gone]).with_columns(project_id=pl.lit(task.work.project_id))
    return (
        rows.select(ANSWERS.schema.names()).cast(ANSWERS.schema).sort("received_date", "field", "session_id", "place")
    )


def _kinds(answers: pl.DataFrame) -> pl.DataFrame:
    """Return `text_id`, `kind` and `sureness` of the distinct texts that begin with `opening`."""
    # Here, not at the top: it loads scikit-learn, and a look for new work reads this module too.
    from turret_pipeline.analysis.answers.kinds import answer_kinds

    distinct = answers.unique("text_id", keep="any").sort("text_id")
    told = answer_kinds(distinct["opening"].to_list())
    of_each = pl.DataFrame(
        {"kind": [each.kind for each in told], "sureness": [each.sureness for each in told]},
        schema={"kind": pl.String, "sureness": pl.Float64},
    )
    return distinct.select("text_id").hstack(of_each)


def answers_have_their_steps(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """Each answer is of a step of its day, is a message of its event, and is of a kind that there is."""
    key = ["received_date", "field", "session_id", "place"]
    steps = of_days(store.scan(lake, JOURNEY_STEPS, project_id), days).select(*key, "message_date", step="event_id")
    answers = of_days(store.scan(lake, ANSWERS, project_id), days).join(steps, on=key, how="left").collect()
    said = store.scan(lake, MESSAGES, project_id).select(
        "event_id", answer_field="field", message_date="received_date", said_id="text_id"
    )
    on_days = said.filter(pl.col("message_date").is_in(answers["message_date"].unique().implode()))
    met = answers.join(on_days.collect(), on=["event_id", "answer_field", "message_date"], how="left").sort(*key)
    right = (pl.col("step") == pl.col("event_id")) & (pl.col("said_id") == pl.col("text_id"))
    sure = pl.col("sureness").is_between(0.5, 1) & pl.col("kind").is_in(ANSWER_KINDS)
    return finding(met, met.filter(~(right & sure).fill_null(False)))


def _how_often(work: Work, rows: pl.LazyFrame) -> dict[str, object]:
    counted = rows.group_by("field", "kind").agg(answers=pl.len(), repeated=pl.col("is_repeated").sum())
    return {"kinds": counted.sort("field", "answers", "kind", descending=[False, True, False])}


STAGE = Stage(
    makes=(
        Product(
            ANSWERS,
            "What became of each request: whether its answer refuses, apologises, is repeated, or answers.",
            {
                "answer_field": "messages.field",
                "text_id": "messages.text_id",
                "kind sureness": "messages.text",
                "is_repeated": "friction.sign friction.evidence_place messages.text_id",
            },
            {
                "answers_have_their_steps": Check(
                    "every answer is of a step, and a message of its event", answers_have_their_steps
                )
            },
            _how_often,
        ),
    ),
    reads=(
        Source(JOURNEY_STEPS),
        Source(FRICTION),
        Source(MESSAGES, None),
        Source(FIELD_TYPES, TEXT_FIELDS),
    ),
    method=bring,
    group="journeys",
)
