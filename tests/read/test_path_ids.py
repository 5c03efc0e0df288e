"""Whatever a session or a field is called, every route with an id in its path finds it by its percent-encoded name."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import polars as pl
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.read.conftest import P, write_lake
from tests.read.reading import read_app
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import FIELD_TYPES

ODD = [
    *("q?b", "h#b", "a\\b", "a/b", "/", "//a", "a/", "100%", "%2F", "%252F", "a;b=c", "a&b=c", "a+b c", " ", "a|b^c"),
    *("tab\tb", "line\nb", "\n", "a\r\n", "é 日本 😀", "\u200b", "\u2028", ".", "..", "a..b", "../../etc/passwd"),
    *("a/../b", "a/history", "history", "history\n", "map", "{field}", ":id", "~.-_", "'\"<>`", "^a$", "*"),
]
ANY = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=20)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """The read API over a project in which sessions and fields are called as `ODD`."""
    lake = Lake(str(tmp_path_factory.mktemp("odd ids") / "lake"))
    write_lake(lake, "shop", {each: [P] for each in ODD})
    row = store.read(lake, FIELD_TYPES, "shop").head(1)
    store.append(lake, FIELD_TYPES, pl.concat([row.with_columns(field=pl.lit(each)) for each in ODD]))
    return read_app(lake, front=True)


def ask(app: FastAPI, method: str, address: str, **more: Any) -> httpx.Response:
    """Send a request as it comes from a socket: Starlette's own client decodes paths twice."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://turret") as client:
            return await client.request(method, address, headers={"X-API-Key": "shop:admin"}, **more)

    return asyncio.run(send())


def encoded(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def with_ids(app: FastAPI) -> list[tuple[str, str, str]]:
    """Return method, path and parameter of the routes that have a client's id in their path."""
    return [
        (method.upper(), path, name)
        for path, item in app.openapi()["paths"].items()
        for method in item
        for name in ("session_id", "field")
        if f"{{{name}}}" in path
    ]


@pytest.mark.slow
def test_there_are_routes_with_ids_in_their_path(app: FastAPI) -> None:
    assert {(method, path) for method, path, _ in with_ids(app)} >= {
        ("GET", "/v1/sessions/{session_id}"),
        ("GET", "/v1/fields/{field}/history"),
        ("PATCH", "/v1/fields/{field}"),
    }


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_what_is_called_oddly_is_found_by_path_and_by_query(app: FastAPI, odd: str) -> None:
    for method, path, name in with_ids(app):
        body = {"json": {"type": "enum"}} if method == "PATCH" else {}
        by_path = ask(app, method, path.replace(f"{{{name}}}", encoded(odd)), **body)
        by_query = ask(app, method, path.replace(f"/{{{name}}}", ""), params={name: odd}, **body)

        assert by_path.status_code == by_query.status_code == 200, (method, path, by_path.text, by_query.text)
        assert by_path.json()[name] == by_query.json()[name] == odd
    assert ask(app, "GET", f"/v1/sessions/{encoded(odd)}").json()["data"][0]["text"].startswith(P)


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANY)
@example("a\n/history")
@example("x/history/history")
def test_any_id_comes_through_as_it_is(app: FastAPI, text: str) -> None:
    for method, path, name in with_ids(app):
        body = {"json": {"type": "enum"}} if method == "PATCH" else {}
        answer = ask(app, method, path.replace(f"{{{name}}}", encoded(text)), **body)
        if answer.status_code == 404:
            assert answer.json()["field"] == name and repr(text) in answer.json()["error"]
        else:
            assert answer.json()[name] == text


@pytest.mark.slow
def test_a_field_of_any_name_is_a_segment_and_a_text_field_to_ask_for(app: FastAPI) -> None:
    for odd in ODD:
        found = ask(app, "GET", "/v1/topics", params={"field": "prompt", f"segment.{odd}": "x"})
        assert (found.status_code, found.json()["n_messages"]) == (200, 0)
        absent = ask(app, "GET", "/v1/topics", params={"field": f"{odd}!"})
        assert absent.status_code == 404 and repr(f"{odd}!") in absent.json()["error"]


def test_the_same_address_with_other_ids_is_not_answered_from_what_was_kept(app: FastAPI) -> None:
    for odd in ("a/b", "%2F", "/"):
        for _ in range(2):
            assert ask(app, "GET", f"/v1/sessions/{encoded(odd)}").json()["session_id"] == odd
