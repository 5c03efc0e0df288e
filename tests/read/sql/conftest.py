"""The API over lakes with friction, outcomes, notes and edits of topics, each written once."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient

from tests.duck import run_sql
from tests.read.conftest import CHATS, SESSIONS, Api, write_lake
from tests.read.reading import read_app
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    ANNOTATIONS,
    ANSWERS,
    FIELD_OUTCOMES,
    FIELD_TYPES,
    FRICTION,
    JOURNEY_STEPS,
    MESSAGES,
    TOPIC_EDITS,
    TOPIC_LINEAGE,
    TOPIC_NOTES,
    TOPICS,
)
from turret_pipeline.semantics.friction import SIGNS

__all__ = ["run_sql"]

SAID = SESSIONS | CHATS | {f"more {n}": SESSIONS["s/4"] + CHATS["c1"] for n in range(10)}
N_USERS = 13
HOUR = dt.timedelta(hours=1)
EDITED_AT = dt.datetime(2026, 3, 20, tzinfo=dt.UTC)


def edits(*rows: tuple[str, str, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"project_id": "shop", "field": "prompt", "topic_id": topic, "action": action, "value": value}
            | {"decided_at": EDITED_AT + n * HOUR}
            for n, (topic, action, value) in enumerate(rows)
        ],
        schema=TOPIC_EDITS.schema,
    )


EDITS = {
    "none": [],
    "renamed and hidden": [("t_refund", "rename", 'Money\'s "back"'), ("t_card", "hide", "true")],
    "merged": [("t_refund", "merge", "t_card"), ("t_card", "merge", "t_parcel"), ("t_parcel", "rename", "All")],
    "a ring, and one taken back": [
        ("t_refund", "merge", "t_parcel"),
        ("t_parcel", "merge", "t_refund"),
        ("t_card", "merge", "t_parcel"),
        ("t_card", "merge", None),
    ],
}


def with_friction(lake: Lake) -> None:
    steps = store.read(lake, JOURNEY_STEPS, "shop").sort("session_id", "place")
    rows = [
        {**{name: row.get(name) for name in FRICTION.schema}, "sign": sign, "strength": 0.75}
        | {"evidence_place": row["place"] - 1 if row["place"] else None}
        for n, row in enumerate(steps.iter_rows(named=True))
        for sign in {0: SIGNS[n % 7 : n % 7 + 1], 1: SIGNS[n % 5 : n % 5 + 2]}.get(n % 4, ())
    ]
    store.replace(lake, FRICTION, pl.DataFrame(rows, schema=FRICTION.schema), "shop")


def with_outcomes(lake: Lake) -> None:
    rows = [
        {"project_id": "shop", "field": "plan", "decided_at": EDITED_AT, "better": None, "good": ["pro"]},
        {"project_id": "shop", "field": "tokens", "decided_at": EDITED_AT, "better": "lower", "good": None},
    ]
    store.replace(lake, FIELD_OUTCOMES, pl.DataFrame(rows, schema=FIELD_OUTCOMES.schema), "shop")


def with_answers(lake: Lake) -> None:
    """Every other message has an answer in a field of its own, of one kind or another."""
    steps = store.read(lake, JOURNEY_STEPS, "shop")
    answered = steps.filter(pl.col("place") % 2 == 0).with_columns(field=pl.lit("answer"), kind=pl.lit("request"))
    kinds = ["refused", "apologised", "made_good", "answered"]
    rows = [
        {**{name: row.get(name) for name in ANSWERS.schema}, "field": "prompt", "answer_field": "answer"}
        | {"kind": kinds[n % 4], "sureness": 1.0, "is_repeated": n % 3 == 0}
        for n, row in enumerate(answered.sort("session_id", "place").iter_rows(named=True))
    ]
    store.replace(lake, JOURNEY_STEPS, pl.concat([steps, answered]), "shop")
    messages = store.read(lake, MESSAGES, "shop")
    said = messages.join(answered, on="event_id", how="semi").with_columns(field=pl.lit("answer"))
    store.replace(lake, MESSAGES, pl.concat([messages, said]), "shop")
    store.replace(lake, ANSWERS, pl.DataFrame(rows, schema=ANSWERS.schema), "shop")
    there = store.read(lake, TOPICS, "shop")
    store.replace(lake, TOPICS, pl.concat([there, there.with_columns(field=pl.lit("answer"))]), "shop")
    types = store.read(lake, FIELD_TYPES, "shop")
    of_prompt = types.filter(pl.col("field") == "prompt")
    store.replace(lake, FIELD_TYPES, pl.concat([types, of_prompt.with_columns(field=pl.lit("answer"))]), "shop")


def with_notes(lake: Lake) -> None:
    """Notes on a topic, on one merged into it, and on one that fits made into it; of one that ended; annotations."""
    noted = [
        ("n1", "t_parcel", "Late since March."),
        ("n2", "t_old", "Was asked often."),
        ("n3", "t_lost", "Of a campaign."),
        ("n4", "t_card", "A bank's fault."),
        ("n5", "t_refund", "Wrong."),
        ("n5", "t_refund", None),
        ("n1", "t_parcel", "Late since February."),
    ]
    said = [
        ("a1", dt.date(2026, 3, 19), None, "release", "Version 2"),
        ("a2", dt.date(2026, 3, 10), dt.date(2026, 3, 18), None, "Spring sale"),
        ("a3", dt.date(2026, 3, 20), None, None, "Nothing"),
        ("a3", dt.date(2026, 3, 20), None, None, None),
    ]
    ways = [
        (2, "split", "t_old", "t_card", 0.4),
        (2, "split", "t_old", "t_mid", 0.6),
        (3, "merge", "t_mid", "t_refund", 1.0),
        (3, "end", "t_lost", None, 1.0),
    ]
    of_project = {"project_id": "shop", "field": "prompt", "author": "Ada"}
    for table, names, rows in (
        (TOPIC_NOTES, ("note_id", "topic_id", "text"), noted),
        (ANNOTATIONS, ("annotation_id", "date", "until", "kind", "text"), said),
        (TOPIC_LINEAGE, ("model_version", "kind", "from_topic", "to_topic", "share"), ways),
    ):
        told = [
            dict.fromkeys(table.schema)
            | {name: value for name, value in of_project.items() if name in table.schema}
            | ({"n_texts": 5} if table is TOPIC_LINEAGE else {"decided_at": EDITED_AT + n * HOUR})
            | dict(zip(names, row, strict=True))
            for n, row in enumerate(rows)
        ]
        store.replace(lake, table, pl.DataFrame(told, schema=table.schema), "shop")
    store.replace(lake, TOPIC_EDITS, edits(("t_card", "merge", "t_parcel")), "shop")


PLANTED = {"answers": with_answers, "notes": with_notes}


@pytest.fixture(scope="session")
def apis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Api]]:
    """The API over a lake with friction and with one of `EDITS`, or with one of `PLANTED`."""
    with contextlib.ExitStack() as opened:

        @cache
        def plain() -> Path:
            home = tmp_path_factory.mktemp("sql") / "a lake, isn't it"
            lake = Lake(str(home))
            write_lake(lake, "shop", SAID, n_users=N_USERS)
            write_lake(lake, "other", SESSIONS)
            with_friction(lake)
            with_outcomes(lake)
            return home

        @cache
        def with_edits(name: str) -> Api:
            home = plain()
            if name != "none":
                home = home.with_name(name)
                shutil.copytree(plain(), home)
            lake = Lake(str(home))
            if name in PLANTED:
                PLANTED[name](lake)
            elif EDITS[name]:
                store.replace(lake, TOPIC_EDITS, edits(*EDITS[name]), "shop")
            return Api(lake, opened.enter_context(TestClient(read_app(lake))))

        yield with_edits


@pytest.fixture
def edited(request: pytest.FixtureRequest, apis: Callable[[str], Api]) -> Api:
    return apis(getattr(request, "param", "none"))
