"""Exports of other products are imported as they are: each from a small file as that product writes it."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner

from turret_api.command.main import main
from turret_api.importing.documents import Documents
from turret_api.importing.formats import FORMATS
from turret_api.importing.history import RefusedRow, import_documents
from turret_api.importing.rows import SourceError
from turret_pipeline.lake.parts import list_parts, read_parts
from turret_pipeline.lake.paths import Lake

PROJECT = "shop"
Rows = list[dict[str, Any]]


def imported(file: Path, name: str, refused: list[RefusedRow] | None = None) -> Rows:
    """Import `file` into a new lake; return its events in order, with their metadata."""
    lake = Lake(str(file.parent / f"lake of {file.name}"))
    wrong: list[RefusedRow] = [] if refused is None else refused
    import_documents(lake, PROJECT, Documents(file, {}, export=FORMATS[name]), 100_000, wrong.append)
    assert wrong == [] or refused is not None
    events = read_parts(lake, list_parts(lake, PROJECT)).sort("seq", "timestamp")
    return [
        {**row, "timestamp": row["timestamp"].replace(tzinfo=None).isoformat(), "metadata": json.loads(row["metadata"])}
        for row in events.to_dicts()
    ]


def lines(file: Path, *rows: Any) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def table(file: Path, *rows: dict[str, Any]) -> Path:
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return file


def ids(row: dict[str, Any]) -> tuple[str, ...]:
    return row["name"], row["event_id"], row["session_id"], row["user_id"]


POSTHOG = {"prompt": "hello", "plan": "pro", "$session_id": "s-1", "$set": {"email": "a@example.com"}}


@pytest.mark.parametrize("kind", ["ndjson", "parquet", "csv", "json"])
def test_posthog(tmp_path: Path, kind: str) -> None:
    row = {"uuid": "u-1", "event": "chat", "distinct_id": "42", "timestamp": "2026-01-01 10:00:00.5", "team_id": 2}
    file = tmp_path / f"events.{kind}"
    if kind == "ndjson":
        lines(file, row | {"properties": POSTHOG})
    elif kind == "json":
        file.write_text(json.dumps({"results": [{**row, "id": row["uuid"], "uuid": None, "properties": POSTHOG}]}))
    elif kind == "parquet":
        times = pl.col("timestamp").str.to_datetime(time_zone="UTC")
        pl.DataFrame([row | {"properties": json.dumps(POSTHOG)}]).with_columns(times).write_parquet(file)
    else:
        table(file, row | {"properties": json.dumps(POSTHOG)})
    (event,) = imported(file, "posthog")
    assert ids(event) == ("chat", "u-1", "s-1", "42")
    assert event["timestamp"] == "2026-01-01T10:00:00.500000"
    assert event["metadata"] == {"prompt": "hello", "plan": "pro"}


def test_posthog_with_columns_of_properties_and_generations(tmp_path: Path) -> None:
    row = {"event": "$ai_generation", "distinct_id": "42", "timestamp": "2026-01-01T10:00:00Z"}
    chat = [{"role": "system", "content": "be kind"}, {"role": "user", "content": [{"type": "text", "text": "why?"}]}]
    row |= {
        "properties.$session_id": "s",
        "properties.$ai_model": "m",
        "properties.$ai_input": json.dumps(chat),
        "properties.$ai_output_choices": json.dumps([{"role": "assistant", "content": "because"}]),
    }
    (event,) = imported(table(tmp_path / "a.csv", row), "posthog")
    assert event["session_id"] == "s"
    assert event["metadata"] == {"$ai_model": "m", "prompt": "why?", "response": "because"}


def test_mixpanel(tmp_path: Path) -> None:
    properties = {"time": 1767261600, "distinct_id": "d", "$insert_id": "i", "prompt": "hello", "$session_id": "s"}
    bare = {"event": "open", "properties": {"time": 1767261601, "distinct_id": "d", "$insert_id": "i2"}}
    first, second = imported(
        lines(tmp_path / "a.ndjson", {"event": "chat", "properties": properties}, bare), "mixpanel"
    )
    assert ids(first) == ("chat", "i", "s", "d")
    assert (first["timestamp"], first["metadata"]) == ("2026-01-01T10:00:00", {"prompt": "hello"})
    assert second["metadata"] == {"source": "mixpanel"}


def test_segment(tmp_path: Path) -> None:
    shared = {
        "anonymousId": "a",
        "userId": None,
        "timestamp": "2026-01-01T10:00:00.000Z",
        "originalTimestamp": "2020-01-01",
    }
    rows = [
        shared | {"type": "track", "event": "Asked", "messageId": "m1", "properties": {"prompt": "hello"}},
        shared | {"type": "page", "name": "Pricing", "messageId": "m2", "properties": {"path": "/p", "sessionId": "s"}},
        shared | {"type": "identify", "userId": "u", "messageId": "m3", "traits": {"plan": "pro"}},
    ]
    rows[0]["context"] = {"sessionId": "s", "ip": "192.0.2.1"}
    track, page, identify = imported(lines(tmp_path / "a.jsonl", *rows), "segment")
    assert ids(track) == ("Asked", "m1", "s", "a") and track["metadata"] == {"prompt": "hello"}
    assert track["timestamp"] == "2026-01-01T10:00:00"
    assert ids(page) == ("page", "m2", "s", "a") and page["metadata"] == {"page": "Pricing", "path": "/p"}
    assert identify["name"] == "identify" and identify["user_id"] == "u" and identify["metadata"] == {"plan": "pro"}


def test_amplitude(tmp_path: Path) -> None:
    row = {
        "$insert_id": "i",
        "uuid": "u-1",
        "event_type": "chat",
        "event_time": "2026-01-01 10:00:00.250000",
        "user_id": None,
        "device_id": "d",
        "session_id": 1767261600000,
        "event_properties": {"prompt": "hello"},
        "user_properties": {"email": "a@example.com"},
        "platform": "Web",
    }
    outside = row | {"uuid": "u-2", "session_id": -1, "event_properties": {}, "platform": None}
    file = tmp_path / "100_2026-01-01_10#0.json.gz"
    file.write_bytes(gzip.compress("\n".join(json.dumps(each) for each in (row, outside)).encode()))
    first, second = imported(file, "amplitude")
    assert ids(first) == ("chat", "u-1", "1767261600000", "d")
    assert first["timestamp"] == "2026-01-01T10:00:00.250000"
    assert first["metadata"] == {"platform": "Web", "prompt": "hello"}
    assert second["session_id"].startswith("ses_") and second["metadata"] == {"source": "amplitude"}


GENERATION = {
    "id": "o-1",
    "traceId": "t-1",
    "type": "GENERATION",
    "name": "answer",
    "startTime": "2026-01-01T10:00:00.000Z",
    "sessionId": "s",
    "userId": "u",
    "model": "m",
    "input": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "why?"}],
    "output": {"role": "assistant", "content": "because"},
    "metadata": {"plan": "pro"},
}
SAID = {"plan": "pro", "model": "m", "trace": "t-1", "prompt": "why?", "response": "because"}


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl"])
def test_langfuse_observations(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"observations.{kind}"
    if kind == "csv":
        texts = {key: json.dumps(value) if type(value) in (dict, list) else value for key, value in GENERATION.items()}
        table(file, texts)
    elif kind == "json":
        file.write_text(json.dumps([GENERATION], indent=2))
    else:
        lines(file, GENERATION)
    (event,) = imported(file, "langfuse")
    assert ids(event) == ("answer", "o-1", "s", "u")
    assert event["timestamp"] == "2026-01-01T10:00:00"
    assert event["metadata"] == SAID


def test_langfuse_blob_storage_names_columns_otherwise(tmp_path: Path) -> None:
    rows: Rows = [
        {
            "id": "o-2",
            "trace_id": "t-1",
            "type": "SPAN",
            "name": "retrieve",
            "start_time": "2026-01-01 10:00:00.000000",
        },
        {"id": "t-1", "timestamp": "2026-01-01 10:00:00.000000", "name": None, "session_id": None, "user_id": "u"},
    ]
    rows[0] |= {"input": {"query": "why?"}, "output": ["a", "b"], "provided_model_name": "m"}
    rows[1] |= {"input": '{"question": "why?"}', "output": "because", "tags": ["x"]}
    span, trace = imported(lines(tmp_path / "a.jsonl", *rows), "langfuse")
    assert (span["name"], span["session_id"], span["timestamp"]) == ("retrieve", "t-1", "2026-01-01T10:00:00")
    assert span["metadata"] == {"model": "m", "trace": "t-1", "input": {"query": "why?"}, "output": ["a", "b"]}
    assert trace["name"] == "trace" and trace["session_id"].startswith("ses_")
    assert trace["metadata"] == {"tags": ["x"], "prompt": "why?", "response": "because"}


def test_a_langfuse_session_is_the_events_of_its_traces(tmp_path: Path) -> None:
    traces = [
        {
            "id": f"t-{n}",
            "timestamp": f"2026-01-01T10:00:0{n}Z",
            "input": f"question {n}",
            "output": "yes",
            "userId": "u",
        }
        for n in range(2)
    ]
    file = tmp_path / "session-s.json"
    file.write_text(json.dumps({"id": "s", "createdAt": "2026-01-01T10:00:00Z", "traces": traces}, indent=2))
    events = imported(file, "langfuse")
    assert [(each["session_id"], each["event_id"], each["metadata"]["prompt"]) for each in events] == [
        ("s", "t-0", "question 0"),
        ("s", "t-1", "question 1"),
    ]


CHAT = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": "earlier"},
    {"role": "assistant", "content": "yes"},
    {"role": "user", "content": [{"type": "text", "text": "why?"}, {"type": "image_url", "image_url": {"url": "x"}}]},
]
ANSWER = {"role": "assistant", "content": "because"}


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [*CHAT, ANSWER]},
        {"messages": json.dumps([*CHAT, ANSWER])},
        {"messages": CHAT, "response": "because"},
        {"messages": CHAT, "choices": [{"index": 0, "message": ANSWER}]},
        {"request": {"messages": CHAT}, "response": {"choices": [{"message": ANSWER}]}},
        {"body": {"messages": CHAT}, "response": {"status_code": 200, "body": {"choices": [{"message": ANSWER}]}}},
        {
            "input": CHAT,
            "output": [{"type": "message", **ANSWER, "content": [{"type": "output_text", "text": "because"}]}],
        },
        {"input": "why?", "output": [{"type": "reasoning", "summary": []}, {"type": "message", **ANSWER}]},
        {"prompt": "why?", "choices": [{"text": "because"}]},
    ],
    ids=lambda row: ", ".join(f"{key} {type(value).__name__}" for key, value in row.items()),
)
def test_openai(tmp_path: Path, row: dict[str, Any]) -> None:
    known = {"id": "chatcmpl-1", "created": 1767261600, "model": "m", "user": "u", "metadata": {"session_id": "s"}}
    (event,) = imported(lines(tmp_path / "a.jsonl", row | known), "openai")
    assert ids(event) == ("chat", "chatcmpl-1", "s", "u")
    assert event["timestamp"] == "2026-01-01T10:00:00"
    assert event["metadata"] == {"model": "m", "metadata": {"session_id": "s"}, "prompt": "why?", "response": "because"}


def test_an_openai_row_without_an_exchange_is_refused(tmp_path: Path) -> None:
    refused: list[RefusedRow] = []
    file = lines(tmp_path / "a.jsonl", {"messages": []}, {"messages": [{"role": "user", "content": "hi"}]})
    assert [each["metadata"] for each in imported(file, "openai", refused)] == [{"prompt": "hi"}]
    assert [(each.row, "neither a message of a user" in each.error) for each in refused] == [(1, True)]


def test_chatgpt_conversations_are_all_their_exchanges(tmp_path: Path) -> None:
    def node(name: str, role: str, text: str, at: float) -> dict[str, Any]:
        content = {"content_type": "text", "parts": [text]}
        return {"id": name, "message": {"id": name, "author": {"role": role}, "content": content, "create_time": at}}

    nodes = [
        node("1", "user", "one", 1767261600.0),
        node("2", "assistant", "first", 1767261601.0),
        node("3", "user", "two", 1767261602.5),
        node("4", "assistant", "second", 1767261603.0),
    ]
    conversation = {"title": "t", "conversation_id": "c", "create_time": 1767261600.0, "update_time": 1767261700.0}
    conversation["mapping"] = {"root": {"id": "root", "message": None}} | {each["id"]: each for each in reversed(nodes)}
    file = tmp_path / "conversations.json"
    file.write_text(json.dumps([conversation]))
    events = imported(file, "openai")
    assert [(each["event_id"], each["session_id"], each["metadata"]["prompt"]) for each in events] == [
        ("1", "c", "one"),
        ("3", "c", "two"),
    ]
    assert events[1]["metadata"] == {"title": "t", "prompt": "two", "response": "second"}
    assert events[1]["timestamp"] == "2026-01-01T10:00:02.500000"


def test_a_message_of_chatgpt_without_a_time_comes_after_the_one_that_it_follows(tmp_path: Path) -> None:
    def node(name: str, parent: str, role: str, at: float | None) -> dict[str, Any]:
        content = {"content_type": "text", "parts": [f"text {name}"]}
        message = {"id": name, "author": {"role": role}, "content": content, "create_time": at}
        return {"id": name, "parent": parent, "message": message}

    nodes = [
        node("4", "3", "assistant", None),
        node("3", "2", "user", None),
        node("2", "1", "assistant", 1767261602.5),
        node("1", "root", "user", 1767261601.0),
    ]
    conversation = {
        "conversation_id": "c",
        "create_time": 1767261600.0,
        "mapping": {each["id"]: each for each in nodes},
    }
    file = tmp_path / "conversations.json"
    file.write_text(json.dumps([conversation]))
    assert [(each["event_id"], each["timestamp"], each["metadata"]) for each in imported(file, "openai")] == [
        ("1", "2026-01-01T10:00:01", {"prompt": "text 1", "response": "text 2"}),
        ("3", "2026-01-01T10:00:02.500000", {"prompt": "text 3", "response": "text 4"}),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("first_parent", ["root", "2999"], ids=["a chain", "a circle"])
def test_a_long_conversation_of_chatgpt_without_times_is_read_whole(tmp_path: Path, first_parent: str) -> None:
    mapping = {}
    for number in range(3000):
        content = {"content_type": "text", "parts": [f"text {number}"]}
        message = {"id": str(number), "author": {"role": "user"}, "content": content, "create_time": None}
        mapping[str(number)] = {"parent": str(number - 1) if number else first_parent, "message": message}
    file = tmp_path / "conversations.json"
    file.write_text(json.dumps([{"conversation_id": "c", "create_time": 1767261600.0, "mapping": mapping}]))
    events = imported(file, "openai")
    assert sorted(int(each["event_id"]) for each in events) == list(range(3000))
    assert {each["timestamp"] for each in events} == {"2026-01-01T10:00:00"}


def test_an_event_of_posthog_is_none_of_mixpanel(tmp_path: Path) -> None:
    refused: list[RefusedRow] = []
    row = {"event": "chat", "properties": {"$session_id": "s", "prompt": "hi"}, "timestamp": "2026-01-01T10:00:00Z"}
    assert imported(lines(tmp_path / "a.ndjson", row), "mixpanel", refused) == []
    assert [(each.row, "have no time" in each.error) for each in refused] == [(1, True)]


def test_a_file_of_another_product_is_refused_and_says_what_is_missing(tmp_path: Path) -> None:
    file = lines(tmp_path / "a.ndjson", {"name": "chat", "metadata": {"prompt": "hello"}})
    for name in FORMATS:
        with pytest.raises(SourceError, match=f"no export of {name}"):
            imported(file, name)


@pytest.mark.slow
def test_the_command_reads_a_format_and_shows_it_in_a_dry_run(turret, new_project, tmp_path: Path) -> None:
    project = new_project()
    file = lines(
        tmp_path / "a.ndjson", {"event": "chat", "properties": {"time": 1767261600, "distinct_id": "d", "a": 1}}
    )
    dry = turret("import", str(file), "--format", "mixpanel", "--dry-run")
    assert dry.returncode == 0 and '"user_id": "d"' in dry.stdout.replace("'", '"'), dry.stderr
    done = turret("import", str(file), "--format", "mixpanel", "--project", project.name)
    assert done.returncode == 0 and "1 events imported" in done.stdout
    both = turret("import", str(file), "--format", "mixpanel", "--map", "a=b", "--project", project.name)
    assert both.returncode != 0 and "--map and --format" in both.stderr
    assert (
        "[posthog|mixpanel|segment|amplitude|langfuse|openai]" in CliRunner().invoke(main, ["import", "--help"]).output
    )
