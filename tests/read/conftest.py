"""A small lake, written as the pipeline would, and the API over it."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient

from tests.read.reading import read_app
from turret_pipeline.analysis.fields.detect import detect_types, extract_messages, profile_fields
from turret_pipeline.lake import store
from turret_pipeline.lake.commits import ProjectTable
from turret_pipeline.lake.counts import TOLD_BY
from turret_pipeline.lake.fingerprint import made_from
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    BUILDS,
    EVENTS,
    FIELD_HISTORY,
    FIELD_OVERRIDES,
    FIELD_TYPES,
    JOURNEY_EDGES,
    JOURNEY_MOVES,
    JOURNEY_STEPS,
    MESSAGES,
    TEXT_SENTIMENT,
    TOPIC_ASSIGNMENTS,
    TOPIC_DAYS,
    TOPICS,
    Table,
)
from turret_pipeline.semantics.kinds import kinds, topics_in_context
from turret_pipeline.semantics.topic_days import topic_days
from turret_pipeline.semantics.visits import journey_edges, steps, visits
from turret_pipeline.stages import STAGE_OF
from turret_pipeline.stages.work import Work

T0 = dt.datetime(2026, 3, 1, 23, 50, tzinfo=dt.UTC)
BUILT_AT = dt.datetime(2026, 3, 20, 1, 2, 3, tzinfo=dt.UTC)
TOPIC_OF = {"Where is my parcel?": "t_parcel", "I want my money back.": "t_refund", "My card was declined.": "t_card"}
LABELS = {"t_parcel": "Parcel tracking", "t_refund": "Refunds", "t_card": "Declined cards", "theme_shop": "Orders"}
THEME = {"t_parcel": "theme_shop", "t_refund": "theme_shop", "t_card": None}

P, R, C, N = (*TOPIC_OF, "Thanks and bye.")
SESSIONS: dict[str, list[str]] = {
    "s1": [P, P, R, P, N],
    "s2": [P, R],
    "s3": [C],
    "s/4": [P, R, P, R, C],
    "s5": [N, C],
}
"""What is said in each session, a minute apart; each session starts a day after the one before."""

HI, OK, MORE = "Hi!", "Thank you!", "And the other one?"
MOVE_OF = {HI: "greeting", OK: "thanks"}
"""Texts that are moves of conversation; `MORE` says little by itself."""

CHATS = {
    "c1": [HI, P, MORE, OK, R, OK],
    "c2": [OK],
    "c3": [C, OK, C, MORE],
    "c4": [HI, N, MORE, OK],
    "c5": [P, OK, R, HI, P],
}
"""The same of sessions with moves of conversation, and with what follows up a request."""


def topic_of(text: str) -> str | None:
    return next((topic for start, topic in TOPIC_OF.items() if text.startswith(start)), None)


def events(project_id: str, sessions: dict[str, list[str]], n_users: int = 3, per_day: int = 1) -> pl.DataFrame:
    rows = []
    for s, (session, said) in enumerate(sessions.items()):
        for i, text in enumerate(said):
            at = T0 + dt.timedelta(days=s // per_day, minutes=i)
            metadata = {
                "prompt": f"{text} My order is {s}{i}.",
                "plan": "pro" if s % 2 else "free",
                "tokens": 10 * i + s,
                "tags": ["x"],
            }
            rows.append(
                {
                    "project_id": project_id,
                    "received_date": at.date(),
                    "event_id": f"evt_{session}_{i}",
                    "session_id": session,
                    "user_id": f"u{s % n_users}",
                    "name": "chat" if s else "voice",
                    "timestamp": at,
                    "received_at": at,
                    "seq": i,
                    "metadata": json.dumps(metadata),
                    "part": "a.parquet",
                }
            )
    return pl.DataFrame(rows, schema=EVENTS.schema)


def topics(project_id: str, model_version: int = 1) -> pl.DataFrame:
    rows = []
    for i, (topic_id, label) in enumerate(LABELS.items()):
        rows.append(
            {
                "project_id": project_id,
                "field": "prompt",
                "topic_id": topic_id,
                "level": int(topic_id.startswith("theme")),
                "parent_id": THEME.get(topic_id),
                "label": label,
                "summary": None if topic_id.startswith("theme") else f"People ask about {label.lower()}.",
                "keywords": label.lower().split(),
                "examples": [text for text, topic in TOPIC_OF.items() if topic == topic_id],
                "n_messages": 0,
                "n_texts": 1,
                "x": float(i),
                "y": 0.5,
                "centroid": [1.0, i / 10, 0.0],
                "radius": 0.5,
                "model_version": model_version,
                "fitted_texts": 4,
            }
        )
    return pl.DataFrame(rows, schema=TOPICS.schema)


def write_lake(
    lake: Lake,
    project_id: str,
    sessions: dict[str, list[str]],
    model_version: int = 1,
    n_users: int = 3,
    per_day: int = 1,
    built_at: dt.datetime = BUILT_AT,
) -> None:
    """After this call the project's tables are as the pipeline would build them from `sessions`, `per_day` a day."""

    def write(table: Table, rows: pl.DataFrame) -> None:
        named = rows.with_columns(project_id=pl.lit(project_id))
        store.replace(lake, table, named.select(table.schema.names()), project_id)

    sent = events(project_id, sessions, n_users, per_day)
    profiles = profile_fields(sent).with_columns(received_date=pl.lit(T0.date()))
    messages = extract_messages(sent, ["prompt"])
    texts = messages.select("text_id", "text").unique(maintain_order=True)
    assignments = texts.select(
        "text_id",
        field=pl.lit("prompt"),
        topic_id=pl.Series([topic_of(text) for text in texts["text"]], dtype=pl.String),
        similarity=pl.Series([0.9 if topic_of(text) else None for text in texts["text"]], dtype=pl.Float64),
        x=pl.Series([len(text) / 10 for text in texts["text"]], dtype=pl.Float32),
        y=pl.lit(0.5, dtype=pl.Float32),
        model_version=pl.lit(model_version, dtype=pl.Int64),
        found_topic_id=pl.lit(None, dtype=pl.String),
    )
    with_topics = messages.join(assignments.select("text_id", "topic_id"), on="text_id", how="left")
    with_topics = in_context(with_topics.with_columns(similarity=pl.lit(0.9)))
    edges = journey_edges(visits(with_topics))
    stages = ["events", "field_types", "messages", "topics", "topic_assignments"]
    stages += ["topic_days", "journey_steps", "journey_edges"]
    builds = pl.DataFrame(
        [(project_id, stage, None, built_at, "1", 1, 0.1) for stage in stages], schema=BUILDS.schema, orient="row"
    )
    write(EVENTS, sent)
    detected = detect_types(profiles, None, FIELD_OVERRIDES.empty())
    write(FIELD_TYPES, detected.types)
    write(FIELD_HISTORY, detected.changes.with_columns(n=pl.lit(1, dtype=pl.Int64)))
    write(MESSAGES, messages)
    write(TOPICS, topics(project_id, model_version))
    write(TOPIC_ASSIGNMENTS, assignments)
    dated = with_topics.with_columns(
        message_date="received_date", received_date=pl.col("received_date").min().over("session_id")
    )
    write(JOURNEY_STEPS, steps(dated))
    told = sentiments(texts)
    write(TEXT_SENTIMENT, told)
    sounding = dated.join(told.select("text_id", "sentiment"), on="text_id", how="left")
    write(TOPIC_DAYS, topic_days(sounding.lazy()).collect())
    write(JOURNEY_EDGES, edges.with_columns(field=pl.lit("prompt")))
    write(BUILDS, builds)
    # As builds say that counts are of these steps, whose table has no marks here.
    ProjectTable(lake, TOPIC_DAYS, project_id).set_inputs(made_from(1, None, *(None for _ in TOLD_BY)))
    for table in (JOURNEY_MOVES, JOURNEY_EDGES):
        ProjectTable(lake, table, project_id).set_inputs(made_from(1, None))
    for name in ("step_values", "friction"):
        STAGE_OF[name].bring(Work(lake, project_id, full_refresh=True))


def sentiments(texts: pl.DataFrame) -> pl.DataFrame:
    """Return the sentiment of `texts` (`text_id`, `text`) as if it were told: by what they begin with."""
    said = pl.col("text")
    negative, positive = said.str.starts_with(C), said.str.contains(r"^Thank| 00\.$")
    score = pl.when(negative).then(-0.8).when(positive).then(0.9).otherwise(0.0)
    words = {-0.8: "negative", 0.0: "neutral", 0.9: "positive"}
    told = texts.select("text_id", score=score).with_columns(sentiment=pl.col("score").replace_strict(words))
    return told.with_columns(pl.col("score").cast(pl.Float32), model=pl.lit("planted"))


def in_context(messages: pl.DataFrame) -> pl.DataFrame:
    """Return `messages` in order of their sessions, with the kind and topic of each in its session."""
    said = pl.col("text").str.replace(r" My order is \d+\.$", "")
    placed = steps(messages).with_columns(
        move=said.replace_strict(MOVE_OF, default=None, return_dtype=pl.String),
        sureness=pl.lit(1.0),
        weight=pl.when(said == MORE).then(0.1).otherwise(1.0),
        least=pl.lit(None, pl.Float64),
    )
    told = placed.with_columns(kinds(placed).alias("kind"), text_topic_id="topic_id")
    told = told.with_columns(topics_in_context(told).alias("topic_id"))
    return told.drop("place", "move", "sureness", "weight", "similarity", "least")


@dataclass
class Api:
    """The read API over a lake with the projects `shop`, of `SESSIONS`, and `other`, of `OTHER_SESSIONS`."""

    lake: Lake
    client: TestClient

    def get(self, path: str, *, key: str = "shop:read", status: int = 200, **params: object) -> dict:
        answer = self.client.get(path, params=params, headers={"X-API-Key": key})
        assert answer.status_code == status, answer.text
        return answer.json()


CANARY = "canary"
OTHER_SESSIONS = {f"{CANARY}-session": [f"The {CANARY} sings at dawn", P, R]}


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a lake that is never written to again."""
    folder = tmp_path_factory.mktemp("read") / "a lake"
    write_lake(Lake(str(folder)), "shop", SESSIONS)
    write_lake(Lake(str(folder)), "other", OTHER_SESSIONS)
    return folder


@pytest.fixture(scope="session")
def api(written: Path) -> Iterator[Api]:
    with TestClient(read_app(Lake(str(written)))) as client:
        yield Api(Lake(str(written)), client)


def over_copy(written: Path, folder: Path) -> Iterator[Api]:
    """Yield the API over a copy of the lake, in `folder`, that the test may write to."""
    shutil.copytree(written, folder / "a lake")
    lake = Lake(str(folder / "a lake"))
    with TestClient(read_app(lake)) as client:
        yield Api(lake, client)


@pytest.fixture
def own_api(written: Path, tmp_path: Path) -> Iterator[Api]:
    """As `api`, over a copy of the lake that the test may write to."""
    yield from over_copy(written, tmp_path)
