"""Values beside the steps: whichever way they are found, the answer is the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient

from tests.read.conftest import SESSIONS, Api, write_lake
from tests.read.reading import read_app
from turret_api.read.views import values
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import JOURNEY_STEPS, STEP_VALUES

QUESTIONS: list[tuple[str, dict]] = [
    ("/v1/topics", {"segment.plan": "pro"}),
    ("/v1/topics", {"segment.tokens": ["..1", "43.."], "segment.plan": ["free", "pro"]}),
    ("/v1/topics/t_refund", {}),
    ("/v1/topics/t_refund", {"segment.plan": "pro", "name": "chat"}),
    ("/v1/topics/theme_shop", {"to": "2026-03-04"}),
    ("/v1/messages", {"segment.tokens": "10..25"}),
    ("/v1/journeys", {"number": "tokens", "segment.plan": "free"}),
    ("/v1/journeys/compare", {"a.segment.plan": "pro", "b.segment.plan": "free"}),
    ("/v1/topics/compare", {"a.segment.plan": "pro", "b.segment.tokens": "10.."}),
    ("/v1/changes", {"days": "1", "segment.plan": "free"}),
]


def answers(client: TestClient) -> list[dict]:
    found = [client.get(path, params=params, headers={"X-API-Key": "shop:read"}) for path, params in QUESTIONS]
    assert {each.status_code for each in found} == {200}
    return [each.json() for each in found]


@pytest.mark.slow
@pytest.mark.parametrize("what", ["none of them", "those of other steps", "those of a day less"])
def test_without_values_beside_the_steps_the_answers_are_those_of_the_events(
    api: Api, written: Path, tmp_path: Path, what: str
) -> None:
    lake = Lake(str(shutil.copytree(written, tmp_path / "lake")))
    rows = store.read(lake, STEP_VALUES, "shop")
    if what == "none of them":
        rows = rows.clear()
    elif what == "those of other steps":
        rows = rows.with_columns(pl.col("order") + 1, pl.col("places").list.reverse())
    else:
        rows = rows.filter(pl.col("received_date") != rows["received_date"].min())
    store.replace(lake, STEP_VALUES, rows, "shop")
    with TestClient(read_app(lake)) as client:
        assert answers(client) == answers(api.client)


@pytest.mark.slow
def test_with_values_beside_the_steps_no_event_is_looked_into(
    api: Api, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_to_be_called(*args: object) -> None:
        raise AssertionError("events were looked into")

    monkeypatch.setattr(values, "_event_values", not_to_be_called)
    with TestClient(read_app(Lake(str(written)))) as client:
        assert answers(client) == answers(api.client)


@pytest.mark.slow
def test_steps_that_lie_in_another_order_than_their_values_get_their_own(own_api: Api) -> None:
    before = answers(own_api.client)
    steps = store.read(own_api.lake, JOURNEY_STEPS, "shop")
    store.replace(own_api.lake, JOURNEY_STEPS, steps.sample(fraction=1, shuffle=True, seed=1), "shop")
    assert answers(own_api.client) == before
    write_lake(own_api.lake, "shop", {**SESSIONS, "s0": SESSIONS["s1"]})
    assert answers(own_api.client) != before
