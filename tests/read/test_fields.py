"""Fields over the API: what each shows by its type, and a person's choice."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from tests.read.conftest import Api
from turret_pipeline.lake import store
from turret_pipeline.lake.tables import FIELD_FAILURES, FIELD_OVERRIDES, FIELD_TYPES, LEFT_OUT_FIELDS


def patch(api: Api, field: str, body: object, key: str = "shop:admin") -> tuple[int, dict]:
    answer = api.client.patch(f"/v1/fields/{field}", json=body, headers={"X-API-Key": key})
    return answer.status_code, answer.json()


def fields(api: Api) -> dict[str, dict]:
    return {row["field"]: row for row in api.get("/v1/fields")["data"]}


def test_each_field_shows_what_its_type_has(api: Api) -> None:
    found = fields(api)
    assert {name: row["type"] for name, row in found.items()} == {
        "plan": "enum",
        "prompt": "text",
        "tags": "other",
        "tokens": "number",
    }
    assert found["plan"]["values"] == [{"value": "free", "count": 8}, {"value": "pro", "count": 7}]
    assert (found["tokens"]["min"], found["tokens"]["max"], found["tokens"]["mean"]) == (0, 43, pytest.approx(247 / 15))
    assert sum(each["count"] for each in found["tokens"]["bins"]) == 15
    assert found["plan"]["bins"] is None
    assert set(found["tokens"]["quantiles"]) == {"0.05", "0.25", "0.5", "0.75", "0.95"}
    assert len(found["prompt"]["examples"]) == 8
    assert found["prompt"]["n_events"] == 15
    assert "sentences" in found["prompt"]["reason"]


def test_a_choice_shows_at_once_and_can_be_taken_back(own_api: Api) -> None:
    status, row = patch(own_api, "tokens", {"type": "enum"})
    assert (status, row["type"], row["detected_type"]) == (200, "enum", "number")
    assert fields(own_api)["tokens"] == row
    assert (row["overridden"], row["pending"]) == (True, True)
    assert patch(own_api, "tokens", {"type": None})[1]["overridden"] is False
    assert (fields(own_api)["tokens"]["type"], fields(own_api)["tokens"]["pending"]) == ("number", False)
    kept = store.read(own_api.lake, FIELD_OVERRIDES, "shop").sort("decided_at")
    assert kept["type"].to_list() == ["enum", None]


def test_the_history_tells_what_was_found_and_what_people_decided(own_api: Api) -> None:
    patch(own_api, "tokens", {"type": "enum"})
    patch(own_api, "tokens", {"type": None})
    found = own_api.get("/v1/fields/tokens/history")
    assert [(row["by"], row["type"]) for row in found["data"]] == [
        ("person", None),
        ("person", "enum"),
        ("detection", "number"),
    ]
    assert found["data"][-1]["reason"] == fields(own_api)["tokens"]["reason"]
    first = own_api.get("/v1/fields/tokens/history", limit=1)
    rest = own_api.get("/v1/fields/tokens/history", cursor=first["next"])
    assert first["data"] + rest["data"] == found["data"]
    assert own_api.get("/v1/fields/absent/history", status=404)["field"] == "field"


@pytest.mark.slow
@pytest.mark.parametrize("body", [{}, {"type": "other"}, {"type": 1}, {"type": "enum", "x": 1}, [], None])
def test_a_choice_that_is_none_is_refused(own_api: Api, body: object) -> None:
    assert patch(own_api, "tokens", body)[0] == 400
    assert fields(own_api)["tokens"]["overridden"] is False


def test_a_read_key_may_not_choose_and_a_field_that_is_not_there_is_404(own_api: Api) -> None:
    assert patch(own_api, "tokens", {"type": "enum"}, key="shop:read")[0] == 401
    assert patch(own_api, "absent", {"type": "enum"})[0] == 404
    assert store.read(own_api.lake, FIELD_OVERRIDES, "shop").is_empty()


def test_a_field_of_names_of_people_says_that_it_is_personal(own_api: Api) -> None:
    assert not any(row["personal"] for row in fields(own_api).values())
    known = store.read(own_api.lake, FIELD_TYPES, "shop")
    summary = pl.when(field="tags").then(pl.lit('{"examples": ["Peter Lopez"], "personal": true}')).otherwise("summary")
    store.replace(own_api.lake, FIELD_TYPES, known.with_columns(summary=summary), "shop")
    assert [name for name, row in fields(own_api).items() if row["personal"]] == ["tags"]


def test_a_field_that_a_build_could_not_do_says_why_until_it_can(own_api: Api) -> None:
    assert {row["failure"] for row in fields(own_api).values()} == {None}
    day = dt.date(2026, 3, 2)
    rows = [
        ("shop", "topics", "prompt", None, "TypeError: no len()", 15, "1"),
        ("shop", "field_profiles", "prompt", day, "ValueError: no shape", 0, ""),
        ("other", "topics", "tags", None, "of another project", 1, "1"),
    ]
    store.append(own_api.lake, FIELD_FAILURES, pl.DataFrame(rows, schema=FIELD_FAILURES.schema, orient="row"))
    found = fields(own_api)
    words = "field_profiles of 2026-03-02: ValueError: no shape; topics: TypeError: no len()"
    assert {name: row["failure"] for name, row in found.items() if row["failure"]} == {"prompt": words}
    assert patch(own_api, "prompt", {"type": "text"})[1]["failure"] == words
    store.replace(own_api.lake, FIELD_FAILURES, FIELD_FAILURES.empty(), "shop")
    assert fields(own_api)["prompt"]["failure"] is None


def test_fields_that_are_too_many_to_have_a_type_are_told(own_api: Api) -> None:
    assert own_api.get("/v1/fields")["left_out"] is None
    row = ("shop", 5_000, 1_234, '["id_17", "id_4"]')
    rows = pl.DataFrame([row], schema=LEFT_OUT_FIELDS.schema, orient="row")
    store.replace(own_api.lake, LEFT_OUT_FIELDS, rows, "shop")
    found = own_api.get("/v1/fields", limit=2)
    assert found["left_out"] == {"most": 5_000, "n_fields": 1_234, "examples": ["id_17", "id_4"]}
    assert len(found["data"]) == 2
    status, refused = patch(own_api, "id_17", {"type": "enum"})
    assert (status, refused["code"], refused["field"]) == (404, "INVALID_REQUEST", "field")
    assert "beyond the 5,000 that most events have" in refused["error"]
