"""Definitions of topics over the API: who may write them, what makes no sense, and what is shown of them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.read.conftest import SESSIONS, Api, write_lake
from turret_pipeline.lake import store
from turret_pipeline.lake.tables import TOPIC_ASSIGNMENTS, TOPICS

THREE = ["Where is it?", "Has it left yet?", "When does it come?"]


def send(
    api: Api, method: str, path: str, body: dict[str, Any] | None = None, *, key: str = "shop:admin", status: int = 200
) -> dict[str, Any]:
    answer = api.client.request(method, path, json=body, headers={"X-API-Key": key})
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def define(api: Api, **changes: Any) -> dict[str, Any]:
    return send(api, "POST", "/v1/topics", {"label": "Whereabouts", "examples": THREE, **changes})


def build_with(api: Api, topic_id: str) -> None:
    """After this call the tables are as if a build had given the topic the texts of `t_card`."""
    write_lake(api.lake, "shop", SESSIONS)
    for table in (TOPICS, TOPIC_ASSIGNMENTS):
        rows = store.read(api.lake, table, "shop")
        named = rows.with_columns(topic_id=rows["topic_id"].replace({"t_card": topic_id}))
        store.replace(api.lake, table, named, "shop")


def test_a_definition_is_an_edit_of_its_project_and_is_answered_as_recorded(own_api: Api) -> None:
    found = define(own_api, counter_examples=["Where is my money?"])
    assert found["topic_id"].startswith("d_")
    assert (found["field"], found["label"], found["examples"]) == ("prompt", "Whereabouts", THREE)
    (edit,) = own_api.get("/v1/topics/edits")["data"]
    assert (edit["topic_id"], edit["action"]) == (found["topic_id"], "define")
    assert orjson.loads(edit["value"])["counter_examples"] == ["Where is my money?"]
    assert own_api.get("/v1/topics/edits", key="other:read")["data"] == []


@pytest.mark.slow
def test_a_defined_topic_is_marked_and_shows_what_defines_it(own_api: Api) -> None:
    topic_id = define(own_api)["topic_id"]
    build_with(own_api, topic_id)
    shown = {row["topic_id"]: row for row in own_api.get("/v1/topics")["data"]}
    assert {name: row["defined"] for name, row in shown.items()} == {
        topic_id: True,
        "t_parcel": False,
        "t_refund": False,
    }
    assert shown[topic_id]["label"] == "Whereabouts"
    assert own_api.get(f"/v1/topics/{topic_id}")["definition"] == {"examples": THREE, "counter_examples": []}
    assert own_api.get("/v1/topics/t_refund")["definition"] is None


@pytest.mark.slow
def test_a_change_keeps_the_id_and_its_label_takes_the_place_of_an_earlier_name(own_api: Api) -> None:
    topic_id = define(own_api)["topic_id"]
    build_with(own_api, topic_id)
    edit = {"topic_id": topic_id, "action": "rename", "value": "Where it is"}
    send(own_api, "POST", "/v1/topics/edits", edit)
    assert own_api.get(f"/v1/topics/{topic_id}")["label"] == "Where it is"
    changed = {"label": "On its way", "examples": [*THREE, "Any news of it?"], "counter_examples": []}
    assert send(own_api, "PUT", f"/v1/topics/{topic_id}", changed)["topic_id"] == topic_id
    topic = own_api.get(f"/v1/topics/{topic_id}")
    assert topic["label"] == "On its way"
    assert topic["definition"]["examples"] == changed["examples"]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["delete", "edit"])
def test_a_definition_that_is_taken_back_is_gone_at_once_and_all_still_adds_up(own_api: Api, way: str) -> None:
    topic_id = define(own_api)["topic_id"]
    build_with(own_api, topic_id)
    if way == "delete":
        send(own_api, "DELETE", f"/v1/topics/{topic_id}")
    else:
        send(own_api, "POST", "/v1/topics/edits", {"topic_id": topic_id, "action": "define", "value": None})
    found = own_api.get("/v1/topics")
    assert topic_id not in [row["topic_id"] for row in found["data"]]
    assert sum(row["size"] for row in found["data"]) + found["n_unassigned"] == found["n_messages"]
    send(own_api, "DELETE", f"/v1/topics/{topic_id}", status=404)


@pytest.mark.slow
def test_an_earlier_label_of_a_removed_topic_may_be_given_again(own_api: Api) -> None:
    topic_id = define(own_api)["topic_id"]
    build_with(own_api, topic_id)
    send(own_api, "DELETE", f"/v1/topics/{topic_id}")
    assert define(own_api)["label"] == "Whereabouts"


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"label": " "}, 400, "label"),
        ({"label": "Refunds"}, 400, "label"),
        ({"examples": THREE[:2]}, 400, "examples"),
        ({"examples": [*THREE[:2], " "]}, 400, "examples"),
        ({"examples": [*THREE, THREE[0]]}, 400, "examples"),
        ({"examples": [f"text {n}" for n in range(21)]}, 400, "examples"),
        ({"counter_examples": [THREE[0]]}, 400, "counter_examples"),
        ({"counter_examples": [f"{n} {'word ' * 10_000}" for n in range(4)]}, 400, "examples"),
        ({"field": "plan"}, 400, "field"),
        ({"field": "nothing"}, 404, "field"),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(
    own_api: Api, changes: dict[str, Any], status: int, field: str
) -> None:
    body = {"label": "Whereabouts", "examples": THREE, **changes}
    assert send(own_api, "POST", "/v1/topics", body, status=status)["field"].startswith(field)
    assert own_api.get("/v1/topics/edits")["data"] == []


def test_a_text_is_an_example_of_one_topic_alone(own_api: Api) -> None:
    first = define(own_api)
    again = {"label": "Elsewhere", "examples": [THREE[0], "another one", "and a third"]}
    assert send(own_api, "POST", "/v1/topics", again, status=400)["field"] == "examples"
    body = {"label": "Whereabouts", "examples": [*THREE, "and a fourth"]}
    assert send(own_api, "PUT", f"/v1/topics/{first['topic_id']}", body)["examples"] == body["examples"]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", ""), ("POST", "/try"), ("PUT", "/d_none"), ("DELETE", "/d_none")]
)
def test_only_an_admin_defines(own_api: Api, method: str, path: str) -> None:
    send(own_api, method, f"/v1/topics{path}", {"label": "x", "examples": THREE}, key="shop:read", status=401)


@pytest.mark.parametrize("topic_id", ["t_refund", "d_none"])
def test_what_nobody_defined_is_neither_changed_nor_removed(own_api: Api, topic_id: str) -> None:
    body = {"label": "Mine", "examples": THREE, "counter_examples": []}
    send(own_api, "PUT", f"/v1/topics/{topic_id}", body, status=404)
    send(own_api, "DELETE", f"/v1/topics/{topic_id}", status=404)


@pytest.mark.slow
def test_a_trial_before_anything_is_embedded_is_told_so(own_api: Api) -> None:
    found = send(own_api, "POST", "/v1/topics/try", {"examples": THREE}, status=400)
    assert "embedded" in found["error"]
