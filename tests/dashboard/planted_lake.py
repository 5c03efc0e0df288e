"""A lake with the demo's sample in it, whose topics are the planted ones: real tables, made without a model."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter

import orjson
import polars as pl

from turret_api.command.sample import ANSWER_FIELD, FIELD, OUTCOME, SampleMessage, planted_labels
from turret_pipeline.analysis.fields.detect import detect_types, profile_fields
from turret_pipeline.analysis.fields.messages import extract_messages
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    BUILDS,
    EVENTS,
    FIELD_OVERRIDES,
    FIELD_TYPES,
    FRICTION,
    JOURNEY_EDGES,
    JOURNEY_STEPS,
    MESSAGES,
    TABLES,
    TEXT_SENTIMENT,
    TOPIC_ASSIGNMENTS,
    TOPIC_DAYS,
    TOPIC_FITS,
    TOPICS,
)
from turret_pipeline.semantics.friction import REPHRASED
from turret_pipeline.semantics.topic_days import topic_days
from turret_pipeline.semantics.visits import journey_edges, steps, visits

SAMPLE_FIELDS_LEFT_OUT = frozenset({ANSWER_FIELD, OUTCOME, "app_version", "cost_usd"})
"""What only a lake that the pipeline built has."""

THEMES = {
    "Planning": ("trip_ideas", "weather_packing", "visa", "restaurants"),
    "Booking": ("flight_search", "hotel_search", "car_rental", "airport_transfer", "baggage", "loyalty_points"),
    "Trouble": ("flight_status", "change_booking", "refund", "payment_problem"),
}


def fill(
    lake: Lake,
    project_id: str,
    sample: list[SampleMessage],
    *,
    labels: dict[str, str] | None = None,
    without_topic: str = "goodbye",
) -> None:
    """Write every table that the read API answers from; messages of the topic `without_topic` get none."""
    names = planted_labels() | (labels or {})
    events = _events(project_id, sample)
    day = events["received_date"][0]
    store.append(lake, EVENTS, events)
    profiles = profile_fields(events).with_columns(received_date=pl.lit(day))
    types = detect_types(profiles, None, FIELD_OVERRIDES.empty()).types.with_columns(project_id=pl.lit(project_id))
    store.append(lake, FIELD_TYPES, types)
    messages = extract_messages(events, [FIELD]).with_columns(project_id=pl.lit(project_id))
    store.append(lake, MESSAGES, messages)

    topic_of = {m.event["metadata"][FIELD]: m.topic for m in sample}
    texts = messages.unique("text_id", maintain_order=True).select("text_id", "text")
    planted = [topic_of[text] for text in texts["text"]]
    assignments = texts.select("text_id").with_columns(
        pl.lit(project_id).alias("project_id"),
        pl.lit(FIELD).alias("field"),
        pl.Series("topic_id", [None if topic == without_topic else f"t_{topic}" for topic in planted], pl.String),
        pl.Series("similarity", [None if topic == without_topic else 0.8 for topic in planted], pl.Float64),
        pl.lit(1, pl.Int64).alias("model_version"),
        pl.lit(None, pl.String).alias("found_topic_id"),
        # A ring around its topic; a text without one lies in the middle of the map.
        *(
            pl.Series(name, [_at(topic)[i] + 0.8 * turn(0.7 * n) for n, topic in enumerate(planted)], pl.Float32)
            for i, (name, turn) in enumerate((("x", math.cos), ("y", math.sin)))
        ),
    )
    store.append(lake, TOPIC_ASSIGNMENTS, assignments)
    store.append(lake, TOPICS, _topics(project_id, sample, names, without_topic))
    store.append(lake, TOPIC_FITS, _fits(project_id, assignments.height))
    with_topics = messages.join(assignments.select("text_id", "topic_id"), on="text_id", how="left")
    with_topics = with_topics.with_columns(kind=pl.lit("request"), text_topic_id="topic_id")
    placed = steps(with_topics.with_columns(message_date="received_date"))
    in_project = placed.with_columns(pl.lit(project_id).alias("project_id"))
    store.append(lake, JOURNEY_STEPS, in_project.select(JOURNEY_STEPS.schema.names()))
    store.append(lake, FRICTION, _friction(in_project))
    found = journey_edges(visits(with_topics))
    told = _sentiments(project_id, texts)
    store.append(lake, TEXT_SENTIMENT, told)
    sounding = with_topics.join(told.select("text_id", "sentiment"), on="text_id", how="left")
    days = topic_days(sounding.lazy()).with_columns(project_id=pl.lit(project_id))
    store.append(lake, TOPIC_DAYS, days.collect())
    extra = (pl.lit(project_id).alias("project_id"), pl.lit(FIELD).alias("field"))
    store.append(lake, JOURNEY_EDGES, found.with_columns(*extra))
    store.append(lake, BUILDS, _builds(project_id))


def one_topic_a_text(sample: list[SampleMessage]) -> list[SampleMessage]:
    """Return the sample without the texts that continue what was said before it, which say nothing by themselves."""
    topics: dict[str, set[str]] = {}
    for message in sample:
        topics.setdefault(message.event["metadata"][FIELD], set()).add(message.topic)
    return [message for message in sample if len(topics[message.event["metadata"][FIELD]]) == 1]


def _friction(placed: pl.DataFrame) -> pl.DataFrame:
    """Return a sign for every tenth step that is not the first of its session: it asks the one before again."""
    later = placed.filter(pl.col("place") > 0).sort("session_id", "place").gather_every(10)
    signs = later.with_columns(
        sign=pl.lit(REPHRASED), strength=pl.lit(0.75), evidence_place=(pl.col("place") - 1).cast(pl.Int64)
    )
    return signs.select(FRICTION.schema.names()).cast(dict(FRICTION.schema))


def _sentiments(project_id: str, texts: pl.DataFrame) -> pl.DataFrame:
    """Return a sentiment for each text: every fifth sounds negative, every seventh of the others positive."""
    place = pl.int_range(pl.len())
    said = pl.when(place % 5 == 0).then(pl.lit("negative")).when(place % 7 == 0).then(pl.lit("positive"))
    told = texts.select("text_id", sentiment=said.otherwise(pl.lit("neutral")))
    score = pl.col("sentiment").replace_strict({"negative": -0.6, "neutral": 0.1, "positive": 0.7})
    named = told.with_columns(
        score.cast(pl.Float32).alias("score"), project_id=pl.lit(project_id), model=pl.lit("planted")
    )
    return named.select(TEXT_SENTIMENT.schema.names())


def _events(project_id: str, sample: list[SampleMessage]) -> pl.DataFrame:
    now = dt.datetime.now(dt.UTC)
    rows = [
        {
            **{key: message.event[key] for key in ("event_id", "session_id", "user_id", "name")},
            "project_id": project_id,
            "received_date": now.date(),
            "timestamp": dt.datetime.fromisoformat(message.event["timestamp"]),
            "received_at": now,
            "seq": i,
            "metadata": orjson.dumps(
                {key: value for key, value in message.event["metadata"].items() if key not in SAMPLE_FIELDS_LEFT_OUT}
            ).decode(),
            "part": "sample.parquet",
        }
        for i, message in enumerate(sample)
    ]
    return pl.DataFrame(rows, schema=EVENTS.schema)


def _at(topic: str) -> tuple[float, float]:
    """Return where a topic lies on the map: the topics of a theme around the theme's place."""
    for number, topics in enumerate(THEMES[theme] for theme in sorted(THEMES)):
        if topic in topics:
            theme, turn = 2.1 * number, 2 * math.pi * topics.index(topic) / len(topics)
            return 4 * math.cos(theme) + 1.9 * math.cos(turn), 4 * math.sin(theme) + 1.9 * math.sin(turn)
    return 0.0, 0.0


def _topics(project_id: str, sample: list[SampleMessage], names: dict[str, str], without_topic: str) -> pl.DataFrame:
    sizes = Counter(message.topic for message in sample)
    theme_of = {topic: theme for theme, topics in THEMES.items() for topic in topics}
    rows = []
    for i, topic in enumerate(sorted(topic for topic in sizes if topic != without_topic)):
        texts = [m.event["metadata"][FIELD] for m in sample if m.topic == topic]
        words = Counter(word for text in texts for word in text.lower().split() if len(word) > 4)
        rows.append(
            {
                "topic_id": f"t_{topic}",
                "level": 0,
                "parent_id": f"theme_{theme_of[topic].lower()}",
                "label": names[topic],
                "summary": f"People ask about {names[topic].lower()}.",
                "keywords": [word for word, _ in words.most_common(8)],
                "examples": texts[:3],
                "n_messages": sizes[topic],
                "x": _at(topic)[0],
                "y": _at(topic)[1],
                "centroid": [float(i == j) for j in range(16)],
            }
        )
    for i, theme in enumerate(THEMES):
        rows.append(
            {
                "topic_id": f"theme_{theme.lower()}",
                "level": 1,
                "label": theme,
                "keywords": [theme.lower()],
                "examples": [],
                "n_messages": sum(sizes[topic] for topic in THEMES[theme]),
                "x": 4 * math.cos(2.1 * sorted(THEMES).index(theme)),
                "y": 4 * math.sin(2.1 * sorted(THEMES).index(theme)),
                "centroid": [float(i == j) for j in range(16)],
            }
        )
    common = {"project_id": project_id, "field": FIELD, "radius": 0.4, "model_version": 1, "fitted_texts": len(sample)}
    return pl.DataFrame([{"n_texts": row["n_messages"], **row, **common} for row in rows], schema=TOPICS.schema)


def _fits(project_id: str, n_texts: int) -> pl.DataFrame:
    first = {"model_version": 1, "reason": "first fit", "n_texts": n_texts // 2, "n_topics": 12, "coverage": 0.9}
    later = {
        "model_version": 2,
        "reason": "<b>100 %</b> more texts",
        "n_texts": n_texts,
        "n_topics": 14,
        "coverage": 0.95,
        "changed": 0.02,
        "ari": 0.97,
        "kept_ids": 1.0,
    }
    seen = dt.datetime.now(dt.UTC)
    rows = [
        {"project_id": project_id, "field": FIELD, "seen_until": seen - dt.timedelta(days=age), **fit}
        for age, fit in ((1, first), (0, later))
    ]
    return pl.DataFrame(rows, schema=TOPIC_FITS.schema)


def _builds(project_id: str) -> pl.DataFrame:
    built_at = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=3)
    stages = [name for name in TABLES if name not in ("builds", "field_overrides")]
    rows = [
        {"project_id": project_id, "stage": stage, "received_date": None, "built_at": built_at, "inputs": "test"}
        for stage in stages
    ]
    return pl.DataFrame([{**row, "n_rows": 1, "seconds": 0.1} for row in rows], schema=BUILDS.schema)
