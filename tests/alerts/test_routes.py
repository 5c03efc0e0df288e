"""`/v1/alerts`: read with a read key, written with an admin key, each project by itself, nonsense refused."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.alerts.conftest import Receiver, Shop
from turret_api.accounts import NewProject
from turret_api.app import create_app

SLACK = {"kind": "slack", "address": "https://hooks.slack.example/services/T0/B0/s3cret"}
QUIET = {"from": "22:00", "to": "07:00", "zone": "Europe/Berlin", "weekends": True}


@dataclasses.dataclass
class Api:
    """The API over the shop, and its keys."""

    client: TestClient
    keys: dict[str, str]
    other: NewProject

    def send(self, method: str, path: str, body: Any = None, *, key: str = "admin", status: int = 200) -> Any:
        headers = {"X-API-Key": self.keys.get(key, key)}
        answer = self.client.request(method, f"/v1/alerts{path}", json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def api(shop: Shop) -> Iterator[Api]:
    keys = {scope: shop.accounts.create_key(shop.project_id, scope).key for scope in ("admin", "read", "write")}
    other = shop.accounts.create_project("other")
    with TestClient(create_app(shop.settings, shop.accounts)) as client:
        yield Api(client, keys, other)


def test_rules_and_targets_are_added_changed_and_removed(api: Api) -> None:
    target = api.send("POST", "/targets", {**SLACK, "quiet": QUIET, "digest": {"every": "day", "hour": 9}})
    assert target["address"] == "https://hooks.slack.example/…cret" and target["secret"] is None
    assert target["quiet"] == QUIET and (target["digest"]["every"], target["digest"]["days"]) == ("day", 7)
    rule = api.send("POST", "/rules", {"kind": "friction", "targets": [target["target_id"]]})
    assert (rule["name"], rule["urgent"], rule["targets"]) == ("friction", False, [target["target_id"]])
    assert api.send("GET", "/rules", key="read")["data"] == [rule]
    changed = api.send("PUT", f"/rules/{rule['rule_id']}", {"kind": "outcome", "filters": {"direction": "down"}})
    assert changed == rule | {"kind": "outcome", "name": "outcome", "targets": None, "filters": changed["filters"]}
    assert changed["filters"]["direction"] == "down"
    told = {name: changed[name] for name in ("kind", "name", "targets", "urgent", "filters")}
    assert api.send("PUT", f"/rules/{rule['rule_id']}", told) == changed
    renamed = api.send("PUT", f"/targets/{target['target_id']}", {"name": "Team  chat"})
    assert (renamed["name"], renamed["quiet"], renamed["digest"]) == ("Team chat", None, None)
    assert api.send("DELETE", f"/rules/{rule['rule_id']}") == changed
    assert api.send("DELETE", f"/targets/{target['target_id']}") == renamed
    assert [api.send("GET", path)["data"] for path in ("", "/rules", "/targets", "/deliveries")] == [[]] * 4


def test_a_webhooks_secret_is_shown_once(api: Api) -> None:
    made = api.send("POST", "/targets", {"kind": "webhook", "address": "https://example.com/hook/token"})
    assert made["secret"].startswith("whsec_") and made["address"] == "https://example.com/…oken"
    assert "secret" not in api.send("GET", "/targets")["data"][0]
    assert made["secret"] not in api.client.get("/v1/alerts/targets", headers={"X-API-Key": api.keys["admin"]}).text


NONSENSE: list[tuple[str, Any, str]] = [
    ("/rules", {"kind": "weather"}, "kind"),
    ("/rules", {}, "kind"),
    ("/rules", {"kind": "volume", "filters": {"topic_id": "t"}}, "filters.topic_id"),
    ("/rules", {"kind": "freshness", "filters": {"days": 8}}, "filters.days"),
    ("/rules", {"kind": "silence", "filters": {"hours": 0}}, "filters.hours"),
    ("/rules", {"kind": "new_topic", "filters": {"days": 91}}, "filters.days"),
    ("/rules", {"kind": "new_topic", "filters": {"least_change": "NaN"}}, "filters.least_change"),
    ("/rules", {"kind": "new_topic", "filters": {"colour": "red"}}, "filters.colour"),
    ("/rules", {"kind": "new_topic", "name": "\u200b"}, "name"),
    ("/rules", {"kind": "new_topic", "name": "x" * 101}, "name"),
    ("/targets", {"kind": "pager", "address": "https://example.com"}, "kind"),
    ("/targets", {"kind": "webhook", "address": "ftp://example.com"}, "address"),
    ("/targets", {"kind": "webhook"}, "address"),
    ("/targets", {"kind": "email", "address": "a@b.example"}, "kind"),
    ("/targets", {"kind": "email", "address": "nobody"}, "address"),
    ("/targets", {**SLACK, "quiet": {**QUIET, "zone": "Mars/Olympus"}}, "quiet.zone"),
    ("/targets", {**SLACK, "quiet": {**QUIET, "zone": "../../etc/passwd"}}, "quiet.zone"),
    ("/targets", {**SLACK, "quiet": {**QUIET, "to": "24:00"}}, "quiet.to"),
    ("/targets", {**SLACK, "quiet": {**QUIET, "to": "22:00"}}, "quiet"),
    ("/targets", {**SLACK, "digest": {"every": "hour"}}, "digest.every"),
    ("/targets", {**SLACK, "digest": {"hour": 24}}, "digest.hour"),
]
"""Path, body, and the key at fault."""


def test_what_makes_no_sense_is_refused_with_the_key_at_fault(api: Api) -> None:
    for path, body, at_fault in NONSENSE:
        assert api.send("POST", path, body, status=400)["field"] == at_fault, (path, body)
        assert api.send("GET", path)["data"] == []


WRITES = [
    ("POST", "/rules", {"kind": "friction"}),
    ("PUT", "/rules/rule_1", {"kind": "friction"}),
    ("DELETE", "/rules/rule_1", None),
    ("POST", "/targets", SLACK),
    ("PUT", "/targets/target_1", {"name": "x"}),
    ("DELETE", "/targets/target_1", None),
    ("POST", "/targets/target_1/test", None),
    ("POST", "/deliveries/msg_1/send", None),
]


def test_only_an_admin_key_writes_and_what_is_not_there_is_not_found(api: Api) -> None:
    for method, path, body in WRITES:
        for key in ("read", "write", "nonsense"):
            api.send(method, path, body, key=key, status=401)
        api.send(method, path, {"nonsense": 1}, key="read", status=401)
        if "_1" in path:
            api.send(method, path, body, status=404)


def test_a_project_sees_and_changes_nothing_of_another(api: Api, shop: Shop) -> None:
    target = api.send("POST", "/targets", SLACK)
    rule = api.send("POST", "/rules", {"kind": "new_topic"})
    shop.build(17, new_from=9)
    shop.store.remove_target(shop.project_id, target["target_id"])
    target = api.send("POST", "/targets", {"kind": "webhook", "address": "http://127.0.0.1:1/"})
    shop.run()
    for path in ("", "/rules", "/targets", "/deliveries"):
        assert len(api.send("GET", path, key="read")["data"]) == 1, path
        assert api.send("GET", path, key=api.other.read_key)["data"] == []
    for method, path, body in WRITES[1:]:
        there = path.replace("rule_1", rule["rule_id"]).replace("target_1", target["target_id"])
        if there != path:
            api.send(method, there, body, key=api.other.admin_key, status=404)
    foreign = {"kind": "friction", "targets": [target["target_id"]]}
    assert api.send("POST", "/rules", foreign, key=api.other.admin_key, status=404)["field"] == "targets"
    assert len(api.send("GET", "/rules")["data"]) == 1


@pytest.mark.slow
def test_what_was_found_and_sent_is_listed_page_by_page_and_dead_letters_go_again(
    api: Api, shop: Shop, receiver: Receiver
) -> None:
    target = api.send("POST", "/targets", {"kind": "webhook", "address": receiver.url, "name": "Pager"})
    receiver.statuses = [410]
    tested = api.send("POST", f"/targets/{target['target_id']}/test")
    assert (tested["state"], tested["kind"], tested["error"]) == ("dead", "test", "127.0.0.1 answered 410 Gone")
    assert api.send("GET", "/targets")["data"][0]["disabled_for"] == "127.0.0.1 answered 410 Gone"
    api.send("PUT", f"/targets/{target['target_id']}", {"name": "Pager"})
    assert api.send("POST", f"/targets/{target['target_id']}/test")["state"] == "sent"
    for kind in ("new_topic", "growing_topic"):
        api.send("POST", "/rules", {"kind": kind})
    shop.build(17, new_from=9)
    receiver.statuses = [500] * 8
    for _ in range(8):
        shop.run()
        for each in shop.outbox.deliveries(shop.project_id, "waiting"):
            shop.now = each.next_at
    page = api.send("GET", "?limit=1", key="read")
    assert page["data"][0]["sentence"] == "“Declined cards” is new: 50% of sessions, 0% before."
    rest = api.send("GET", f"?limit=1&cursor={page['next']}", key="read")
    assert rest["next"] is None and rest["data"][0]["alert_id"] != page["data"][0]["alert_id"]
    assert [len(api.send("GET", f"?state={state}")["data"]) for state in ("open", "ended")] == [2, 0]
    dead = [each for each in api.send("GET", "/deliveries?state=dead")["data"] if each["kind"] == "alert"]
    assert [(each["n_attempts"], each["next_at"]) for each in dead] == [(8, None)]
    assert api.send("POST", f"/deliveries/{dead[0]['delivery_id']}/send")["state"] == "waiting"
    shop.now = dt.datetime.now(dt.UTC)
    assert shop.run()["sent"] == 1
    api.send("POST", f"/deliveries/{dead[0]['delivery_id']}/send", status=404)
    assert api.send("GET", "?state=all", status=400)["field"] == "state"
    assert api.send("GET", "?cursor=made-up", status=400)["field"] == "cursor"
    assert api.send("GET", "/rules?limit=1", status=400)["field"] == "limit"


def test_an_id_that_no_thing_can_have_is_not_found(api: Api) -> None:
    for strange in ("%00", "%F0%9F%98%80", "x" * 500, "..%2Frules"):
        for method, path, body in WRITES:
            given = path.split("/")
            if "_1" in path:
                given[2] = strange
                headers = {"X-API-Key": api.keys["admin"]}
                answer = api.client.request(method, "/v1/alerts" + "/".join(given), json=body, headers=headers)
                assert answer.status_code in (404, 405), answer.text


def test_a_body_that_is_no_json_is_told_as_such(api: Api) -> None:
    headers = {"X-API-Key": api.keys["admin"], "Content-Type": "application/json"}
    answer = api.client.post("/v1/alerts/rules", content=b'{"kind": friction}', headers=headers)
    told = "The body is not valid JSON: expecting value."
    assert (answer.status_code, answer.json()["error"], answer.json().get("field")) == (400, told, None)
