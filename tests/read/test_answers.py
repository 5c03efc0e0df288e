"""What holds for every route: types, tenants, ETags, earlier builds, and questions that make no sense."""

from __future__ import annotations

import datetime as dt
import threading
import time

import pytest
from fastapi.routing import APIRoute
from httpx import Response
from pydantic import TypeAdapter
from starlette.routing import compile_path

from tests.read.conftest import CANARY, SESSIONS, Api, write_lake
from tests.read.reading import NOWHERE, GivenKeys
from turret_api.accounts import Accounts
from turret_api.auth import Gate
from turret_api.freshness import Freshness
from turret_api.read.engine.engine import Engine
from turret_api.read.http.routes import read_router
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import TABLES

ROUTES: dict[str, dict[str, str]] = {
    "/v1/events": {},
    "/v1/fields": {},
    "/v1/fields/history": {"field": "plan"},
    "/v1/fields/plan/history": {},
    "/v1/topics": {},
    "/v1/topics/t_parcel": {},
    "/v1/topics/edits": {},
    "/v1/topics/map": {},
    "/v1/topics/fits": {},
    "/v1/topics/notes": {},
    "/v1/topics/t_parcel/notes": {},
    "/v1/topics/compare": {"a.from": "2026-03-03", "b.to": "2026-03-03"},
    "/v1/messages": {},
    "/v1/changes": {"days": "1"},
    "/v1/digest": {},
    "/v1/annotations": {},
    "/v1/views": {},
    "/v1/friction": {},
    "/v1/outcomes": {},
    "/v1/retention": {},
    "/v1/answers": {},
    "/v1/journeys": {},
    "/v1/journeys/paths": {},
    "/v1/journeys/starts": {},
    "/v1/journeys/drop-offs": {},
    "/v1/journeys/loops": {},
    "/v1/journeys/funnel": {"steps": "t_parcel,t_refund"},
    "/v1/journeys/sessions": {"from_topic": "t_parcel", "to_topic": "t_refund"},
    "/v1/journeys/compare": {"a.segment.plan": "pro", "b.segment.plan": "free"},
    "/v1/journeys/returns": {},
    "/v1/sessions": {"session_id": "s1"},
    "/v1/sessions/s1": {},
}
"""Every route that answers from tables, with what it must be asked."""

OF_ONE = {
    "/v1/fields/history",
    "/v1/fields/plan/history",
    "/v1/topics/t_parcel",
    "/v1/topics/t_parcel/notes",
    "/v1/sessions",
    "/v1/sessions/s1",
}
"""Those that are about one thing, which a project without tables does not have."""

LISTS = ("data", "edges", "x", "changes")
"""What answers call the list that they are about."""

every_route = pytest.mark.parametrize(("path", "params"), ROUTES.items(), ids=list(ROUTES))


def read_routes() -> dict[str, APIRoute]:
    """The GET routes by path."""
    router = read_router(
        Engine(Lake("nowhere")), Gate(GivenKeys()), Accounts(NOWHERE), Freshness(Lake("nowhere"), None, 1)
    )
    return {route.path: route for route in router.routes if isinstance(route, APIRoute) and "GET" in route.methods}


def model_of(path: str) -> TypeAdapter:
    """The declared answer of the route that `path` leads to: the first that matches, as in the application."""
    matching = (route for place, route in read_routes().items() if compile_path(place)[0].fullmatch(path))
    return TypeAdapter(next(matching).response_model)


def test_every_route_that_answers_from_tables_is_asked_here() -> None:
    assert len(read_routes().keys() - {"/v1/usage", "/v1/project", "/v1/freshness", "/v1/keys"}) == len(ROUTES)


@pytest.mark.slow
@every_route
def test_an_answer_is_what_the_document_says(api: Api, path: str, params: dict) -> None:
    model_of(path).validate_python(api.get(path, **params))


@pytest.mark.slow
@every_route
def test_an_answer_for_a_project_without_tables_is_empty_and_what_the_document_says(
    api: Api, path: str, params: dict
) -> None:
    if path in OF_ONE:
        api.get(path, key="nobody:read", status=404, **params)
        return
    found = api.get(path, key="nobody:read", **params)
    model_of(path).validate_python(found)
    assert next(found[name] for name in LISTS if name in found) == []
    assert found.get("built_at") is None


@every_route
@pytest.mark.parametrize("key", ["shop:write", "shop:", "", "nobody"])
def test_without_a_key_that_may_read_nothing_is_told(api: Api, path: str, params: dict, key: str) -> None:
    answer = api.client.get(path, params=params, headers={"X-API-Key": key} if key else {})
    assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_API_KEY")


@every_route
def test_no_project_hears_of_another(api: Api, path: str, params: dict) -> None:
    """Own, foreign and absent ids: the foreign and the absent are told apart by nothing."""
    for key, foreign in (("shop:read", f"{CANARY}-session"), ("other:read", "s1")):
        headers = {"X-API-Key": key}
        named = {name: value.replace("s1", foreign) for name, value in params.items()}
        asked = api.client.get(path.replace("s1", foreign), params=named, headers=headers)
        if key == "shop:read":
            assert CANARY not in asked.text.replace(foreign, "")
        if "/v1/sessions" in path:
            absent = api.client.get("/v1/sessions/absent", headers=headers)
            assert asked.status_code == absent.status_code == 404
            assert asked.text.replace(foreign, "absent") == absent.text
        else:
            assert asked.status_code == (404 if key == "other:read" and "t_card" in path else 200)


@pytest.mark.slow
def test_what_has_not_changed_is_answered_304_until_it_changes(own_api: Api) -> None:
    """All routes in one test: the lake is written to twice, which takes longer than what is asked."""

    def ask(path: str, known: str | None = None) -> Response:
        headers = {"X-API-Key": "shop:read"} | ({"If-None-Match": known} if known else {})
        return own_api.client.get(path, params=ROUTES[path], headers=headers)

    first = {path: ask(path) for path in ROUTES}
    tags = {path: answer.headers["ETag"] for path, answer in first.items()}
    for path, tag in tags.items():
        again = ask(path, f'"x", W/{tag}')
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag), path
        assert ask(path, '"x"').content == first[path].content, path
    write_lake(own_api.lake, "other", {"s9": ["Where is my parcel?"]})
    assert {path: ask(path).headers["ETag"] for path in ROUTES} == tags
    write_lake(own_api.lake, "shop", {**SESSIONS, "s6": SESSIONS["s3"]}, model_version=2)
    assert [path for path in ROUTES if ask(path).headers["ETag"] == tags[path]] == []


def test_an_answer_follows_the_next_build_and_as_of_tells_the_one_before(own_api: Api) -> None:
    before = own_api.get("/v1/journeys")
    time.sleep(0.01)
    then = dt.datetime.now(dt.UTC)
    time.sleep(0.01)
    write_lake(own_api.lake, "shop", {**SESSIONS, "s6": SESSIONS["s3"]}, model_version=2)
    after = own_api.get("/v1/journeys")
    assert (before["n_sessions"], after["n_sessions"], after["model_version"]) == (5, 6, 2)
    assert own_api.get("/v1/journeys", as_of=then.isoformat()) == before
    assert own_api.get("/v1/topics", as_of="2020-01-01")["data"] == []


@pytest.mark.parametrize(
    ("path", "params", "field"),
    [
        ("/v1/topics", {"feild": "prompt"}, "feild"),
        ("/v1/topics", {"segment.": "x"}, "segment."),
        ("/v1/journeys/paths", {"topic": "t_card"}, "topic"),
        ("/v1/usage", {"field": "prompt"}, "field"),
        ("/v1/fields", {"segment.plan": "pro"}, "segment.plan"),
        ("/v1/topics", {"limit": "0"}, "limit"),
        ("/v1/topics", {"limit": "1001"}, "limit"),
        ("/v1/topics", {"level": "2"}, "level"),
        ("/v1/topics", {"from": "yesterday"}, "from"),
        ("/v1/topics", {"from": "2026-03-02", "to": "2026-03-01"}, "from"),
        ("/v1/topics", {f"segment.f{i}": "x" for i in range(17)}, "segment"),
        ("/v1/journeys/paths", {"direction": "up"}, "direction"),
        ("/v1/journeys/paths", {"depth": "11"}, "depth"),
        ("/v1/journeys/funnel", {}, "steps"),
        ("/v1/journeys/funnel", {"steps": "a,,b"}, "steps"),
        ("/v1/journeys/funnel", {"steps": "a", "within_s": "0"}, "within_s"),
        ("/v1/journeys/funnel", {"steps": "a", "within_s": "inf"}, "within_s"),
        ("/v1/topics", {"from": "0001-01-01T00:00:00+14:00"}, None),
    ],
    ids=str,
)
def test_a_question_that_makes_no_sense_is_named(api: Api, path: str, params: dict, field: str | None) -> None:
    found = api.get(path, status=400, **params)
    assert (found["code"], found.get("field")) == ("INVALID_REQUEST", field)


@pytest.mark.slow
def test_an_answer_is_of_one_build_while_builds_go_on(own_api: Api) -> None:
    """Every build adds a session; no answer mixes two, though tables change while it is being made."""
    stop = threading.Event()

    def build() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            write_lake(own_api.lake, "shop", {**SESSIONS, **{f"n{i}": SESSIONS["s1"] for i in range(n)}})

    builder = threading.Thread(target=build)
    builder.start()
    try:
        for _ in range(25):
            topics = own_api.get("/v1/topics")
            assert sum(row["size"] for row in topics["data"]) + topics["n_unassigned"] == topics["n_messages"]
            graph = own_api.get("/v1/journeys", name="chat")
            out = sum(edge["count"] for edge in graph["edges"] if edge["from"] == "start")
            into = sum(edge["count"] for edge in graph["edges"] if edge["to"] == "end")
            assert out == into == graph["n_sessions"]
    finally:
        stop.set()
        builder.join()


def test_files_that_are_gone_are_no_error_of_the_server(own_api: Api) -> None:
    then = dt.datetime.now(dt.UTC)
    time.sleep(0.01)
    write_lake(own_api.lake, "shop", SESSIONS, model_version=2)
    own_api.get("/v1/topics")
    for table in TABLES.values():
        opened = store.open_table(own_api.lake, table)
        if opened is not None:
            opened.vacuum(0, dry_run=False, enforce_retention_duration=False)
    assert own_api.get("/v1/journeys")["n_sessions"] == 5
    assert own_api.get("/v1/topics", as_of=then.isoformat(), status=400)["field"] == "as_of"


@pytest.mark.slow
def test_a_time_whose_log_is_gone_is_refused_and_not_taken_for_a_time_before_the_first_build(own_api: Api) -> None:
    then = dt.datetime.now(dt.UTC)
    time.sleep(0.01)
    write_lake(own_api.lake, "shop", SESSIONS, model_version=2)
    opened = store.open_table(own_api.lake, TABLES["topics"])
    assert opened is not None
    opened.alter.set_table_properties({"delta.logRetentionDuration": "interval 0 days"})
    opened.create_checkpoint()
    opened.cleanup_metadata()
    assert own_api.get("/v1/topics", as_of=then.isoformat(), status=400)["field"] == "as_of"
    assert own_api.get("/v1/topics")["data"]
