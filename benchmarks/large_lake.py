"""A large lake for benchmarks: messages generated straight into the tables, without a model, a day at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import polars as pl

from turret_pipeline.analysis.fields.detect import detect_types, profile_fields
from turret_pipeline.lake import store
from turret_pipeline.lake.tables import (
    ANSWERS,
    EVENTS,
    FIELD_OUTCOMES,
    FIELD_OVERRIDES,
    FIELD_TYPES,
    FRICTION,
    JOURNEY_EDGES,
    JOURNEY_MOVES,
    JOURNEY_STEPS,
    MESSAGES,
    STEP_VALUES,
    TEXT_SENTIMENT,
    TOPIC_ASSIGNMENTS,
    TOPIC_DAYS,
    TOPICS,
    Table,
)
from turret_pipeline.stages import STAGE_OF
from turret_pipeline.stages.work import Work

N_DAYS, N_TOPICS, N_TEXTS, SESSION = 30, 60, 200_000, 10
N_ANSWERS, ANSWERED, N_TOPICS_OF_ANSWERS = 20_000, 4, 30
"""Distinct answers, and their topics; one event in so many has one."""
N_THEMES = 9
FIRST_DAY = dt.date(2026, 3, 1)
RENEWED = (
    *(EVENTS, MESSAGES, TOPICS, TOPIC_ASSIGNMENTS, TEXT_SENTIMENT, JOURNEY_STEPS, TOPIC_DAYS, STEP_VALUES, FRICTION),
    *(ANSWERS, JOURNEY_MOVES, JOURNEY_EDGES),
)
"""What a build of new events writes."""


def day_of_events(number: int, n: int) -> pl.DataFrame:
    """Return `n` events of day `number`, in sessions of `SESSION`: columns of `EVENTS` and `text`, `text_id`."""
    random = np.random.default_rng(number)
    day = FIRST_DAY + dt.timedelta(days=number)
    at = np.sort(random.integers(0, 86_400_000_000, n)) + int(
        dt.datetime(*day.timetuple()[:3], tzinfo=dt.UTC).timestamp() * 1e6
    )
    place = np.arange(n)
    # Texts follow a power law, and sessions tend to stay near the text that they began with.
    text = np.minimum((N_TEXTS * random.power(0.5, n)).astype(np.int64), N_TEXTS - 1)
    frame = pl.DataFrame({"at": at, "i": place, "text_number": text, "tokens": random.integers(1, 4000, n)})
    session = pl.col("i") % max(n // SESSION, 1)
    metadata = pl.concat_str(
        pl.lit('{"plan":"plan_'),
        (session % 3).cast(pl.String),
        pl.lit('","resolved":'),
        (session % 7 < 4).cast(pl.String),
        pl.lit(',"tokens":'),
        pl.col("tokens").cast(pl.String),
        pl.lit("}"),
    )
    text_id = pl.col("text_number").cast(pl.String).str.zfill(32)
    return frame.select(
        project_id=pl.lit(""),
        received_date=pl.lit(day),
        event_id=pl.concat_str(pl.lit(f"evt_{number:02d}"), pl.col("i").cast(pl.String).str.zfill(24)),
        session_id=pl.concat_str(pl.lit(f"ses_{number:02d}"), session.cast(pl.String).str.zfill(24)),
        user_id=pl.concat_str(pl.lit("usr_"), (session % 50_000).cast(pl.String)),
        name=pl.lit("user_prompt"),
        timestamp=pl.col("at").cast(pl.Datetime("us", "UTC")),
        received_at=pl.col("at").cast(pl.Datetime("us", "UTC")),
        seq="i",
        metadata=metadata,
        part=pl.lit("generated.parquet"),
        text_id=text_id,
        text=pl.concat_str(pl.lit("how do I get what I asked for in case "), pl.col("text_number").cast(pl.String)),
    )


def answers_to(events: pl.DataFrame) -> pl.DataFrame:
    """Return the answers to one event in `ANSWERED`, as `day_of_events` returns events: some refuse."""
    number = pl.col("text_id").cast(pl.Int64) % N_ANSWERS
    said = pl.when(number % 9 == 0).then(pl.lit("I cannot do that in case ")).otherwise(pl.lit("Here it is, in case "))
    return events.gather_every(ANSWERED).with_columns(
        text=pl.concat_str(said, number.cast(pl.String)),
        text_id=pl.concat_str(pl.lit("a"), number.cast(pl.String).str.zfill(31)),
        field=pl.lit("response"),
    )


def generate(work: Work, n_messages: int, n_topics: int = N_TOPICS) -> None:
    """After this call the project's tables hold `n_messages` requests and the answers to some, a day at a time.

    What is there already, of a call that was cut short, stays.
    """

    def write(table: Table, rows: pl.DataFrame) -> None:
        named = rows.with_columns(project_id=pl.lit(work.project_id))
        work.open(table).append(named.select(table.schema.names()))

    known = {table.name: set(work.open(table).days()) for table in (EVENTS, MESSAGES)}
    for number in range(N_DAYS):
        day = FIRST_DAY + dt.timedelta(days=number)
        if all(day in days for days in known.values()):
            continue
        rows = day_of_events(number, n_messages // N_DAYS).with_columns(field=pl.lit("prompt"))
        if day not in known[EVENTS.name]:
            write(EVENTS, rows)
        if day not in known[MESSAGES.name]:
            write(MESSAGES, pl.concat([rows, answers_to(rows)]))
    if work.open(TOPIC_ASSIGNMENTS).state() is None:
        _generate_topics(write, n_topics, n_messages // N_DAYS * N_DAYS)
    for name in (
        "journey_steps",
        "topic_days",
        "step_values",
        "friction",
        "answers",
        "journey_moves",
        "journey_edges",
    ):
        STAGE_OF[name].bring(work)


def renew(work: Work) -> None:
    """After this call each table that a build writes has a new version, with the same rows."""
    last = FIRST_DAY + dt.timedelta(days=N_DAYS - 1)
    for table in RENEWED:
        days = {"received_date": last} if "received_date" in table.partition_by else {}
        rows = store.scan(work.lake, table, work.project_id)
        here = rows.filter(pl.col("received_date") == last) if days else rows
        store.replace(work.lake, table, here.collect(), work.project_id, **days)


def _generate_topics(write: Callable[[Table, pl.DataFrame], None], n_topics: int, n_events: int) -> None:
    """After this call there are the fields' types, an outcome, `n_topics` topics, and what is told of each text."""
    rows = day_of_events(0, 10_000)
    text, rest = pl.concat_str(pl.lit('"'), "text", pl.lit('",')), pl.col("metadata").str.slice(1)
    sample = rows.with_columns(
        metadata=pl.concat_str(pl.lit('{"prompt":'), text, pl.lit('"response":'), text, rest),
    )
    profiles = profile_fields(sample).with_columns(received_date=pl.lit(FIRST_DAY))
    types = detect_types(profiles, None, FIELD_OVERRIDES.empty()).types
    n_answers = pl.when(pl.col("field") == "response").then(n_events // ANSWERED).otherwise(n_events)
    write(FIELD_TYPES, types.with_columns(n_events=n_answers.cast(pl.Int64), n_null=pl.lit(0, pl.Int64)))
    marked = {"field": "resolved", "decided_at": dt.datetime(2026, 3, 1, tzinfo=dt.UTC), "better": None}
    write(FIELD_OUTCOMES, pl.DataFrame([{**marked, "good": ["true"]}], schema_overrides={"better": pl.String}))
    vectors = np.random.default_rng(0).normal(size=(n_topics, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    columns: dict[str, object] = {
        "field": "prompt",
        "level": 0,
        "parent_id": None,
        "keywords": ["case", "asked"],
        "examples": ["how do I get what I asked for"] * 5,
        "n_messages": 0,
        "n_texts": N_TEXTS // n_topics,
        "radius": 0.5,
        "model_version": 1,
        "fitted_texts": N_TEXTS,
    }
    topics = [
        {
            **columns,
            "topic_id": f"t_{i:02d}",
            "label": f"Topic {i}",
            "parent_id": f"theme_{i % N_THEMES}",
            "centroid": vectors[i].tolist(),
            "x": float(i % 17),
            "y": float(i // 17),
        }
        for i in range(n_topics)
    ]
    themes = [
        {**topics[i], "topic_id": f"theme_{i}", "label": f"Theme {i}", "level": 1, "parent_id": None}
        for i in range(N_THEMES)
    ]
    known = {name: dtype for name, dtype in TOPICS.schema.items() if name != "project_id"}
    of_prompts = pl.DataFrame([{name: row.get(name) for name in known} for row in topics + themes], schema=known)
    of_answers = of_prompts.head(N_TOPICS_OF_ANSWERS).with_columns(
        field=pl.lit("response"), topic_id=pl.concat_str(pl.lit("r"), "topic_id"), parent_id=pl.lit(None, pl.String)
    )
    write(TOPICS, pl.concat([of_prompts, of_answers]))
    numbers = pl.DataFrame({"i": np.arange(N_TEXTS)})
    number = pl.col("i") % (n_topics + 1)
    around = np.random.default_rng(1).normal(scale=0.25, size=(2, N_TEXTS)).astype(np.float32)
    assignments = numbers.select(
        field=pl.lit("prompt"),
        text_id=pl.col("i").cast(pl.String).str.zfill(32),
        # One in `n_topics` + 1 has no topic.
        topic_id=pl.when(number < n_topics).then(pl.concat_str(pl.lit("t_"), number.cast(pl.String).str.zfill(2))),
        similarity=pl.lit(0.8),
        model_version=pl.lit(1, dtype=pl.Int64),
        found_topic_id=pl.lit(None, dtype=pl.String),
        x=(number % 17).cast(pl.Float32) + pl.Series(around[0]),
        y=(number // 17).cast(pl.Float32) + pl.Series(around[1]),
    )
    write(TOPIC_ASSIGNMENTS, pl.concat([assignments, _of_answers(assignments)]))
    sounds = pl.when(pl.col("i") % 9 == 0).then(pl.lit("negative")).when(pl.col("i") % 11 == 0).then(pl.lit("positive"))
    told = numbers.select(
        text_id=pl.col("i").cast(pl.String).str.zfill(32),
        model=pl.lit("generated"),
        sentiment=sounds.otherwise(pl.lit("neutral")),
        score=pl.lit(0.0, dtype=pl.Float32),
    )
    write(TEXT_SENTIMENT, told)


def _of_answers(assignments: pl.DataFrame) -> pl.DataFrame:
    """Return what is told of the answers: topics of their own."""
    number = pl.col("text_id").cast(pl.Int64)
    topic = pl.concat_str(pl.lit("rt_"), (number % N_TOPICS_OF_ANSWERS).cast(pl.String).str.zfill(2))
    return assignments.head(N_ANSWERS).with_columns(
        field=pl.lit("response"),
        topic_id=pl.when(number % (N_TOPICS_OF_ANSWERS + 1) > 0).then(topic),
        text_id=pl.concat_str(pl.lit("a"), number.cast(pl.String).str.zfill(31)),
    )
