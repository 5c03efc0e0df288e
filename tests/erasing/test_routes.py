"""`/v1/erasures` and `DELETE` of users, sessions and events: asked for by owners, performed by a run of Dagster's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from fastapi.testclient import TestClient

from turret_api.accounts import Accounts
from turret_api.accounts.audit import entries
from turret_api.app import create_app
from turret_api.erasing.book import Book
from turret_pipeline.orchestration.definitions import build_definitions
from turret_pipeline.orchestration.erasures import waiting
from turret_pipeline.orchestration.workshop import Workshop
from turret_pipeline.settings import Settings


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/users/", None),
        ("DELETE", f"/users/{'x' * 201}", None),
        ("DELETE", "/users/a%00b", None),
        ("DELETE", "/sessions/a?suppress=true", None),
        ("POST", "/erasures", {"kind": "texts", "value": ""}),
        ("POST", "/erasures", {"kind": "texts", "value": " e  "}),
        ("POST", "/erasures", {"kind": "session", "value": "s", "suppress": True}),
        ("POST", "/erasures", {"kind": "texts", "value": "s", "keep_totals": True}),
        ("POST", "/erasures", {"kind": "project", "value": "s"}),
        ("POST", "/erasures", {"kind": "texts", "value": "a\u0000b"}),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_waits(api: Api, method: str, path: str, body: Any) -> None:
    api.send(method, path, body, status=400)
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
