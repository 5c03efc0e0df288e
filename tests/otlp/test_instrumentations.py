"""Real instrumentations of OpenAI's client, with OpenTelemetry's SDK and exporter, against the running server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import openai
import pytest

from tests.collector.conftest import Server
from turret_api.accounts import NewProject

from .app import OPENINFERENCE, OPENLLMETRY, completion, running

BOTH = pytest.mark.parametrize("instrumentation", [OPENINFERENCE, OPENLLMETRY])


@BOTH
def test_a_turn_of_an_instrumented_app_is_one_event(
    server: Server, new_project: Callable[..., NewProject], serve_model: Any, instrumentation: str
) -> None:
    project = new_project()
    turns = iter([completion(None, "call-1"), completion("It is on its way."), completion("You are welcome.")])
    model = serve_model(lambda _: next(turns))
    url = f"http://127.0.0.1:{server.port}"
    with running(url, project.write_key, model.say, model, instrumentation) as app:
        first = app.ask("Where is my order?", "s-1", "u-1")
        history = [{"role": "user", "content": "Where is my order?"}, {"role": "assistant", "content": first}]
        app.ask("Thank you!", "s-1", "u-1", history)
        app.flush()

    events = server.wait_for_events(project.project_id, 2).sort("timestamp").to_dicts()
    read = [json.loads(each["metadata"]) for each in events]
    assert [(each["prompt"], each["response"]) for each in read] == [
        ("Where is my order?", "It is on its way."),
        ("Thank you!", "You are welcome."),
    ]
    assert {(each["session_id"], each["user_id"], each["name"]) for each in events} == {("s-1", "u-1", "chat")}
    assert [each["input_tokens"] for each in read] == [20, 10]
    assert {(each["model"], each["provider"], each["service"]) for each in read} == {("gpt-5-2026", "openai", "shop")}
    assert all(each["latency_ms"] > 0 for each in read)


@BOTH
def test_a_turn_that_is_exported_call_by_call_is_one_event(
    server: Server, new_project: Callable[..., NewProject], serve_model: Any, instrumentation: str
) -> None:
    project = new_project()

    def say(request: dict[str, Any]) -> bytes:
        app.flush()  # the calls before this one are sent while the turn goes on
        n_calls = sum(each["role"] == "tool" for each in request["messages"])
        return completion(None, f"call-{n_calls}") if n_calls < 2 else completion("It is on its way.")

    model = serve_model(say)
    url = f"http://127.0.0.1:{server.port}"
    with running(url, project.write_key, say, model, instrumentation) as app:
        app.ask("Where is my order?", "s-1", "u-1")
        app.flush()

    (event,) = server.wait_for_events(project.project_id, 1).to_dicts()
    read = json.loads(event["metadata"])
    assert (read["response"], read["input_tokens"]) == ("It is on its way.", 30)


@BOTH
def test_a_call_that_fails_is_an_event_with_its_error(
    server: Server, new_project: Callable[..., NewProject], serve_model: Any, instrumentation: str
) -> None:
    project = new_project()
    model = serve_model(lambda _: b'{"error": {"message": "no"}}', status=400)
    url = f"http://127.0.0.1:{server.port}"
    with running(url, project.write_key, model.say, model, instrumentation) as app:
        with pytest.raises(openai.BadRequestError):
            app.ask("Where is my order?", "s-1", "u-1")
        app.flush()

    (event,) = server.wait_for_events(project.project_id, 1).to_dicts()
    read = json.loads(event["metadata"])
    assert read["prompt"] == "Where is my order?" and "BadRequestError" in read["error"] and "response" not in read
