"""Edits of topics: in force at once, everywhere, through a refit, and taken back."""

from __future__ import annotations

import pytest

from tests.read.conftest import SESSIONS, Api, write_lake
from turret_api.command.export import rows_of
from turret_api.read.engine.library import Library


def edit(
    api: Api, topic_id: str, action: str, value: str | bool | None, *, key: str = "shop:admin", status: int = 200
) -> dict:
    body = {"topic_id": topic_id, "action": action, "value": value}
    answer = api.client.post("/v1/topics/edits", json=body, headers={"X-API-Key": key})
    assert answer.status_code == status, answer.text
    return answer.json()


def sizes(api: Api) -> dict[str, int]:
    return {row["topic_id"]: row["size"] for row in api.get("/v1/topics")["data"]}


@pytest.mark.slow
def test_a_name_holds_everywhere_and_through_a_refit_until_it_is_taken_back(own_api: Api) -> None:
    edit(own_api, "t_refund", "rename", "Money back")
    write_lake(own_api.lake, "shop", SESSIONS, model_version=2)
    assert own_api.get("/v1/topics")["data"][1]["label"] == "Money back"
    assert own_api.get("/v1/topics/t_card")["before"][1]["label"] == "Money back"
    assert "Money back" in [node["label"] for node in own_api.get("/v1/journeys")["nodes"]]
    assert {row["topic_label"] for row in own_api.get("/v1/messages", topic_id="t_refund")["data"]} == {"Money back"}
    edit(own_api, "t_refund", "rename", None)
    assert own_api.get("/v1/topics/t_refund")["label"] == "Refunds"


@pytest.mark.parametrize("label", [" ", "\u200b\ufeff", "\u3164", "\u2800\ufe0f"])
def test_a_label_that_shows_nothing_is_refused(own_api: Api, label: str) -> None:
    assert edit(own_api, "t_refund", "rename", label, status=400)["field"] == "value"
    assert own_api.get("/v1/topics/t_refund")["label"] == "Refunds"


def test_a_merged_topics_messages_are_its_targets_in_every_count(own_api: Api) -> None:
    edit(own_api, "t_card", "merge", "t_refund")
    assert sizes(own_api) == {"t_refund": 7, "t_parcel": 6}
    graph = own_api.get("/v1/journeys")
    assert "t_card" not in [node["topic_id"] for node in graph["nodes"]]
    assert graph["n_sessions"] == 5
    exported = rows_of(Library(own_api.lake).snapshot("shop"), "messages", None)
    assert dict(exported.group_by("topic_id").len().iter_rows()) == {"t_refund": 7, "t_parcel": 6, None: 2}
    assert own_api.get("/v1/topics/t_card")["topic_id"] == "t_refund"
    assert len(own_api.get("/v1/messages", topic_id="t_card")["data"]) == 7
    edit(own_api, "t_card", "merge", None)
    assert sizes(own_api) == {"t_parcel": 6, "t_refund": 4, "t_card": 3}


def test_merges_go_on_to_the_last_and_not_in_a_ring(own_api: Api) -> None:
    edit(own_api, "t_card", "merge", "t_refund")
    edit(own_api, "t_refund", "merge", "t_parcel")
    assert sizes(own_api) == {"t_parcel": 13}
    assert edit(own_api, "t_parcel", "merge", "t_card", status=400)["field"] == "value"
    assert edit(own_api, "t_parcel", "merge", "t_parcel", status=400)["field"] == "value"


def test_a_hidden_topic_is_left_out_of_the_list_and_its_messages_are_still_counted(own_api: Api) -> None:
    edit(own_api, "t_card", "hide", "true")
    found = own_api.get("/v1/topics")
    assert [row["topic_id"] for row in found["data"]] == ["t_parcel", "t_refund"]
    assert (found["n_messages"], found["n_unassigned"], found["n_hidden"]) == (15, 2, 3)
    assert [(each["topic_id"], each["size"]) for each in found["hidden"]] == [("t_card", 3)]
    assert found["hidden"][0]["label"] == own_api.get("/v1/topics/t_card")["label"]
    assert own_api.get("/v1/topics/t_card")["size"] == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("topic_id", "action", "value", "status"),
    [
        ("t_none", "rename", "x", 404),
        ("t_card", "rename", "Refunds", 400),
        ("t_card", "rename", "", 400),
        ("t_card", "rename", " refunds  ", 400),
        ("t_card", "rename", "cards\0", 400),
        ("t_card", "rename", "no topic", 400),
        ("t_card", "merge", "t_none", 400),
        ("t_card", "merge", "theme_shop", 400),
        ("theme_shop", "merge", "t_card", 400),
        ("t_card", "hide", "yes", 400),
        ("t_card", "pin", "yes", 400),
        ("theme_shop", "pin", "true", 400),
        ("t_card", "nail", "true", 400),
    ],
)
def test_an_edit_that_makes_no_sense_is_refused(
    own_api: Api, topic_id: str, action: str, value: str, status: int
) -> None:
    edit(own_api, topic_id, action, value, status=status)
    assert own_api.get("/v1/topics/edits")["data"] == []


def test_a_new_name_is_one_line_without_blanks_around_it(own_api: Api) -> None:
    edit(own_api, "t_card", "rename", " Cards that\n are declined ")
    assert own_api.get("/v1/topics/t_card")["label"] == "Cards that are declined"


def test_a_topic_is_hidden_by_true_as_json_and_as_text(own_api: Api) -> None:
    edit(own_api, "t_card", "hide", True)
    assert own_api.get("/v1/topics/edits")["data"][0]["value"] == "true"
    edit(own_api, "t_card", "rename", True, status=400)


def test_edits_are_an_admins_and_their_projects_own(own_api: Api) -> None:
    edit(own_api, "t_card", "hide", "true", key="shop:read", status=401)
    edit(own_api, "t_card", "rename", "Other's", key="other:admin")
    assert own_api.get("/v1/topics/edits")["data"] == []
    assert own_api.get("/v1/topics/t_card")["label"] == "Declined cards"
    assert [row["value"] for row in own_api.get("/v1/topics/edits", key="other:read")["data"]] == ["Other's"]
