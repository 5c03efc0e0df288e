"""What holds of every project, whatever its texts: in its tables, in the answers of the API, and in its exports."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
from fastapi.testclient import TestClient

from turret_api.command.export import VIEWS, rows_of, write
from turret_api.read.engine.library import Library
from turret_pipeline.lake import store
from turret_pipeline.lake.paths import Lake
from turret_pipeline.lake.tables import (
    FIELD_FAILURES,
    FIELD_TYPES,
    JOURNEY_EDGES,
    JOURNEY_STEPS,
    MESSAGES,
    TABLES,
    TOPIC_ASSIGNMENTS,
    TOPIC_DAYS,
    TOPICS,
)
from turret_pipeline.orchestration.export_model import shown_topics
from turret_pipeline.stages import CHECKS
from turret_pipeline.stages.work import Work


def text_fields(lake: Lake, project: str) -> list[str]:
    types = store.read(lake, FIELD_TYPES, project)
    return sorted(types.filter(pl.col("type") == "text")["field"])


def assert_tables_are_sound(lake: Lake, project: str) -> None:
    """Assert that no field failed, no check finds a fault, counts add up, numbers are finite and labels readable."""
    failed = store.read(lake, FIELD_FAILURES, project)
    assert failed.is_empty(), failed.rows()
    wrong = {
        f"{table}.{name}": finding
        for table, checks in CHECKS.items()
        for name, check in checks.items()
        if (finding := check.find(lake, project, None)).n_wrong
    }
    assert wrong == {}
    for name, table in TABLES.items():
        assert_finite(store.read(lake, table, project).select(pl.all().exclude("evidence")), name)
    messages, steps = store.read(lake, MESSAGES, project), store.read(lake, JOURNEY_STEPS, project)
    days, topics = store.read(lake, TOPIC_DAYS, project), store.read(lake, TOPICS, project)
    assigned, edges = store.read(lake, TOPIC_ASSIGNMENTS, project), store.read(lake, JOURNEY_EDGES, project)
    for field in text_fields(lake, project):
        said, of_topics = messages.filter(field=field), topics.filter(field=field)
        assert days.filter(field=field)["n_messages"].sum() == said.height, field
        assert steps.filter(field=field).height == said.height, field
        assert set(assigned.filter(field=field)["text_id"]) >= set(said["text_id"]), field
        assert_labels(of_topics["label"].to_list())
        leaves = of_topics.filter(level=0)
        assert leaves["parent_id"].null_count() in (0, leaves.height), field
        known = set(leaves["topic_id"]) | {"unassigned", "moves"}
        moves = edges.filter(field=field)
        assert set(moves["from_topic"]) | set(moves["to_topic"]) <= known | {"start", "end"}, field
        n_sessions = said["session_id"].n_unique() if said.height else 0
        assert moves.filter(from_topic="start")["count"].sum() == n_sessions, field
        assert moves.filter(to_topic="end")["count"].sum() == n_sessions, field


def assert_labels(labels: list[str]) -> None:
    """Assert that the labels can be read in one line, and are unique whatever their case."""
    for label in labels:
        assert label.isprintable() and label.strip() == label and 0 < len(label) <= 200, repr(label)
    assert len({label.casefold() for label in labels}) == len(labels), labels


def assert_finite(rows: pl.DataFrame, name: str) -> None:
    for column, kind in rows.schema.items():
        values = rows[column]
        if isinstance(kind, pl.List) and kind.inner.is_float():
            values = values.explode(empty_as_null=False, keep_nulls=False)
        if values.dtype.is_float():
            assert values.drop_nulls().is_finite().all(), f"{name}.{column}"


def ask(client: TestClient, project: str, path: str, **params: object) -> dict[str, Any]:
    """Return an answer, which is there and has finite numbers only."""
    answer = client.get(path, params=params, headers={"X-API-Key": f"{project}:read"})
    assert answer.status_code == 200, (path, params, answer.text)
    found: dict[str, Any] = json.loads(answer.text, parse_constant=_refuse)
    assert all(math.isfinite(number) for number in _numbers(found)), (path, params)
    return found


def _refuse(word: str) -> float:
    raise AssertionError(f"{word} is not JSON")


def _numbers(value: object) -> list[float]:
    if isinstance(value, dict):
        return [number for each in value.values() for number in _numbers(each)]
    if isinstance(value, list):
        return [number for each in value for number in _numbers(each)]
    return [value] if isinstance(value, float) else []


def assert_answers_add_up(client: TestClient, lake: Lake, project: str) -> None:
    """Assert that every answer about a text field is there, and counts all of its messages and sessions."""
    fields = {row["field"]: row for row in ask(client, project, "/v1/fields", limit=1000)["data"]}
    assert all(row["failure"] is None and 0 <= row["confidence"] <= 1 for row in fields.values())
    said = store.read(lake, MESSAGES, project)
    for field in text_fields(lake, project):
        n_messages = said.filter(field=field).height
        topics = ask(client, project, "/v1/topics", field=field)
        for found in (topics, ask(client, project, "/v1/topics", field=field, level=1)):
            sizes = sum(row["size"] for row in found["data"])
            assert sizes + found["n_unassigned"] + found["n_hidden"] == found["n_messages"], field
            assert found["n_messages"] + found["n_moves"] == n_messages, field
            assert_labels([row["label"] for row in found["data"]])
            assert sum(row["count"] for row in found["messages_per_day"]) == found["n_messages"]
        everything = ask(client, project, "/v1/topics", field=field, kinds="all")
        assert everything["n_messages"] == n_messages, field
        for row in topics["data"][:1]:
            ask(client, project, f"/v1/topics/{row['topic_id']}", field=field)
            some = ask(client, project, "/v1/messages", field=field, topic_id=row["topic_id"], limit=1000)
            assert len(some["data"]) == min(row["size"], 1000)
            ask(client, project, "/v1/journeys/paths", field=field, topic_id=row["topic_id"])
        places = ask(client, project, "/v1/topics/map", field=field)
        assert sum(places["size"]) <= n_messages
        graph = ask(client, project, "/v1/journeys", field=field)
        into, out = _counts(graph["edges"], "to"), _counts(graph["edges"], "from")
        assert {node: n for node, n in into.items() if node != "end"} == {
            node: n for node, n in out.items() if node != "start"
        }
        assert out.get("start", 0) == into.get("end", 0) == said.filter(field=field)["session_id"].n_unique()
        for path in ("starts", "drop-offs", "loops", "returns"):
            ask(client, project, f"/v1/journeys/{path}", field=field)
    for session in said["session_id"].unique().sort()[:2]:
        assert ask(client, project, f"/v1/sessions/{quote(session, safe='')}")["data"]
    for field in list(fields)[:2]:
        ask(client, project, f"/v1/fields/{quote(field, safe='')}/history")
    for path in ("events", "topics/fits", "topics/edits"):
        ask(client, project, f"/v1/{path}")


def _counts(edges: list[dict[str, Any]], end: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for edge in edges:
        found[edge[end]] = found.get(edge[end], 0) + edge["count"]
    return found


def assert_exports_open(lake: Lake, project: str, folder: Path) -> None:
    """Assert that views and tables can be written in every format, and are read back as they were."""
    snapshot = Library(lake).snapshot(project)
    said = store.read(lake, MESSAGES, project)
    exports = [(view, field) for view in VIEWS for field in text_fields(lake, project)[:5]]
    for view, field in [*exports, ("topics", None), ("topic_assignments", None)]:
        rows = rows_of(snapshot, view, None if view == "fields" else field)
        if view == "messages":
            assert rows.height == said.filter(field=field).height
        for suffix, read in (("parquet", pl.read_parquet), ("ndjson", _read_ndjson), ("csv", _read_csv)):
            out = folder / f"{view}.{suffix}"
            write(rows, out)
            assert read(out).height == rows.height, (view, field, suffix)

    for field in [name for name in text_fields(lake, project) if not rows_of(snapshot, "topics", name).is_empty()][:1]:
        assert_model_opens(lake, project, field, folder / "model")


def assert_model_opens(lake: Lake, project: str, field: str, folder: Path) -> None:
    """Assert that plain BERTopic opens the field's topics, and has their labels."""
    topics, of_messages = shown_topics(Work(lake, project), field)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of BERTopic's own making
        from turret_pipeline.analysis.topics.portable import BaseEmbedder, BERTopic, portable_model

        portable_model(topics, of_messages).save(str(folder), serialization="safetensors")
        opened = BERTopic.load(str(folder), embedding_model=BaseEmbedder())
    assert set(topics["label"]) <= set(opened.custom_labels_)
    assert sum(opened.get_topic_info()["Count"]) == len(of_messages)


def _read_ndjson(path: Path) -> pl.DataFrame:
    return pl.DataFrame({"line": [json.loads(line) for line in path.read_bytes().splitlines()]}, strict=False)


def _read_csv(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False)
