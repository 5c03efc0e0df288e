"""Every route that the OpenAPI document names, with every kind of key and every kind of id, over real accounts.

New routes are covered by being in the document. The other project's every word holds the canary; an answer to this
project's keys never does, and a question about another's things is answered as one about things that do not exist.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance, unsupported_method
from sqlalchemy import insert

from tests.read.conftest import CANARY, SESSIONS, N, P, R, topics, write_lake
from turret_api.accounts import Accounts
from turret_api.accounts.tables import ERASURES
from turret_api.app import create_app
from turret_api.command.export import VIEWS, rows_of
from turret_api.read.engine.library import Library
from turret_pipeline.lake import store
from turret_pipeline.lake.tables import FIELD_OVERRIDES, FIELD_TYPES, TABLES, TOPICS
from turret_pipeline.settings import Settings

IDS = {
    "topic_id": ("t_parcel", f"t_{CANARY}", "t_absent"),
    "field": ("plan", f"{CANARY}_field", "absent"),
    "session_id": ("s1", f"{CANARY}-session", "absent"),
    "target_id": ("target_1", f"target_{CANARY}", "absent"),
    "erasure_id": ("era_1", f"era_{CANARY}", "absent"),
    "delivery_id": ("msg_1", f"msg_{CANARY}", "absent"),
}
"""By name of a parameter: an id of this project's, of the other's, and of nobody's."""
KINDS = ("own", "foreign", "absent")
ADMIN_ONLY = (
    "/v1/audit",
    "/v1/erasures",
    "/v1/erasures/{erasure_id}",
    "/v1/keeping",
    "/v1/keys",
    "/v1/masking",
    "/v1/people",
)
"""What a read key may not even look at."""


@dataclass
class Tenants:
    """The application over a lake of two projects, with their keys: `read`, `admin`, `write`, `other` and bad ones."""

    client: TestClient
    document: dict[str, Any]
    keys: dict[str, str]
    project_id: str
    library: Library

    def operations(self, *methods: str) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
        for path, item in self.document["paths"].items():
            for method in methods:
                if path.startswith("/v1/") and method in item:
                    yield method, path, item[method].get("parameters", [])

    def ask(self, method: str, path: str, key: str, params: dict[str, str] | None = None, **more: Any):
        headers = {"X-API-Key": self.keys[key]} if key != "none" else {}
        return self.client.request(method, path, params=params, headers=headers, **more)


@pytest.fixture(scope="module")
def tenants(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    home = Settings.from_environment({"TURRET_HOME": str(tmp_path_factory.mktemp("matrix"))})
    accounts = Accounts(database_url)
    accounts.migrate()
    now = f"{dt.datetime.now(dt.UTC):%H%M%S%f}"
    mine, other = accounts.create_project(f"Mine {now}", "pro"), accounts.create_project(f"Other {now}", "pro")
    lake = home.open_lake()
    write_lake(lake, mine.project_id, SESSIONS)
    write_lake(lake, other.project_id, {f"{CANARY}-session": [f"The {CANARY} sings at dawn", P, R, N]})
    topic = topics(other.project_id).head(1)
    store.append(lake, TOPICS, topic.with_columns(topic_id=pl.lit(f"t_{CANARY}"), label=pl.lit(f"A {CANARY}")))
    field = store.read(lake, FIELD_TYPES, other.project_id).head(1)
    store.append(lake, FIELD_TYPES, field.with_columns(field=pl.lit(f"{CANARY}_field")))
    with accounts.engine.begin() as connection:
        for erasure_id, of in (("era_1", mine), (f"era_{CANARY}", other)):
            row = {"erasure_id": erasure_id, "project_id": of.project_id, "kind": "user", "hash": "", "state": "done"}
            connection.execute(insert(ERASURES).values(row))
    keys = {
        "read": mine.read_key,
        "admin": mine.admin_key,
        "write": mine.write_key,
        "other": other.read_key,
        "made up": mine.read_key[:-3] + "abc",
        "garbage": "x",
        "long": "k" * 5000,
    }
    with TestClient(create_app(home, accounts)) as client:
        yield Tenants(client, client.get("/openapi.json").json(), keys, mine.project_id, Library(lake))
    accounts.close()


def filled(path: str, kind: int) -> str:
    for name, ids in IDS.items():
        path = path.replace(f"{{{name}}}", ids[kind])
    return path.split("{")[0] + ("absent" if "{" in path else "")


def required(parameters: list[dict[str, Any]]) -> dict[str, str]:
    names = [each["name"] for each in parameters if each["in"] == "query" and each.get("required")]
    asked = {name: IDS.get(name, ("t_parcel",))[0] for name in names}
    sides = [each["name"].split(".")[0] for each in parameters if each["name"].endswith(".segment.<field>")]
    return {**asked, **{f"{side}.segment.plan": plan for side, plan in zip(sides, ("free", "pro"), strict=False)}}


def test_only_keys_that_may_read_are_told_anything_and_only_admin_keys_change_anything(tenants: Tenants) -> None:
    asked = 0
    for method, path, parameters in tenants.operations("get", "patch", "post", "delete", "put"):
        for key in ("none", "write", "made up", "garbage", "long", *(() if method == "get" else ("read",))):
            answer = tenants.ask(method.upper(), filled(path, 0), key, required(parameters), json={})
            assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_API_KEY"), (method, path, key)
            asked += 1
    assert asked >= 60


@pytest.mark.slow
def test_of_another_projects_things_nothing_is_told_that_is_not_told_of_absent_ones(tenants: Tenants) -> None:
    for (_, path, parameters), key in itertools.product(tenants.operations("get"), ("read", "admin")):
        answers = {kind: tenants.ask("GET", filled(path, i), key, required(parameters)) for i, kind in enumerate(KINDS)}
        assert CANARY not in answers["own"].text, path
        if path in ADMIN_ONLY and key == "read":
            assert {each.status_code for each in answers.values()} == {401}
            continue
        assert answers["own"].status_code in (200, 403), (path, answers["own"].text)
        if "{" in path:
            _same_as_absent(answers["foreign"], answers["absent"])
            assert answers["absent"].status_code == 404
            others_own = tenants.ask("GET", filled(path, 1), "other", required(parameters))  # with a read key
            assert others_own.status_code in ((401,) if path in ADMIN_ONLY else (200, 404))
        for parameter in parameters:
            if parameter["in"] == "query" and (
                ids := IDS.get(
                    {
                        "topic_id": "topic_id",
                        "steps": "topic_id",
                        "from_topic": "topic_id",
                        "to_topic": "topic_id",
                        "number": "field",
                    }.get(parameter["name"], parameter["name"])
                )
            ):
                foreign, absent = (
                    tenants.ask("GET", filled(path, 0), key, {**required(parameters), parameter["name"]: each})
                    for each in ids[1:]
                )
                _same_as_absent(foreign, absent)
        if any(each["name"] == "from" for each in parameters):
            segment = {**required(parameters), f"segment.{CANARY}_field": CANARY}
            assert CANARY not in tenants.ask("GET", filled(path, 0), key, segment).text


def _same_as_absent(foreign: Any, absent: Any) -> None:
    assert foreign.status_code == absent.status_code
    for asked, nobodys in ((ids[1], ids[2]) for ids in IDS.values()):
        foreign_text = foreign.text.replace(asked, nobodys)
        if CANARY not in foreign_text:
            assert foreign_text == absent.text
            return
    raise AssertionError(foreign.text)


def test_an_admin_key_changes_nothing_of_another_project(tenants: Tenants) -> None:
    for body in ({"type": "text"}, {"type": None}):
        foreign, absent = (tenants.ask("PATCH", f"/v1/fields/{each}", "admin", json=body) for each in IDS["field"][1:])
        assert foreign.status_code == 404
        _same_as_absent(foreign, absent)
    for action, value in (("rename", "x"), ("hide", "true"), ("merge", "t_parcel")):
        bodies = [{"topic_id": each, "action": action, "value": value} for each in IDS["topic_id"][1:]]
        foreign, absent = (tenants.ask("POST", "/v1/topics/edits", "admin", json=body) for body in bodies)
        assert foreign.status_code == 404
        _same_as_absent(foreign, absent)
    assert store.read(tenants.library.lake, FIELD_OVERRIDES, tenants.project_id).is_empty()


def test_no_table_of_a_project_and_no_export_of_it_holds_a_word_of_another(tenants: Tenants) -> None:
    snapshot = tenants.library.snapshot(tenants.project_id)
    n_rows = 0
    for name in (*VIEWS, *TABLES):
        rows = rows_of(snapshot, name, None)
        n_rows += rows.height
        assert CANARY not in rows.write_ndjson(), name
    assert n_rows > 50


@pytest.mark.slow
def test_whatever_is_asked_is_answered_as_the_document_says_and_never_with_a_5xx(tenants: Tenants) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", tenants.client.app)
    schema = schema.include(path_regex="^/v1/", method=["GET", "PATCH", "POST", "DELETE"])
    seen: set[int] = set()
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=10,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        )
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            answer = case.call(headers={"X-API-Key": tenants.keys["admin"]})
            seen.add(answer.status_code)
            assert answer.status_code < 500
            # What JSON Schema cannot say (a topic's id, a cursor, from before to) is refused though it fits the schema.
            case.validate_response(answer, excluded_checks=[ignored_auth, positive_data_acceptance, unsupported_method])

        check()
    assert seen >= {200, 400, 404}
