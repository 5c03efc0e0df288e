"""A project whose sessions say how they went, and how its fields are marked as outcomes, for the tests of outcomes."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import polars as pl

from tests.read.conftest import CHATS, SESSIONS, T0, Api, P, R, write_lake
from turret_pipeline.analysis.fields.detect import detect_types, profile_fields
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    EVENTS,
    FIELD_OVERRIDES,
    FIELD_TYPES,
    FRICTION,
    JOURNEY_STEPS,
)
from turret_pipeline.semantics.friction import SIGNS
from turret_pipeline.stages import STAGE_OF
from turret_pipeline.stages.work import Work

SAID = {f"{name} {n}": said for n in range(3) for name, said in (SESSIONS | CHATS).items()}
SAID |= {f"short {n}": [P, R] for n in range(6)}
"""36 sessions."""

FEEDBACK = "feedback"


def outcome_values(session: int, place: int, n: int) -> dict[str, Any]:
    """What the message at `place` (of `n`) of a session says of how it went; nothing in every fifth session."""
    if session % 5 == 4:
        return {}
    said: dict[str, Any] = {"cost": (session * 7 + place * 3) % 11 + 0.5}
    if place == n // 2:
        said["resolved"] = (session * session + place) % 3 > 0
    if place == n - 1 and session % 2:
        said["resolved"] = session % 7 < 4
        said["rating"] = str(session % 5 + 1)
    return said


def write(lake: Lake, said: dict[str, list[str]], told: Callable[[int, int], dict[str, Any]], more: tuple = ()) -> None:
    """After this call the project `shop` has the sessions `said`, as the pipeline would build them.

    told: by number and place, what a session's message has in its metadata too. more: further events, each its session,
    time and metadata, that have no message.
    """
    write_lake(lake, "shop", said)
    number = {name: n for n, name in enumerate(said)}
    rows = []
    for row in store.read(lake, EVENTS, "shop").iter_rows(named=True):
        also = told(number[row["session_id"]], int(row["event_id"].rsplit("_", 1)[1]))
        rows.append({**row, "metadata": json.dumps(json.loads(row["metadata"]) | also)})
    for n, (name, at, metadata) in enumerate(more):
        of = {"event_id": f"evt_{FEEDBACK}_{n}", "session_id": name, "name": FEEDBACK, "metadata": json.dumps(metadata)}
        rows.append({**rows[0], "timestamp": at, "received_at": at, "received_date": at.date(), "seq": 99, **of})
    sent = pl.DataFrame(rows, schema=EVENTS.schema)
    store.replace(lake, EVENTS, sent, "shop")
    profiles = profile_fields(sent).with_columns(received_date=pl.lit(T0.date()))
    types = detect_types(profiles, None, FIELD_OVERRIDES.empty()).types
    named = types.with_columns(project_id=pl.lit("shop")).select(FIELD_TYPES.schema.names())
    store.replace(lake, FIELD_TYPES, named, "shop")
    STAGE_OF["step_values"].bring(Work(lake, "shop", full_refresh=True))


def write_shop(lake: Lake) -> None:
    """After this call `shop` has `SAID`, feedback without a message in every third session, and signs of friction."""
    names = list(SAID)
    more = tuple(
        (name, T0 + dt.timedelta(days=n, minutes=1, seconds=20), {"thumbs": "up" if n % 2 else "down", "cost": 100 + n})
        for n, name in enumerate(names)
        if n % 3 == 0
    )
    write(lake, SAID, lambda session, place: outcome_values(session, place, len(SAID[names[session]])), more)
    steps = store.read(lake, JOURNEY_STEPS, "shop").sort("session_id", "place")
    signs = steps.with_row_index("n").filter(pl.col("n") % 4 == 0)
    signs = signs.with_columns(
        sign=pl.Series([SIGNS[n % 3] for n in range(signs.height)]),
        strength=pl.lit(0.75),
        evidence_place=pl.lit(None, pl.Int64),
    )
    store.replace(lake, FRICTION, signs.select(FRICTION.schema.names()), "shop")


def patch(api: Api, field: str, body: object, status: int = 200, key: str = "shop:admin") -> dict:
    answer = api.client.patch(f"/v1/fields/{field}", json=body, headers={"X-API-Key": key})
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def mark(api: Api, field: str, **outcome: object) -> dict:
    return patch(api, field, {"outcome": outcome})


def fields(api: Api) -> dict[str, dict]:
    return {row["field"]: row for row in api.get("/v1/fields")["data"]}
