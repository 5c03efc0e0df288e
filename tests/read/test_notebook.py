"""Annotations, notes and saved views: in force at once, through merges and refits, and taken away; by admins alone."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.read.conftest import SESSIONS, Api, write_lake
from turret_api.dashboard.routes import PAGES
from turret_api.errors import ApiError
from turret_api.read.notebook import page_address
from turret_pipeline.lake import store
from turret_pipeline.lake.tables import ANNOTATIONS, SAVED_VIEWS, TOPIC_LINEAGE, TOPIC_NOTES, TOPICS

RELEASE = {"date": "2026-03-02", "kind": "release", "text": "Version 2"}
CAMPAIGN = {"date": "2026-03-01", "until": "2026-03-03", "text": "Spring sale"}


def send(
    api: Api, method: str, path: str, body: dict[str, Any] | None = None, *, key: str = "shop:admin", status: int = 200
) -> dict[str, Any]:
    answer = api.client.request(method, path, json=body, headers={"X-API-Key": key})
    assert answer.status_code == status, answer.text
    # The API writes UTC in two ways: a change is answered with a Z.
    return {
        key: f"{value.removesuffix('Z')}+00:00" if key.endswith("_at") and value.endswith("Z") else value
        for key, value in answer.json().items()
    }


def texts(api: Api, path: str, **params: object) -> list[str]:
    return [each["text"] for each in api.get(path, **params)["data"]]


def lineage(api: Api, *ways: tuple[int, str, str, str | None, float]) -> None:
    """Write what became of topics: fit, kind, from, to, share."""
    rows = [
        {
            "project_id": "shop",
            "field": "prompt",
            "model_version": version,
            "kind": kind,
            "from_topic": gone,
            "to_topic": to,
            "from_label": gone,
            "to_label": to,
            "n_texts": 5,
            "share": share,
        }
        for version, kind, gone, to, share in ways
    ]
    store.replace(api.lake, TOPIC_LINEAGE, pl.DataFrame(rows, schema=TOPIC_LINEAGE.schema), "shop")


def without_topic(api: Api, topic_id: str) -> None:
    left = store.read(api.lake, TOPICS, "shop").filter(pl.col("topic_id") != topic_id)
    store.replace(api.lake, TOPICS, left, "shop")


def test_annotations_are_in_force_at_once_in_order_of_their_days_until_they_are_taken_away(own_api: Api) -> None:
    release = send(own_api, "POST", "/v1/annotations", RELEASE)
    campaign = send(own_api, "POST", "/v1/annotations", CAMPAIGN)
    assert own_api.get("/v1/annotations")["data"] == [campaign, release]
    assert own_api.get("/v1/annotations", kind="release")["data"] == [release]
    assert (campaign["until"], campaign["kind"]) == ("2026-03-03", None)
    assert send(own_api, "DELETE", f"/v1/annotations/{campaign['annotation_id']}") == campaign
    assert own_api.get("/v1/annotations")["data"] == [release]
    send(own_api, "DELETE", f"/v1/annotations/{campaign['annotation_id']}", status=404)
    assert store.read(own_api.lake, ANNOTATIONS, "shop").height == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"text": " \u200b"}, "text"),
        ({"text": "x" * 201}, "text"),
        ({"text": "a\x00b"}, "text"),
        ({"until": "2026-03-01"}, "until"),
        ({"date": "yesterday"}, "date"),
        ({"kind": "party"}, "kind"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_an_annotation_that_makes_no_sense_is_refused(own_api: Api, change: dict[str, str], at: str) -> None:
    assert send(own_api, "POST", "/v1/annotations", RELEASE | change, status=400)["field"].endswith(at)
    assert own_api.get("/v1/annotations")["data"] == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/annotations", RELEASE),
        ("DELETE", "/v1/annotations/ann_1", None),
        ("POST", "/v1/topics/t_card/notes", {"text": "Look here"}),
        ("DELETE", "/v1/topics/t_card/notes/note_1", None),
        ("POST", "/v1/views", {"name": "Cards", "address": "/topics"}),
        ("PUT", "/v1/views/view_1", {"name": "Cards", "address": "/topics"}),
        ("DELETE", "/v1/views/view_1", None),
    ],
)
def test_only_an_admin_key_writes_down_and_takes_away(
    own_api: Api, method: str, path: str, body: dict[str, Any] | None
) -> None:
    for key in ("shop:read", "shop:write", "nonsense"):
        send(own_api, method, path, body, key=key, status=401)


@pytest.mark.slow
def test_a_project_sees_nothing_that_another_wrote_down(own_api: Api) -> None:
    made = send(own_api, "POST", "/v1/annotations", RELEASE)
    note = send(own_api, "POST", "/v1/topics/t_card/notes", {"text": "Look here"})
    view = send(own_api, "POST", "/v1/views", {"name": "Cards", "address": "/topics"})
    for path in ("/v1/annotations", "/v1/topics/notes", "/v1/topics/t_card/notes", "/v1/views"):
        assert own_api.get(path, key="other:read")["data"] == []
        assert len(own_api.get(path, key="shop:admin")["data"]) == 1
    send(own_api, "DELETE", f"/v1/annotations/{made['annotation_id']}", key="other:admin", status=404)
    send(own_api, "DELETE", f"/v1/topics/t_card/notes/{note['note_id']}", key="other:admin", status=404)
    send(own_api, "DELETE", f"/v1/views/{view['view_id']}", key="other:admin", status=404)


def test_a_note_is_on_its_topic_and_on_the_one_that_it_is_merged_into(own_api: Api) -> None:
    send(own_api, "POST", "/v1/topics/t_card/notes", {"text": "first\nand second line"})
    send(own_api, "POST", "/v1/topics/t_refund/notes", {"text": "of refunds"})
    assert texts(own_api, "/v1/topics/t_card/notes") == ["first\nand second line"]
    edit = {"topic_id": "t_card", "action": "merge", "value": "t_refund"}
    send(own_api, "POST", "/v1/topics/edits", edit)
    for topic in ("t_card", "t_refund"):
        assert texts(own_api, f"/v1/topics/{topic}/notes") == ["of refunds", "first\nand second line"]
    late = send(own_api, "POST", "/v1/topics/t_card/notes", {"text": "late"})
    assert (late["topic_id"], late["on_topic"]) == ("t_card", "t_refund")
    send(own_api, "DELETE", f"/v1/topics/t_refund/notes/{late['note_id']}")
    send(own_api, "POST", "/v1/topics/edits", edit | {"value": None})
    assert texts(own_api, "/v1/topics/t_card/notes") == ["first\nand second line"]
    assert texts(own_api, "/v1/topics/t_refund/notes") == ["of refunds"]


def test_a_note_goes_through_refits_to_what_most_of_its_topic_became(own_api: Api) -> None:
    send(own_api, "POST", "/v1/topics/t_card/notes", {"text": "a note"})
    write_lake(own_api.lake, "shop", SESSIONS, model_version=2)
    assert texts(own_api, "/v1/topics/t_card/notes") == ["a note"]
    without_topic(own_api, "t_card")
    lineage(
        own_api,
        (2, "split", "t_card", "t_parcel", 0.2),
        (2, "merge", "t_card", "t_between", 0.8),
        (3, "merge", "t_between", "t_refund", 0.9),
        (4, "carry", "t_refund", "t_refund", 1.0),
    )
    assert texts(own_api, "/v1/topics/t_refund/notes") == ["a note"]
    assert texts(own_api, "/v1/topics/t_parcel/notes") == []
    own_api.get("/v1/topics/t_card/notes", status=404)


def test_a_note_on_a_topic_that_ended_is_still_among_all_notes(own_api: Api) -> None:
    send(own_api, "POST", "/v1/topics/t_card/notes", {"text": "a note"})
    without_topic(own_api, "t_card")
    lineage(own_api, (2, "end", "t_card", None, 1.0))
    (found,) = own_api.get("/v1/topics/notes")["data"]
    assert (found["topic_id"], found["on_topic"], found["text"]) == ("t_card", None, "a note")


@pytest.mark.parametrize(("text", "status"), [("", 400), (" \u200b ", 400), ("x" * 2001, 400), ("x" * 2000, 200)])
def test_a_note_has_from_one_to_2000_characters(own_api: Api, text: str, status: int) -> None:
    send(own_api, "POST", "/v1/topics/t_card/notes", {"text": text}, status=status)


def test_a_note_on_no_topic_is_refused(own_api: Api) -> None:
    send(own_api, "POST", "/v1/topics/t_none/notes", {"text": "x"}, status=404)
    own_api.get("/v1/topics/t_none/notes", status=404)
    assert store.read(own_api.lake, TOPIC_NOTES, "shop").is_empty()


@pytest.mark.slow
def test_views_have_names_of_their_own_can_be_renamed_and_taken_away(own_api: Api) -> None:
    cards = send(
        own_api, "POST", "/v1/views", {"name": " Cards  in March ", "address": "/topics?q=a+card&project=shop"}
    )
    assert (cards["name"], cards["address"]) == ("Cards in March", "/topics?q=a+card")
    taken = send(own_api, "POST", "/v1/views", {"name": "cards IN march", "address": "/"}, status=400)
    assert taken["field"] == "name"
    about = send(own_api, "POST", "/v1/views", {"name": "about", "address": "/"})
    assert [each["name"] for each in own_api.get("/v1/views")["data"]] == ["about", "Cards in March"]
    body = {"name": "CARDS in March", "address": "/journeys"}
    changed = send(own_api, "PUT", f"/v1/views/{cards['view_id']}", body)
    assert (changed["view_id"], changed["written_at"]) == (cards["view_id"], cards["written_at"])
    assert own_api.get("/v1/views")["data"] == [about, changed]
    send(own_api, "PUT", f"/v1/views/{about['view_id']}", body, status=400)
    send(own_api, "PUT", "/v1/views/view_none", body | {"name": "new"}, status=404)
    assert send(own_api, "DELETE", f"/v1/views/{cards['view_id']}") == changed
    assert own_api.get("/v1/views")["data"] == [about]
    send(own_api, "POST", "/v1/views", body)
    assert store.read(own_api.lake, SAVED_VIEWS, "shop").height == 5


@pytest.mark.parametrize("page", PAGES)
def test_every_page_of_the_dashboard_can_be_saved(page: str) -> None:
    address = page.replace("{topic_id:id}", "t%2F1").replace("{session_id:id}", "").replace("{section}", "keys")
    assert page_address(address) == address
    assert page_address(f"{address}?project=shop") == address
    assert page_address(f"{address}?segment.a=%26&segment.a=b") == f"{address}?segment.a=%26&segment.a=b"


@pytest.mark.parametrize(
    "address",
    [
        "https://elsewhere.example/topics",
        "//elsewhere.example/topics",
        "/\\elsewhere.example",
        "javascript:alert(1)",
        "topics",
        "",
        "/v1/topics",
        "/sign-out",
        "/topics/../v1/topics",
        "/topics/..",
        "/topics/%2e%2e",
        "/topics/%5c",
        "/topics/a/b",
        "/topics#x",
        "/topics?a=\n",
    ],
)
def test_an_address_that_leads_anywhere_but_to_a_page_is_refused(address: str) -> None:
    with pytest.raises(ApiError):
        page_address(address)


def test_what_was_written_down_is_exported_and_read_as_a_file(own_api: Api, tmp_path: Path) -> None:
    send(own_api, "POST", "/v1/annotations", RELEASE)
    answer = own_api.client.get("/v1/annotations", params={"format": "csv"}, headers={"X-API-Key": "shop:read"})
    head, row = answer.text.splitlines()
    assert head == "annotation_id,date,until,kind,text,author,written_at"
    assert row.split(",")[1:5] == ["2026-03-02", "", "release", "Version 2"]
    earlier = (dt.datetime.now(dt.UTC) - dt.timedelta(days=1)).isoformat()
    assert own_api.get("/v1/annotations", as_of=earlier)["data"] == []
