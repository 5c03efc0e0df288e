"""Number fields over the edges of journeys: one number a move, and none lost."""

from __future__ import annotations

import json
from statistics import mean, median

import pytest

from tests.read.conftest import SESSIONS, Api, events


@pytest.mark.parametrize(
    "filters", [{}, {"level": 1}, {"name": "chat"}, {"segment.plan": "pro"}, {"segment.tokens": "..30"}], ids=str
)
def test_on_every_edge_the_moves_with_a_number_and_without_are_all_moves(api: Api, filters: dict) -> None:
    plain = api.get("/v1/journeys", **filters)
    found = api.get("/v1/journeys", number="tokens", **filters)
    for edge, same in zip(found["edges"], plain["edges"], strict=True):
        number = edge.pop("number")
        assert same.pop("number") is None
        assert edge == same
        assert number["count"] + number["n_none"] == edge["count"]
        assert sum(each["count"] for each in number["bins"]) == number["count"]


def test_a_move_has_the_number_of_the_message_that_begins_the_visit(api: Api) -> None:
    edges = {(e["from"], e["to"]): e["number"] for e in api.get("/v1/journeys", number="tokens")["edges"]}
    # Message i of session s has 10 i + s tokens: t_refund comes third in s1, second in s2, second and fourth in s/4.
    assert list(SESSIONS) == ["s1", "s2", "s3", "s/4", "s5"]
    refund = edges["t_parcel", "t_refund"]
    assert (refund["count"], refund["min"], refund["max"], refund["mean"]) == (4, 11.0, 33.0, 77 / 4)
    assert edges["start", "t_parcel"]["mean"] == pytest.approx((0 + 1 + 3) / 3)
    assert (edges["t_refund", "end"]["count"], edges["t_refund", "end"]["mean"]) == (1, 11.0)


def test_a_field_that_is_no_number_is_named(api: Api) -> None:
    assert api.get("/v1/journeys", number="plan", status=400)["field"] == "number"
    assert api.get("/v1/journeys", number="absent", status=404)["field"] == "number"


def sums_by_hand(api: Api, level: int, **filters: object) -> dict[str, list[float]]:
    """Return the tokens of the messages of each topic, told from the messages themselves, one by one."""
    theme = {row["topic_id"]: row["parent_id"] for row in api.get("/v1/topics")["data"]} if level else {}
    tokens = {row["event_id"]: json.loads(row["metadata"])["tokens"] for row in events("shop", SESSIONS).to_dicts()}
    found: dict[str, list[float]] = {}
    for message in api.get("/v1/messages", limit=1000, **filters)["data"]:
        topic = message["topic_id"] or "unassigned"
        found.setdefault(theme.get(topic) or topic, []).append(tokens[message["event_id"]])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize(
    "filters", [{}, {"segment.plan": "pro"}, {"name": "voice"}, {"kinds": "all"}, {"from": "2026-03-02"}]
)
def test_the_sums_of_topics_add_up_to_that_of_all_messages(own_api: Api, filters: dict, level: int) -> None:
    own_api.client.post(
        "/v1/topics/edits",
        json={"topic_id": "t_card", "action": "hide", "value": "true"},
        headers={"X-API-Key": "shop:admin"},
    )
    found = own_api.get("/v1/topics", number="tokens", level=level, **filters)
    total = found["number"]
    parts = [row["number"] for row in found["data"]] + [total["unassigned"], total["hidden"]]
    for part in ("sum", "n"):
        assert sum(each[part] for each in parts) == total["all"][part]
    assert total["all"]["n"] == found["n_messages"]
    told = {row["topic_id"]: row["number"] for row in found["data"]}
    told |= {"unassigned": total["unassigned"], "t_card": total["hidden"]}
    for topic, tokens in sums_by_hand(own_api, level, **filters).items():
        number = told[topic]
        assert (number["sum"], number["n"]) == (sum(tokens), len(tokens))
        assert (number["mean"], number["median"]) == (mean(tokens), median(tokens))


def test_a_merged_topics_numbers_are_its_targets(own_api: Api) -> None:
    before = {row["topic_id"]: row["number"] for row in own_api.get("/v1/topics", number="tokens")["data"]}
    own_api.client.post(
        "/v1/topics/edits",
        json={"topic_id": "t_card", "action": "merge", "value": "t_refund"},
        headers={"X-API-Key": "shop:admin"},
    )
    after = {row["topic_id"]: row["number"] for row in own_api.get("/v1/topics", number="tokens")["data"]}
    assert after["t_refund"]["sum"] == before["t_refund"]["sum"] + before["t_card"]["sum"]
    assert after["t_refund"]["n"] == before["t_refund"]["n"] + before["t_card"]["n"]
    assert own_api.get("/v1/topics/t_refund")["numbers"][0]["sum"] == after["t_refund"]["sum"]


def test_topics_without_a_number_asked_for_have_none_and_what_is_no_number_is_named(api: Api) -> None:
    plain = api.get("/v1/topics")
    assert plain["number"] is None
    assert {row["number"] for row in plain["data"]} == {None}
    assert api.get("/v1/topics", number="plan", status=400)["field"] == "number"
    assert api.get("/v1/topics", number="absent", status=404)["field"] == "number"
