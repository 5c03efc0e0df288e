"""`/v1/erasures` and `DELETE` of users, sessions and events: asked for by owners, performed by a run of Dagster's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from fastapi.testclient import TestClient

from tests.small_lake import DAYS, bring, event, put
from turret_api.accounts import Accounts
from turret_api.accounts.audit import entries
from turret_api.accounts.privacy import MASKING, set_rule
from turret_api.app import create_app
from turret_api.erasing.book import Book, Receipt
from turret_api.erasing.masked_ids import stored_as
from turret_pipeline.orchestration.definitions import build_definitions
from turret_pipeline.orchestration.erasures import waiting
from turret_pipeline.orchestration.workshop import Workshop
from turret_pipeline.settings import Settings

TEXTS = ("My STRASSE is long", "Mail me", "Which Straße", "What else", "And then", "Or not", "Not in the tables yet")


class Api:
    """The API over one project, with its keys."""

    def __init__(self, settings: Settings, accounts: Accounts, client: TestClient) -> None:
        self.settings, self.accounts, self.client = settings, accounts, client
        made = accounts.create_project("shop")
        self.project_id = made.project_id
        self.keys = {"admin": made.admin_key, "read": made.read_key, "write": made.write_key}
        self.keys["other"] = accounts.create_project("other").admin_key

    def send(self, method: str, path: str, body: Any = None, key: str = "admin", status: int = 202) -> Any:
        headers = {"X-API-Key": self.keys[key]}
        answer = self.client.request(method, f"/v1{path}", json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def api(make_database: Any, tmp_path: Any) -> Iterator[Api]:
    url = make_database()
    settings = Settings.from_environment({"TURRET_HOME": str(tmp_path), "TURRET_DATABASE_URL": url})
    accounts = Accounts(url)
    accounts.migrate()
    with TestClient(create_app(settings, accounts)) as client:
        yield Api(settings, accounts, client)
    accounts.close()


def test_what_is_asked_for_waits_and_can_be_followed_by_owners_only(api: Api) -> None:
    first = api.send("DELETE", "/users/a%2Fb%3Fc?suppress=true")
    assert (first["kind"], first["state"], first["receipt"]) == ("user", "waiting", None)
    asked = [
        first,
        api.send("DELETE", "/sessions/s%201?keep_totals=true"),
        api.send("DELETE", "/events/e1"),
        api.send("POST", "/erasures", {"kind": "texts", "value": "my name is Ärger"}),
    ]
    assert [each["kind"] for each in asked] == ["user", "session", "event", "texts"]
    listed = api.send("GET", "/erasures?limit=3", status=200)
    assert listed["data"] == asked[:0:-1] and listed["next"]
    assert api.send("GET", f"/erasures?limit=3&cursor={listed['next']}", status=200)["data"] == [first]
    assert api.send("GET", f"/erasures/{first['erasure_id']}", status=200) == first
    api.send("GET", f"/erasures/{first['erasure_id']}", key="other", status=404)
    for method, path in (("GET", "/erasures"), ("DELETE", "/users/u"), ("GET", f"/erasures/{first['erasure_id']}")):
        for key in ("read", "write"):
            api.send(method, path, key=key, status=401)
    wanted = [each.wanted for each in Book(api.accounts).unfinished(api.project_id)]
    assert [(each.value, each.suppress, each.keep_totals) for each in wanted if each] == [
        ("a/b?c", True, False),
        ("s 1", False, True),
        ("e1", False, False),
        ("my name is Ärger", False, False),
    ]
    logged = entries(api.accounts, api.project_id)
    assert len(logged) == 4 and all(each.action == "erasure" and each.actor.startswith("key:") for each in logged)
    assert "a/b?c" not in str(logged)
    path, erasure = f"/erasures/{first['erasure_id']}", Book(api.accounts).unfinished(api.project_id)[0]
    for how, state in ((Book.fail, "failed"), (Book.give_up, "given_up")):
        how(Book(api.accounts), erasure, Receipt(by="key:k", suppressed=False, problem="why"))
        assert api.send("GET", path, status=200)["state"] == state


def test_how_much_would_go_is_told_to_owners_and_nothing_is_asked_for(api: Api) -> None:
    lake, day = api.settings.open_lake(), DAYS[0]
    set_rule(api.accounts, api.project_id, MASKING, {"kinds": ["email"], "ids": True, "secret": "00" * 32})
    (masked,) = stored_as(api.accounts, api.project_id, "user", "ann@example.com")
    written = [json.dumps({"prompt": text}, ensure_ascii=False) for text in TEXTS]
    rows = [event(n, day, user_id=masked, metadata=each) for n, each in enumerate(written)]
    put(lake, day, "c0ffee-1-1", rows[:6], api.project_id)
    bring(lake, api.project_id, until="events")
    put(lake, day, "c0ffee-1-2", rows[6:], api.project_id)  # not in the tables yet
    of_user = api.send("DELETE", "/users/ann%40example.com?dry_run=true&suppress=true", status=200)
    waiting_since, built_at = of_user.pop("waiting_since"), of_user.pop("built_at")
    assert waiting_since is not None and built_at is not None
    first, last = "2026-10-01T00:00:00Z", "2026-10-01T00:00:05Z"
    counts = {"n_events": 6, "n_sessions": 2, "n_users": 1}
    assert of_user == {"dry_run": True, "kind": "user", **counts, "first": first, "last": last}

    def n_events(method: str, path: str, body: Any = None) -> int:
        return int(api.send(method, path, body, status=200)["n_events"])

    assert n_events("DELETE", "/sessions/s1?dry_run=true") == 1
    assert n_events("DELETE", "/events/e4?dry_run=true&keep_totals=true") == 1
    assert n_events("DELETE", "/events/nobody?dry_run=true") == 0
    texts = {"kind": "texts", "value": "STRASSE", "dry_run": True}
    assert n_events("POST", "/erasures", texts) == 2
    assert n_events("POST", "/erasures", {**texts, "value": "prompt"}) == 0  # a key
    for key in ("read", "write"):
        api.send("POST", "/erasures", texts, key=key, status=401)
    assert Book(api.accounts).unfinished() == [] and api.send("GET", "/erasures", status=200)["data"] == []
    assert entries(api.accounts, api.project_id) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("DELETE", "/users/", None, "user_id"),
        ("DELETE", f"/users/{'x' * 201}", None, "user_id"),
        ("DELETE", "/users/a%00b", None, "user_id"),
        ("DELETE", f"/sessions/{'x' * 201}?dry_run=true", None, "session_id"),
        ("DELETE", "/events/a%00b", None, "event_id"),
        ("DELETE", "/sessions/a?suppress=true", None, "suppress"),
        ("DELETE", "/users/a?dryrun=true", None, "dryrun"),
        ("POST", "/erasures", {"kind": "texts", "value": ""}, "value"),
        ("POST", "/erasures", {"kind": "texts", "value": " e  "}, "value"),
        ("POST", "/erasures", {"kind": "session", "value": "s", "suppress": True}, "suppress"),
        ("POST", "/erasures", {"kind": "texts", "value": "s", "keep_totals": True}, "keep_totals"),
        ("POST", "/erasures", {"kind": "project", "value": "s"}, "kind"),
        ("POST", "/erasures", {"kind": "texts", "value": "a\u0000b"}, "value"),
    ],
)
def test_what_makes_no_sense_is_refused_by_the_name_that_was_sent_and_nothing_waits(
    api: Api, method: str, path: str, body: Any, field: str
) -> None:
    assert api.send(method, path, body, status=400)["field"] == field
    assert Book(api.accounts).unfinished() == []


@pytest.mark.slow
def test_a_run_starts_when_an_erasure_waits_and_at_no_other_time(api: Api) -> None:
    definitions = build_definitions(Workshop(api.settings))
    sensor = definitions.resolve_sensor_def("erasures")
    with dg.DagsterInstance.ephemeral() as instance:

        def tick() -> dg.SensorResult:
            with dg.build_sensor_context(instance=instance, definitions=definitions) as context:
                found = sensor(context)
            assert isinstance(found, dg.SensorResult)
            return found

        assert "no erasure waits" in str(tick().skip_reason)
        api.send("DELETE", "/users/nobody")
        assert waiting(api.settings) == (1, 1)
        assert len(tick().run_requests or []) == 1
        done = definitions.resolve_job_def("erasures").execute_in_process(instance=instance)
        (event,) = done.asset_materializations_for_node("erased_events")
        assert event.metadata["erasures"].value == 1
        assert "no erasure waits" in str(tick().skip_reason)
        api.send("DELETE", "/users/nobody")
        instance.add_run(dg.DagsterRun("erasures", run_id="r", status=dg.DagsterRunStatus.STARTED))
        assert "under way" in str(tick().skip_reason)
    (told, done_before) = api.send("GET", "/erasures", status=200)["data"]
    assert (told["state"], done_before["state"]) == ("waiting", "done")
    assert done_before["receipt"]["n_events"] == 0 and done_before["receipt"]["problem"] is None
