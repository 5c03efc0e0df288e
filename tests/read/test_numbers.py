"""Number fields over the edges of journeys: one number a move, and none lost."""

from __future__ import annotations

import pytest

from tests.read.conftest import SESSIONS, Api


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
