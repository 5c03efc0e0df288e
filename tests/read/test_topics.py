"""Topics: sizes that add up, under every filter and at every level, and one topic's whole story."""

from __future__ import annotations

import pytest

from tests.read.conftest import Api


def sizes(answer: dict) -> dict[str, int]:
    return {row["topic_id"]: row["size"] for row in answer["data"]}


def test_topics_and_the_messages_without_one_add_up_to_all_messages(api: Api) -> None:
    found = api.get("/v1/topics", field="prompt")
    assert list(sizes(found).items()) == [("t_parcel", 6), ("t_refund", 4), ("t_card", 3)]
    assert (found["n_messages"], found["n_unassigned"]) == (15, 2)
    assert sum(row["share"] for row in found["data"]) == pytest.approx(13 / 15)
    assert (found["model_version"], found["built_at"]) == (1, "2026-03-20T01:02:03+00:00")


@pytest.mark.parametrize(
    ("filters", "expected", "unassigned"),
    [
        ({"name": "voice"}, {"t_parcel": 3, "t_refund": 1}, 1),
        ({"name": "absent"}, {}, 0),
        ({"from": "2026-03-05T23:51:00Z"}, {"t_card": 1}, 0),
        ({"to": "2026-03-01T23:51:00Z"}, {"t_parcel": 1}, 0),
        ({"from": "2026-03-02T23:50:00", "to": "2026-03-03T23:50:00"}, {"t_parcel": 1, "t_refund": 1}, 0),
        ({"from": "2026-03-04T00:50:00+01:00", "to": "2026-03-04"}, {"t_card": 1}, 0),
        ({"segment.plan": "pro"}, {"t_parcel": 3, "t_refund": 3, "t_card": 1}, 0),
        ({"segment.plan": ["pro", "free"], "segment.tokens": "0"}, {"t_parcel": 1}, 0),
        ({"segment.plan": "gold"}, {}, 0),
        ({"segment.absent": "x"}, {}, 0),
        ({"segment.tokens": "14"}, {"t_card": 1}, 0),
        ({"segment.tokens": "30..41"}, {"t_parcel": 1, "t_refund": 1}, 1),
        ({"segment.tokens": ["..1", "43.."]}, {"t_parcel": 1, "t_card": 1}, 0),
        ({"segment.tokens": "..", "segment.plan": "pro"}, {}, 0),
    ],
    ids=str,
)
def test_filters_count_only_what_passes(api: Api, filters: dict, expected: dict, unassigned: int) -> None:
    found = api.get("/v1/topics", **filters)
    assert (sizes(found), found["n_unassigned"]) == (expected, unassigned)
    assert found["n_messages"] == sum(expected.values()) + unassigned


def test_a_theme_has_the_messages_of_its_topics_and_a_topic_without_theme_stays_itself(api: Api) -> None:
    found = api.get("/v1/topics", level=1)
    assert sizes(found) == {"theme_shop": 10, "t_card": 3}
    assert [row["level"] for row in found["data"]] == [1, 0]
    assert found["n_messages"] == 15


def test_pages_of_topics_hold_each_once(api: Api) -> None:
    first = api.get("/v1/topics", limit=2)
    second = api.get("/v1/topics", limit=2, cursor=first["next"])
    assert [*sizes(first), *sizes(second)] == ["t_parcel", "t_refund", "t_card"]
    assert second["next"] is None


def test_the_trend_counts_every_day_up_to_the_newest_message_and_its_change(api: Api) -> None:
    refunds = api.get("/v1/topics")["data"][1]
    assert [day["count"] for day in refunds["trend"]["days"]] == [1, 1, 0, 2, 0]
    assert refunds["trend"]["days"][0]["date"] == "2026-03-01"
    assert refunds["change"] is None
    assert refunds["first_seen"] == "2026-03-01T23:52:00+00:00"


def test_one_topic_has_its_series_segments_neighbours_and_what_came_before_and_after(api: Api) -> None:
    found = api.get("/v1/topics/t_refund")
    assert (found["label"], found["size"], found["field"]) == ("Refunds", 4, "prompt")
    assert sum(day["size"] for day in found["series"]) == 4
    assert found["segments"] == [
        {
            "field": "plan",
            "values": [
                {"value": "pro", "size": 3, "share": 0.75, "share_of_all": pytest.approx(7 / 15)},
                {"value": "free", "size": 1, "share": 0.25, "share_of_all": pytest.approx(8 / 15)},
            ],
            "n_rest": 0,
            "n_none": 0,
        }
    ]
    (tokens,) = found["numbers"]
    bins = tokens.pop("bins")
    assert sum(each["count"] for each in bins) == tokens["count"] == found["size"] - tokens["n_none"]
    assert [bins[0]["from"], bins[-1]["to"]] == [None, None]
    for each in bins:
        segment = "..".join("" if end is None else f"{end:g}" for end in (each["from"], each["to"]))
        assert api.get("/v1/topics/t_refund", **{"segment.tokens": segment})["size"] == each["count"]
    assert tokens == {
        "field": "tokens",
        "count": 4,
        "n_none": 0,
        "min": 11.0,
        "max": 33.0,
        "mean": 19.25,
        "quantiles": {
            "0.05": pytest.approx(11.3),
            "0.25": 12.5,
            "0.5": 16.5,
            "0.75": 23.25,
            "0.95": pytest.approx(31.05),
        },
        "sum": 77.0,
        "mean_of_all": pytest.approx(247 / 15),
    }
    assert [each["topic_id"] for each in found["neighbours"]] == ["t_card", "t_parcel"]
    assert [(each["topic_id"], each["count"]) for each in found["before"]] == [("t_parcel", 4)]
    assert [(each["topic_id"], each["count"], each["label"]) for each in found["after"]] == [
        ("t_parcel", 2, "Parcel tracking"),
        ("end", 1, "End"),
        ("t_card", 1, "Declined cards"),
    ]


def test_one_topic_takes_the_filters_too_and_may_be_a_theme(api: Api) -> None:
    assert api.get("/v1/topics/t_refund", name="voice")["size"] == 1
    assert api.get("/v1/topics/t_card", name="voice")["size"] == 0
    theme = api.get("/v1/topics/theme_shop")
    assert (theme["size"], theme["level"], theme["neighbours"]) == (10, 1, [])


def test_a_topic_or_field_that_is_not_there_is_404_and_a_field_that_is_not_text_is_named(api: Api) -> None:
    assert api.get("/v1/topics/t_none", status=404)["field"] == "topic_id"
    assert api.get("/v1/topics/t_card", field="plan", status=404)["code"] == "INVALID_REQUEST"
    assert api.get("/v1/topics", field="absent", status=404)["field"] == "field"
    assert "type enum" in api.get("/v1/topics", field="plan", status=400)["error"]
