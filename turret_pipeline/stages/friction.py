"""`friction`: the signs, in what happened, that sessions did not get what they asked for.

Follows the steps day by day; a session lies whole on one day, so its signs follow from that day's steps, and from what
the texts have that are the same whenever they are looked at: vectors, kinds, and what was answered.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import EMBEDDINGS, FIELD_TYPES, FRICTION, JOURNEY_STEPS, MESSAGES, TEXT_KINDS
from turret_pipeline.semantics.friction import SIGNS, answers_of, friction, numbers_in
from turret_pipeline.semantics.gone import IS_GONE
from turret_pipeline.semantics.vectors import unpack
from turret_pipeline.stages.by_day import bring_days
from turret_pipeline.stages.changed_sessions import SESSION, changed_sessions, steps_marks
from turret_pipeline.stages.check import Check, Finding, ReceiptDays, finding, of_days
from turret_pipeline.stages.field_types import TEXT_FIELDS
from turret_pipeline.stages.shared_frames import FRAMES
from turret_pipeline.stages.stage import Product, ProjectNow, Source, Stage, Task
from turret_pipeline.stages.told_texts import ANEW
from turret_pipeline.stages.work import Outcome, Work

OF_STEP = ("session_id", "place", "event_id", "timestamp", "topic_id")
STEP = ("received_date", "field", *OF_STEP, "message_date", "received_at", "seq", "text_id", "kind", "text_topic_id")
"""Columns of `journey_steps` that signs are told from, with those that tell an event from another of its id."""


def bring(task: Task) -> Outcome:
    """After this call each day has the signs of the sessions that lie on it; only days that changed are looked at.

    Of a large day only the sessions that changed.
    """
    return bring_days(task, STEP, _signs, lambda task, days: steps_marks(task, days, _besides_steps(task)))


def _signs(task: Task, days: list[dt.date], steps: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of these steps, in order."""
    changed = changed_sessions(task, days, steps, _besides_steps(task))
    if changed is None:
        return _in_order(_with_known(task, days, steps, _told(task, steps)))
    there = task.table.scan().filter(pl.col("received_date").is_in(days))
    kept = there.join(changed.lazy(), on=SESSION, how="anti").collect().select(FRICTION.schema.names())
    steps = steps.join(changed, on=SESSION, how="semi")
    return _in_order(pl.concat([kept, _with_known(task, days, steps, _told(task, steps))]))


def _with_known(task: Task, days: list[dt.date], steps: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """Return the rows `told` of the steps, with what was told of sessions before texts of theirs were gone.

    A sign stays where its step is, and the step that it refers to; of each step those of then, or else those of now.
    """
    sessions = steps.filter(IS_GONE).select(SESSION).unique()
    if sessions.is_empty():
        return told
    places = steps.join(sessions, on=SESSION, how="semi").select(*SESSION, "event_id", "place", "topic_id", "text_id")
    known = task.table.scan().filter(pl.col("received_date").is_in(days)).join(sessions.lazy(), on=SESSION, how="semi")
    at = places.rename({"place": "now", "topic_id": "topic_now"}).drop("text_id")
    stay = known.collect().join(at, on=[*SESSION, "event_id"]).filter(pl.col("place") == pl.col("now"))
    stay = stay.with_columns(topic_id="topic_now").select(FRICTION.schema.names())
    is_left = places.filter(~IS_GONE).select(*SESSION, "event_id")
    fresh = told.join(sessions, on=SESSION, how="semi").join(is_left, on=[*SESSION, "event_id"], how="semi")
    fresh = fresh.join(stay, on=[*SESSION, "place", "sign"], how="anti")
    return pl.concat([told.join(sessions, on=SESSION, how="anti"), stay, fresh])


def _besides_steps(task: Task) -> tuple[object, ...]:
    return task.open(FIELD_TYPES).mark(TEXT_FIELDS), *_texts_told_by(task, None)


def _in_order(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort("received_date", "field", "session_id", "place", pl.col("sign").cast(pl.Enum(SIGNS)))


def _told(task: Task, steps: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of these steps, of whole sessions, in no order."""
    types = task.rows(FIELD_TYPES)
    answers = answers_of(types.filter(pl.col("type") == "text")["field"])
    steps = steps.filter(pl.col("field").is_in(list(answers)))
    answered = _answered(task, steps, {field for field in answers.values() if field is not None})
    texts = _texts(task, pl.concat([steps["text_id"], answered["text_id"]]).unique())
    frames = [FRICTION.empty()]
    for (field,), of_field in steps.group_by("field", maintain_order=True):
        of_answers = answered.filter(pl.col("field").is_in([answers[str(field)]]))
        frames.append(_of_field(task.work, of_field, of_answers, *texts))
    return pl.concat(frames)


def _of_field(
    work: Work, steps: pl.DataFrame, answered: pl.DataFrame, texts: pl.DataFrame, vectors: np.ndarray
) -> pl.DataFrame:
    """Return the rows of one field's steps, in no order."""
    distinct = answered.unique("text_id", keep="any").sort("text_id").with_row_index("answer")
    of_event = answered.join(distinct.select("text_id", "answer"), on="text_id").select("event_id", "answer")
    ordered = (
        steps.sort("session_id", "place")
        .join(texts, on="text_id", how="left", maintain_order="left")
        .join(of_event, on="event_id", how="left", maintain_order="left")
        .with_columns(session=pl.col("session_id").rle_id())
    )
    at = distinct.join(texts, on="text_id", how="left", maintain_order="left")["vector"]
    of_answers = np.zeros((distinct.height, vectors.shape[1]), dtype=vectors.dtype)
    of_answers[at.is_not_null().to_numpy()] = vectors[at.drop_nulls().to_numpy()]
    found = friction(ordered, vectors, distinct["numbers"], of_answers)
    there = ordered[found["row"]].select("received_date", "field", *OF_STEP)
    evidence = ordered["place"].gather(found["evidence"]).alias("evidence_place")
    rows = there.hstack([found["sign"], found["strength"], evidence]).with_columns(project_id=pl.lit(work.project_id))
    return rows.select(FRICTION.schema.names())


def _answered(task: Task, steps: pl.DataFrame, fields: set[str]) -> pl.DataFrame:
    """Return `event_id`, `field`, `text_id` and `numbers` of what the events behind `steps` have in `fields`."""
    # An answer lies on the day of its own receipt, which may be another than that of the session.
    day = pl.col("received_date").is_in(steps["message_date"].unique().implode())
    said = task.open(MESSAGES).scan().filter(day, pl.col("field").is_in(sorted(fields)))
    events = steps.lazy().select(pl.col("event_id").unique())
    wanted = said.select("event_id", "field", "text_id", numbers=numbers_in(pl.col("text")))
    return wanted.join(events, on="event_id", how="semi").collect()


def _texts(task: Task, text_ids: pl.Series) -> tuple[pl.DataFrame, np.ndarray]:
    """Return `text_id`, `sureness`, `weight`, `vector` (null: none) of the texts, and the vectors: int8, a row each."""
    ids, of_model = text_ids.to_frame().lazy(), pl.col("model") == task.model
    told = task.open(TEXT_KINDS).scan().filter(of_model).select("text_id", "sureness", "weight")
    there = task.open(EMBEDDINGS).scan().filter(of_model).select("text_id", "quantized")
    kept = there.join(ids, on="text_id", how="semi").unique("text_id", keep="any").sort("text_id").collect()
    known = told.join(ids, on="text_id", how="semi").unique("text_id", keep="any").collect()
    vectors = unpack(kept["quantized"]) if kept.height else np.zeros((0, 1), dtype=np.int8)
    rows = kept.select("text_id").with_row_index("vector")
    found = text_ids.to_frame().join(known, on="text_id", how="left").join(rows, on="text_id", how="left")
    return found, vectors


def _texts_told_by(now: ProjectNow, day: object) -> tuple[object, ...]:
    """Return what stands for how the texts' vectors and kinds were made: what they are follows from that."""
    vectors, kinds = now.marks(EMBEDDINGS), now.marks(TEXT_KINDS)
    return now.model, vectors.mark("method"), vectors.mark(FRAMES), kinds.mark("method"), kinds.mark(ANEW)


def signs_have_their_steps(lake: Lake, project_id: str, days: ReceiptDays = None) -> Finding:
    """Each sign is of a step of its day, has a strength from 0 to 1, and refers to an earlier step of its session."""
    key = ["received_date", "field", "session_id", "place"]
    steps = of_days(store.scan(lake, JOURNEY_STEPS, project_id), days).select(*key, step="event_id")
    signs = of_days(store.scan(lake, FRICTION, project_id), days)
    met = signs.join(steps, on=key, how="left").sort(*key, "sign").collect()
    refers = pl.col("evidence_place").is_between(0, pl.col("place") - 1).fill_null(True)
    right = (pl.col("step") == pl.col("event_id")) & pl.col("strength").is_between(0, 1) & refers
    return finding(met, met.filter(~(right & pl.col("sign").is_in(SIGNS)).fill_null(False)))


def _how_often(work: Work, rows: pl.LazyFrame) -> dict[str, object]:
    counted = rows.group_by("field", "sign").agg(messages=pl.len(), sessions=pl.col("session_id").n_unique())
    return {"signs": counted.sort("field", "messages", "sign", descending=[False, True, False])}


STAGE = Stage(
    makes=(
        Product(
            FRICTION,
            "Where sessions did not get what they asked for: what was asked again, corrected, complained of or given "
            "up, each with the earlier message that it refers to.",
            {
                "sign strength": "journey_steps.kind journey_steps.topic_id journey_steps.text_topic_id "
                "embeddings.quantized text_kinds.weight text_kinds.sureness messages.text",
                "evidence_place": "journey_steps.place",
            },
            {
                "signs_have_their_steps": Check(
                    "every sign is of a step and refers to one before", signs_have_their_steps
                )
            },
            _how_often,
        ),
    ),
    reads=(
        Source(JOURNEY_STEPS),
        Source(TEXT_KINDS, None),
        Source(EMBEDDINGS, None),
        Source(MESSAGES, None),
        Source(FIELD_TYPES, TEXT_FIELDS),
    ),
    besides=_texts_told_by,
    method=bring,
    group="journeys",
)
