"""How long texts are kept, and what answers say of those that are gone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from tests.duck import Run, run_sql
from tests.read.conftest import Api
from tests.read.gone import let_go
from tests.read.reading import GivenKeys
from turret_api.accounts import audit
from turret_api.read.http import keeping as routes
from turret_pipeline.lake import store
from turret_pipeline.lake.tables import REMOVALS, RETENTION_RULES

GONE_DAY = dt.date(2026, 3, 1)
"""The first day of receipt: that of the session s1."""

__all__ = ["run_sql"]

Entries = list[tuple[str | None, str, str, dict]]


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> Iterator[Entries]:
    """What the audit log is told; the accounts of these tests cannot be reached."""
    told: Entries = []

    def record(_: object, project_id: str | None, actor: str, action: str, about: dict) -> None:
        assert action in audit.ACTIONS
        told.append((project_id, actor, action, about))

    monkeypatch.setattr(routes, "record", record)
    yield told


def put(api: Api, choice: object, status: int = 200, key: str = "shop:admin") -> dict:
    answer = api.client.put("/v1/keeping", json=choice, headers={"X-API-Key": key})
    assert answer.status_code == status, answer.text
    return answer.json()


def test_at_first_everything_is_kept(api: Api) -> None:
    assert api.get("/v1/keeping", key="shop:admin") == {"days": None, "fields": {}, "n_due": 0, "removals": []}


def test_an_owner_chooses_for_how_long_and_takes_it_back(own_api: Api, entries: Entries) -> None:
    found = put(own_api, {"days": 90, "fields": {"prompt": 30}})
    assert (found["days"], found["fields"]) == (90, {"prompt": 30})
    assert found["n_due"] == 15
    assert own_api.get("/v1/keeping", key="shop:admin") == found
    assert put(own_api, {"days": 90})["fields"] == {}
    assert put(own_api, {"days": None}) == {"days": None, "fields": {}, "n_due": 0, "removals": []}
    rows = store.read(own_api.lake, RETENTION_RULES, "shop").sort("decided_at").select("field", "days").rows()
    assert rows == [(None, 90), ("prompt", 30), ("prompt", None), (None, None)]
    assert entries[0] == (
        "shop",
        GivenKeys().find("shop:admin").actor,  # type: ignore[union-attr]
        "setting_changed",
        {"setting": "keeping", "days": 90, "fields": {"prompt": 30}},
    )
    assert len(entries) == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("choice", "status", "words"),
    [
        ({}, 400, "days"),
        ({"days": 0}, 400, "days"),
        ({"days": "30"}, 400, "days"),
        ({"days": 30.5}, 400, "days"),
        ({"days": 30, "hours": 3}, 400, "hours"),
        ({"days": 30, "fields": {"prompt": 31}}, 400, "after 30 days all texts are removed"),
        ({"days": None, "fields": {"plan": 3}}, 400, "its values are counted, and stay"),
        ({"days": None, "fields": {"absent": 3}}, 404, "There is no field 'absent'"),
    ],
    ids=str,
)
def test_a_rule_that_makes_no_sense_is_refused_and_changes_nothing(
    own_api: Api, entries: Entries, choice: dict, status: int, words: str
) -> None:
    assert words in str(put(own_api, choice, status))
    assert store.read(own_api.lake, RETENTION_RULES, "shop").is_empty()
    assert entries == []


def test_only_an_owner_may_see_and_change_it(own_api: Api) -> None:
    own_api.get("/v1/keeping", status=401)
    put(own_api, {"days": 1}, 401, "shop:read")


def test_messages_that_are_gone_say_so_and_count_as_before(own_api: Api) -> None:
    asked = ("/v1/topics", "/v1/journeys", "/v1/events")
    before = [own_api.get(path) for path in asked]
    n_messages = len(own_api.get("/v1/messages")["data"])
    let_go(own_api.lake, "shop", GONE_DAY)
    rows = own_api.get("/v1/messages")["data"]
    assert len(rows) == n_messages
    gone = [row for row in rows if row["text"] is None]
    assert {row["gone"] for row in gone} == {"2026-03-21, after 20 days"}
    assert len(gone) == 5
    assert all(row["gone"] is None for row in rows if row["text"] is not None)
    assert {row["frames"] == [] for row in gone} == {True}
    for path, was in zip(asked, before, strict=True):
        now = own_api.get(path)
        assert {name: now[name] for name in now if name not in ("built_at", "data")} == {
            name: was[name] for name in was if name not in ("built_at", "data")
        }
        for row, earlier in zip(now.get("data", []), was.get("data", []), strict=True):
            assert row.get("size") == earlier.get("size")


def test_a_session_says_what_is_gone(own_api: Api) -> None:
    let_go(own_api.lake, "shop", GONE_DAY)
    rows = own_api.get("/v1/sessions/s1")["data"]
    assert [(row["text"], row["gone"]) for row in rows] == [(None, "2026-03-21, after 20 days")] * 5
    assert [row["topic_id"] for row in rows[:3]] == ["t_parcel", "t_parcel", "t_refund"]


def test_a_text_that_no_rule_removed_was_erased(own_api: Api) -> None:
    let_go(own_api.lake, "shop", GONE_DAY)
    store.replace(own_api.lake, REMOVALS, REMOVALS.empty(), "shop")
    gone = [row["gone"] for row in own_api.get("/v1/messages")["data"] if row["text"] is None]
    assert set(gone) == {"erased"}


def test_a_place_on_the_map_has_no_words_once_they_are_gone(own_api: Api) -> None:
    n_gone = let_go(own_api.lake, "shop", GONE_DAY)
    found = own_api.get("/v1/topics/map")
    assert sum(text is None for text in found["text"]) == n_gone
    assert found["n_texts"] == len(found["text"])


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/sessions/s1"])
def test_its_sql_says_what_is_gone(own_api: Api, run_sql: Run, path: str) -> None:
    let_go(own_api.lake, "shop", GONE_DAY)
    told = own_api.client.get(path, params={"format": "sql"}, headers={"X-API-Key": "shop:read"})
    names = ("event_id", "text", "gone", "topic_id", "sentiment")
    expected = [tuple(row[name] for name in names) for row in own_api.get(path)["data"]]
    assert [tuple(row[name] for name in names) for row in run_sql(told.text)["data"]] == expected
    assert any(row[1:3] == (None, "2026-03-21, after 20 days") for row in expected)
