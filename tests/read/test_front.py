"""Answers from memory: only for those who may read them, and only while they hold."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.read.conftest import SESSIONS, Api, write_lake
from tests.read.reading import GivenKeys, read_app
from turret_api.auth import Principal
from turret_api.read.engine.library import Library
from turret_api.read.http.front import A_ROUND_BYTES, SLOT, Front, Kept
from turret_api.roles import READ, VIEWER


class RevocableKeys(GivenKeys):
    """As `GivenKeys`, but keys can be revoked, or be viewers'; counts how often the application looked one up."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()
        self.viewers: set[str] = set()
        self.n_found = 0

    def known(self, key: str) -> Principal | None:
        if key in self.viewers:
            return Principal("shop", READ, key, given_role=VIEWER)
        return None if key in self.revoked else super().find(key)

    def find(self, key: str) -> Principal | None:
        self.n_found += 1
        return self.known(key)


@pytest.fixture
def keys() -> RevocableKeys:
    return RevocableKeys()


@pytest.fixture
def fronted(own_api: Api, keys: RevocableKeys) -> Iterator[Api]:
    app = read_app(own_api.lake, keys=keys, front=True)
    with TestClient(app) as client:
        yield Api(own_api.lake, client)


def ask(api: Api, path: str = "/v1/topics", **headers: str):
    return api.client.get(path, headers={"X-API-Key": "shop:read", **headers})


@pytest.mark.slow
def test_the_same_question_gets_the_same_bytes_without_the_application(fronted: Api, keys: RevocableKeys) -> None:
    first = ask(fronted)
    assert keys.n_found == 1
    again = ask(fronted)
    assert (again.status_code, again.content, again.headers) == (200, first.content, first.headers)
    same = ask(fronted, **{"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert keys.n_found == 1
    assert ask(fronted, "/v1/topics?level=1").content != first.content
    assert fronted.client.get("/v1/topics", headers={"X-API-Key": "other:read"}).content != first.content


@pytest.mark.slow
def test_a_commit_ends_what_was_kept(fronted: Api) -> None:
    for n in range(1, 4):
        assert ask(fronted).json()["n_messages"] == ask(fronted).json()["n_messages"] == 15 + n - 1
        write_lake(fronted.lake, "shop", {**SESSIONS, **{f"n{i}": SESSIONS["s3"] for i in range(n)}})
    found = fronted.client.patch("/v1/fields/plan", json={"type": "text"}, headers={"X-API-Key": "shop:admin"})
    assert found.status_code == 200
    assert {row["field"]: row["type"] for row in ask(fronted, "/v1/fields").json()["data"]}["plan"] == "text"


def test_a_key_that_was_revoked_or_may_not_read_gets_nothing_that_was_kept(fronted: Api, keys: RevocableKeys) -> None:
    assert ask(fronted).status_code == ask(fronted).status_code == 200
    keys.revoked.add("shop:read")
    assert ask(fronted).status_code == 401
    assert fronted.client.get("/v1/topics", headers={"X-API-Key": "shop:write"}).status_code == 401
    assert fronted.client.get("/v1/topics").status_code == 401


def test_a_key_whose_role_changes_gets_nothing_that_was_kept_for_the_other_role(
    fronted: Api, keys: RevocableKeys
) -> None:
    of_analyst = ask(fronted)
    keys.viewers.add("shop:read")
    of_viewer = [ask(fronted) for _ in range(2)]
    assert all("my parcel" not in each.text for each in of_viewer) and "my parcel" in of_analyst.text
    known = {"If-None-Match": of_analyst.headers["ETag"]}
    assert ask(fronted, **known).status_code == 200
    keys.viewers.clear()
    assert ask(fronted).content == of_analyst.content


def test_what_is_no_success_or_of_an_earlier_time_is_not_kept(fronted: Api, keys: RevocableKeys) -> None:
    for path in ("/v1/topics/absent", "/v1/topics?as_of=2020-01-01", "/v1/topics?feild=x"):
        before = keys.n_found
        assert ask(fronted, path).content == ask(fronted, path).content
        assert keys.n_found > before + 1 or path.endswith("feild=x")


def test_large_answers_are_packed_for_who_takes_them_so_and_each_has_its_own_tag(fronted: Api) -> None:
    plain = [ask(fronted, "/v1/fields", **{"Accept-Encoding": "identity"}) for _ in range(2)]
    packed = [ask(fronted, "/v1/fields", **{"Accept-Encoding": "gzip, deflate"}) for _ in range(2)]
    for answers, encoding in ((plain, None), (packed, "gzip")):
        assert answers[0].headers == answers[1].headers
        assert answers[0].headers.get("Content-Encoding") == encoding
        assert answers[0].json() == plain[0].json()
    assert int(packed[0].headers["Content-Length"]) < int(plain[0].headers["Content-Length"]) / 2
    assert packed[0].headers["ETag"] != plain[0].headers["ETag"]
    for answer in (plain[0], packed[0]):
        tag = {"If-None-Match": answer.headers["ETag"]}
        same = ask(fronted, "/v1/fields", **tag)
        assert (same.status_code, same.headers["ETag"]) == (304, answer.headers["ETag"])


def test_kept_answers_leave_each_round_of_the_event_loop_to_others(own_api: Api, keys: RevocableKeys) -> None:
    library = Library(own_api.lake)
    content = b"x" * (A_ROUND_BYTES // 4)
    n_sent = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        generation = library.snapshot("shop").generation
        assert generation is not None
        scope[SLOT].append(Kept(generation, "shop", b'"tag"', [], content))

    async def send(message: Any) -> None:
        nonlocal n_sent
        n_sent += message["type"] == "http.response.body" and message["body"] == content

    async def run() -> None:
        front = Front(app, library, keys)
        headers = [(b"x-api-key", b"shop:read")]
        scope = {"type": "http", "method": "GET", "path": "/v1/topics", "raw_path": b"", "query_string": b""}
        await front({**scope, "headers": headers}, None, send)  # type: ignore[arg-type]
        asked = [asyncio.create_task(front({**scope, "headers": headers}, None, send)) for _ in range(20)]  # type: ignore[arg-type]
        n_rounds, before = 0, n_sent
        while not all(each.done() for each in asked):
            await asyncio.sleep(0)
            assert n_sent - before <= 8
            n_rounds, before = n_rounds + 1, n_sent
        assert n_sent == 20
        assert n_rounds >= 4

    asyncio.run(run())
