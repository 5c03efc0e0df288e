"""What topics were and became, how they change, and where their texts stand."""

from __future__ import annotations

import polars as pl
import pytest

from tests.read.conftest import SESSIONS, Api, write_lake
from tests.read.test_edits import edit
from turret_pipeline.lake import store
from turret_pipeline.lake.tables import TOPIC_FITS, TOPIC_LINEAGE


def test_a_topic_tells_its_lineage_and_one_that_ended_what_it_became(own_api: Api) -> None:
    rows = [
        (2, "carry", "t_card", "t_card", None, None, 3, 1.0),
        (2, "merge", "t_old", "t_card", "Old cards", "Declined cards", 2, 0.75),
        (2, "end", "t_gone", None, "Gone", None, 4, 1.0),
    ]
    names = ["model_version", "kind", "from_topic", "to_topic", "from_label", "to_label", "n_texts", "share"]
    frame = pl.DataFrame(rows, schema={name: TOPIC_LINEAGE.schema[name] for name in names}, orient="row")
    told = frame.with_columns(project_id=pl.lit("shop"), field=pl.lit("prompt")).select(TOPIC_LINEAGE.schema.names())
    store.append(own_api.lake, TOPIC_LINEAGE, told)
    assert [(way["kind"], way["from_label"]) for way in own_api.get("/v1/topics/t_card")["lineage"]] == [
        ("merge", "Old cards")
    ]
    assert "became t_card (Declined cards) at fit 2" in own_api.get("/v1/topics/t_old", status=404)["error"]
    assert "ended at fit 2" in own_api.get("/v1/topics/t_gone", status=404)["error"]
    listed = {row["topic_id"]: row["lineage"] for row in own_api.get("/v1/topics")["data"]}
    assert [way["kind"] for way in listed["t_card"]] == ["merge"]
    assert listed["t_parcel"] == []


def test_fits_are_listed_with_how_far_they_moved_what_there_was(own_api: Api) -> None:
    row = {"project_id": "shop", "field": "prompt", "model_version": 1, "reason": "the field has no topics yet"}
    row |= {"n_texts": 15, "n_topics": 3, "coverage": 0.8, "changed": None}
    store.append(own_api.lake, TOPIC_FITS, pl.DataFrame([row], schema=TOPIC_FITS.schema))
    fits = own_api.get("/v1/topics/fits")["data"]
    assert [(fit["reason"], fit["n_topics"], fit["changed"]) for fit in fits] == [(row["reason"], 3, None)]
    assert own_api.get("/v1/topics/fits", key="other:read")["data"] == []


@pytest.mark.parametrize(
    ("action", "value", "n"), [("rename", "New", 3), ("merge", "t_parcel", 2), ("hide", "true", 2)]
)
def test_the_fits_tell_how_many_topics_and_themes_people_see(own_api: Api, action: str, value: str, n: int) -> None:
    edit(own_api, "t_card", action, value)
    seen = [[row["level"] for row in own_api.get("/v1/topics", level=level)["data"]] for level in (0, 1)]
    (told,) = own_api.get("/v1/topics/fits")["topics"]
    assert told == {"field": "prompt", "n_topics": n, "n_themes": seen[1].count(1)}
    assert told["n_topics"] == len(seen[0])


@pytest.mark.parametrize(("filters", "n"), [({}, 15), ({"name": "voice"}, 5), ({"limit": 4}, 4)], ids=str)
def test_the_map_has_a_place_for_each_text_that_passes_up_to_the_limit(api: Api, filters: dict, n: int) -> None:
    found = api.get("/v1/topics/map", **filters)
    assert {len(found[name]) for name in ("x", "y", "topic_id", "text", "size")} == {n}
    assert found["n_texts"] == (n if "limit" not in filters else 15)
    assert set(found["topic_id"]) <= {"t_parcel", "t_refund", "t_card", None}


def test_of_five_days_no_trend_is_told(api: Api) -> None:
    assert {row["trend"]["mark"] for row in api.get("/v1/topics")["data"]} == {None}


@pytest.mark.slow
def test_a_pin_is_shown_until_it_is_taken_back(own_api: Api) -> None:
    edit(own_api, "t_card", "pin", "true")
    write_lake(own_api.lake, "shop", SESSIONS, model_version=2)
    assert {row["topic_id"]: row["pinned"] for row in own_api.get("/v1/topics")["data"]}["t_card"] is True
    edit(own_api, "t_card", "pin", None)
    assert own_api.get("/v1/topics/t_card")["pinned"] is False
