"""Damaged tables: the questions that need them are answered 503 with the words that mend them, and no others are."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.damage import data_file, flip, newest_commit
from tests.read.conftest import Api
from tests.read.reading import read_app
from turret_api import freshness
from turret_api.read.engine.library import Library
from turret_pipeline.lake.paths import Lake

ROUTES = {
    "/v1/events": "events",
    "/v1/fields": "field_types",
    "/v1/topics": "topics",
    "/v1/messages": "messages",
    "/v1/journeys": "journey_edges",
}
"""Routes, each with a table that no route before it has read."""


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at what is damaged each time, and not every two seconds."""
    monkeypatch.setattr(freshness, "KEPT_S", -1.0)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:60])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "has_checksums"), [(flip, True), (cut, True), (Path.unlink, True), (cut, False), (Path.unlink, False)]
)
def test_a_damaged_data_file_is_named_to_its_project_alone_until_it_is_mended(
    own_api: Api, damage: Callable[[Path], None], has_checksums: bool
) -> None:
    if not has_checksums:
        shutil.rmtree(Path(own_api.lake.root) / "sums")
    for route, table in ROUTES.items():
        file = data_file(own_api.lake, table, "shop")
        content = file.read_bytes()
        damage(file)
        answer = own_api.get(route, status=503)
        assert answer["code"] == "SERVICE_UNAVAILABLE" and answer["success"] is False
        assert answer["error"].startswith(f"The table {table} is damaged: tables/{table}/project_id=shop/")
        assert answer["error"].endswith("; `turret doctor --mend` mends it.")
        own_api.get(route, key="other:read")
        found = own_api.get("/v1/freshness")
        assert (found["late"], found["damaged"], found["reason"]) == (True, True, answer["error"])
        assert own_api.get("/v1/freshness", key="other:read")["damaged"] is False
        file.write_bytes(content)
        own_api.get(route)
        assert own_api.get("/v1/freshness")["damaged"] is False


@pytest.mark.slow
@pytest.mark.parametrize("damaged", [newest_commit, lambda lake, table: data_file(lake, table, "shop")])
def test_without_the_times_of_builds_everything_is_answered(own_api: Api, damaged: Callable[[Lake, str], Path]) -> None:
    flip(damaged(own_api.lake, "builds"))
    for route in ROUTES:
        assert own_api.get(route)["built_at"] is None
    found = own_api.get("/v1/freshness")
    assert found["damaged"] is True and found["reason"].startswith("The table builds is damaged")


@pytest.mark.parametrize("damage", [flip, Path.unlink])
def test_a_damaged_log_keeps_the_other_tables_answering(own_api: Api, damage: Callable[[Path], None]) -> None:
    commit = newest_commit(own_api.lake, "topic_days")
    content = commit.read_bytes()
    damage(commit)
    own_api.get("/v1/events")
    own_api.get("/v1/journeys")
    wrong = own_api.get("/v1/topics", status=503)
    assert wrong["error"].startswith("The table topic_days is damaged: tables/topic_days/_delta_log/")
    for key in ("shop:read", "other:read"):
        assert own_api.get("/v1/freshness", key=key)["damaged"] is True
    commit.write_bytes(content)
    own_api.get("/v1/topics")
    assert own_api.get("/v1/freshness")["damaged"] is False


@pytest.mark.slow
def test_a_question_never_gets_other_rows_while_a_file_is_damaged(own_api: Api) -> None:
    file = data_file(own_api.lake, "journey_edges", "shop")
    content = file.read_bytes()
    expected = own_api.get("/v1/journeys/starts")
    for position in range(0, len(content), len(content) // 5):
        file.write_bytes(content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :])
        with TestClient(read_app(own_api.lake)) as client:  # one that has read nothing yet
            answer = client.get("/v1/journeys/starts", headers={"X-API-Key": "shop:read"})
        assert answer.status_code == 503 or answer.json() == expected


def test_a_file_that_is_damaged_after_it_was_read_makes_freshness_red_too(written: Path, tmp_path: Path) -> None:
    lake = Lake(str(shutil.copytree(written, tmp_path / "lake")))
    library = Library(lake)
    seen = freshness.Freshness(lake, None, 600, library.files_of)
    assert seen.damage("shop") == []
    flip(data_file(lake, "topics", "shop"))
    assert [words[:27] for words in seen.damage("shop")] == ["The table topics is damaged"]
    assert seen.damage("other") == []
