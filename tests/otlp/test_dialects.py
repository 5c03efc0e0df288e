"""What each writer of spans says, and what it does not: tables of cases with their near misses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .spans import read, read_logs, record, span

ASKED = "Where is my order?"
ANSWERED = "It is on its way."


def messages(*pairs: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"role": role, "content": content} for role, content in pairs]


def parts(*pairs: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"role": role, "parts": [{"type": "text", "content": content}]} for role, content in pairs]


CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5"}
DIALOGUE = messages(("system", "Be kind."), ("user", "Hello"), ("assistant", "Hi!"), ("user", ASKED))
SAID = {"prompt": ASKED, "response": ANSWERED}

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "GenAI, JSON in a text": (
        CHAT
        | {
            "gen_ai.conversation.id": "c-1",
            "gen_ai.input.messages": json.dumps(parts(("system", "Be kind."), ("user", ASKED))),
            "gen_ai.output.messages": json.dumps([{**parts(("assistant", ANSWERED))[0], "finish_reason": "stop"}]),
            "gen_ai.response.model": "gpt-5-2026",
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.usage.input_tokens": 12,
            "gen_ai.usage.output_tokens": 34,
        },
        SAID
        | {
            "session": "c-1",
            "model": "gpt-5-2026",
            "provider": "openai",
            "operation": "chat",
            "finish_reason": "stop",
            "input_tokens": 12,
            "output_tokens": 34,
            "latency_ms": 1500.0,
            "name": "chat",
        },
    ),
    "GenAI, structured": (
        CHAT
        | {
            "gen_ai.input.messages": parts(("user", "Hello"), ("assistant", "Hi!"), ("user", ASKED)),
            "gen_ai.output.messages": parts(("assistant", ANSWERED)),
        },
        SAID | {"model": "gpt-5"},
    ),
    "GenAI, older attributes": (
        {"gen_ai.system": "anthropic", "gen_ai.request.model": "m", "gen_ai.prompt": json.dumps(DIALOGUE),
         "gen_ai.completion": json.dumps(messages(("assistant", ANSWERED)))},
        SAID | {"provider": "anthropic"},
    ),
    "OpenLLMetry": (
        {
            "llm.request.type": "chat",
            "gen_ai.system": "OpenAI",
            "gen_ai.request.model": "gpt-5",
            "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "Be kind.",
            "gen_ai.prompt.1.role": "user",
            "gen_ai.prompt.1.content": ASKED,
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": ANSWERED,
            "gen_ai.completion.0.finish_reason": "stop",
            "gen_ai.usage.prompt_tokens": 5,
            "gen_ai.usage.completion_tokens": 6,
            "traceloop.association.properties.session_id": "s-1",
            "traceloop.association.properties.user_id": "u-1",
            "traceloop.association.properties.plan": "free",
            "traceloop.workflow.name": "support",
        },
        SAID | {"session": "s-1", "user": "u-1", "plan": "free", "name": "support", "input_tokens": 5,
                "output_tokens": 6},
    ),
    "OpenLLMetry, a workflow": (
        {"traceloop.span.kind": "workflow", "traceloop.entity.input": json.dumps({"args": [ASKED], "kwargs": {}}),
         "traceloop.entity.output": json.dumps(ANSWERED)},
        SAID,
    ),
    "OpenInference": (
        {
            "openinference.span.kind": "LLM",
            "session.id": "s-2",
            "user.id": "u-2",
            "llm.model_name": "claude",
            "llm.provider": "anthropic",
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.content": ASKED,
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": ANSWERED,
            "llm.token_count.prompt": 7,
            "llm.token_count.completion": 8,
            "llm.cost.total": 0.25,
            "metadata": json.dumps({"plan": "pro"}),
            "tag.tags": ["beta"],
        },
        SAID
        | {"session": "s-2", "user": "u-2", "model": "claude", "provider": "anthropic", "input_tokens": 7,
           "output_tokens": 8, "cost": 0.25, "plan": "pro", "tags": ["beta"]},
    ),
    "OpenInference, parts": (
        {
            "openinference.span.kind": "LLM",
            "llm.input_messages.1.message.role": "user",
            "llm.input_messages.1.message.contents.0.message_content.type": "text",
            "llm.input_messages.1.message.contents.0.message_content.text": ASKED,
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.contents.0.message_content.type": "text",
            "llm.output_messages.0.message.contents.0.message_content.text": ANSWERED,
        },
        SAID,
    ),
    "OpenInference, values alone": (
        {"openinference.span.kind": "CHAIN", "input.value": ASKED, "output.value": ANSWERED}, SAID,
    ),
    "OpenInference, a request as value": (
        {"openinference.span.kind": "LLM", "input.value": json.dumps({"model": "m", "messages": DIALOGUE}),
         "output.value": json.dumps({"choices": [{"message": {"role": "assistant", "content": ANSWERED}}]})},
        SAID,
    ),
    "OpenInference, the Responses API": (
        {"openinference.span.kind": "LLM", "input.value": json.dumps({"model": "m", "input": ASKED}),
         "output.value": json.dumps({"output": [{"type": "message", "role": "assistant", "content": [
             {"type": "output_text", "text": ANSWERED}]}]})},
        SAID,
    ),
    "Langfuse": (
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.input": json.dumps(DIALOGUE),
            "langfuse.observation.output": json.dumps({"role": "assistant", "content": ANSWERED}),
            "langfuse.observation.model.name": "gpt-5",
            "langfuse.observation.usage_details": json.dumps({"input": 3, "output": 4, "total": 7}),
            "langfuse.observation.cost_details": json.dumps({"input": 0.5, "output": 0.25}),
            "langfuse.trace.name": "answer-question",
            "langfuse.trace.tags": ["a", "b"],
            "langfuse.trace.metadata.plan": "free",
            "langfuse.environment": "production",
            "langfuse.release": "v5",
            "langfuse.session.id": "s-3",
            "langfuse.user.id": "u-3",
        },
        SAID
        | {"session": "s-3", "user": "u-3", "model": "gpt-5", "input_tokens": 3, "output_tokens": 4, "cost": 0.75,
           "name": "answer-question", "tags": ["a", "b"], "plan": "free", "environment": "production",
           "release": "v5"},
    ),
    "Langfuse, a trace": (
        {"langfuse.observation.type": "span", "langfuse.trace.input": json.dumps({"question": ASKED}),
         "langfuse.trace.output": ANSWERED, "session.id": "s"},
        SAID | {"session": "s"},
    ),
    "Vercel AI SDK": (
        {
            "ai.operationId": "ai.streamText.doStream",
            "ai.prompt.messages": json.dumps([{"role": "user", "content": [{"type": "text", "text": ASKED}]}]),
            "ai.response.text": ANSWERED,
            "ai.response.finishReason": "stop",
            "ai.model.id": "gpt-5",
            "ai.model.provider": "openai.chat",
            "ai.usage.inputTokens": 1,
            "ai.usage.outputTokens": 2,
            "ai.telemetry.functionId": "chat-page",
            "ai.telemetry.metadata.sessionId": "s-4",
            "ai.telemetry.metadata.userId": "u-4",
            "ai.telemetry.metadata.plan": "pro",
        },
        SAID | {"session": "s-4", "user": "u-4", "model": "gpt-5", "name": "chat-page", "plan": "pro",
                "input_tokens": 1, "output_tokens": 2, "finish_reason": "stop"},
    ),
    "Vercel AI SDK, the outer span": (
        {"ai.operationId": "ai.generateText", "ai.prompt": json.dumps({"system": "Be kind.", "prompt": ASKED}),
         "ai.response.text": ANSWERED},
        SAID,
    ),
    "Pydantic AI, messages as events": (
        {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "events": json.dumps([
            {"event.name": "gen_ai.system.message", "content": "Be kind.", "role": "system"},
            {"event.name": "gen_ai.user.message", "content": ASKED, "role": "user"},
            {"event.name": "gen_ai.choice", "index": 0, "message": {"role": "assistant", "content": ANSWERED}}])},
        SAID,
    ),
    "Pydantic AI, an agent's run": (
        {"agent_name": "support", "model_name": "m", "final_result": ANSWERED,
         "pydantic_ai.all_messages": json.dumps(parts(("user", ASKED), ("assistant", ANSWERED)))},
        SAID | {"agent": "support", "model": "m"},
    ),
    "LangChain": (
        {"openinference.span.kind": "LLM", "input.value": json.dumps({"messages": [[
            {"type": "human", "data": {"content": ASKED}}]]}), "output.value": ANSWERED},
        SAID,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_call_becomes_an_event_with_plain_names(take, case: str) -> None:
    attributes, expected = CASES[case]
    (event,) = take(*read(span(attributes)))
    assert {key: event.get(key) for key in expected} == expected


EVENTS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "the details of the call": [
        ("gen_ai.client.inference.operation.details",
         {"gen_ai.input.messages": json.dumps(parts(("user", ASKED))),
          "gen_ai.output.messages": json.dumps(parts(("assistant", ANSWERED)))}),
    ],
    "an event for each message": [
        ("gen_ai.system.message", {"content": "Be kind."}),
        ("gen_ai.user.message", {"content": "Hello"}),
        ("gen_ai.assistant.message", {"content": "Hi!"}),
        ("gen_ai.user.message", {"content": ASKED}),
        ("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": json.dumps({"content": ANSWERED})}),
    ],
    "prompt and completion": [
        ("gen_ai.content.prompt", {"gen_ai.prompt": json.dumps(DIALOGUE)}),
        ("gen_ai.content.completion", {"gen_ai.completion": json.dumps(messages(("assistant", ANSWERED)))}),
    ],
}  # fmt: skip


@pytest.mark.parametrize("case", EVENTS)
def test_texts_may_stand_in_events_of_the_span(take, case: str) -> None:
    (event,) = take(*read(span(CHAT, events=EVENTS[case])))
    assert (event["prompt"], event["response"], event["model"]) == (ASKED, ANSWERED, "gpt-5")


def test_the_details_of_a_call_may_be_a_log_record(take) -> None:
    attributes = CHAT | {
        "gen_ai.input.messages": parts(("user", ASKED)),
        "gen_ai.output.messages": parts(("assistant", ANSWERED)),
        "gen_ai.conversation.id": "c",
    }
    details = record("gen_ai.client.inference.operation.details", attributes=attributes)
    (event,) = take(*read_logs(details))
    assert (event["prompt"], event["response"], event["session"], event["model"]) == (ASKED, ANSWERED, "c", "gpt-5")


def test_log_records_that_name_no_span_are_events_of_their_own(take) -> None:
    attributes = CHAT | {"gen_ai.input.messages": parts(("user", ASKED))}
    details = record("gen_ai.client.inference.operation.details", attributes=attributes, trace="", own_id="")
    assert [each["prompt"] for each in take(*read_logs(details, details))] == [ASKED, ASKED]


def test_messages_in_log_records_wait_for_their_span(taker) -> None:
    records = [
        record("gen_ai.user.message", {"content": ASKED}),
        record("gen_ai.choice", {"index": 0, "message": {"content": ANSWERED}}),
    ]
    call = CHAT | {"gen_ai.usage.input_tokens": 4}
    assert taker.take(*read_logs(*records)) == []
    (event,) = taker.take(*read(span(call)))
    assert (event["prompt"], event["response"], event["input_tokens"]) == (ASKED, ANSWERED, 4)


def test_a_span_without_texts_lends_its_model_to_log_records_that_come_later(taker) -> None:
    assert taker.take(*read(span(CHAT | {"gen_ai.usage.input_tokens": 4}))) == []
    (event,) = taker.take(*read_logs(record("gen_ai.user.message", {"content": ASKED})))
    assert (event["prompt"], event["model"], event["input_tokens"]) == (ASKED, "gpt-5", 4)


def test_messages_whose_span_never_comes_are_an_event_all_the_same(taker) -> None:
    taker.take(*read_logs(record("gen_ai.user.message", {"content": ASKED})))
    assert [each["prompt"] for each in taker.give_up()] == [ASKED]


NO_EVENT: dict[str, dict[str, Any]] = {
    "HTTP": {"http.request.method": "POST", "url.full": "https://api.openai.com/v1/chat/completions"},
    "a database": {"db.system": "postgresql", "db.query.text": "SELECT 1", "session.id": "s"},
    "a tool": {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "input.value": ASKED},
    "a tool of OpenInference": {"openinference.span.kind": "TOOL", "input.value": ASKED, "output.value": "x"},
    "a retriever": {"openinference.span.kind": "RETRIEVER", "input.value": ASKED},
    "embeddings": {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "m", "gen_ai.prompt.0.content": "x"},
    "embeddings of Vercel's": {"ai.operationId": "ai.embed.doEmbed", "ai.model.id": "m", "ai.value": "x"},
    "a tool call of Vercel's": {"ai.operationId": "ai.toolCall", "ai.toolCall.args": "{}", "ai.prompt": ASKED},
    "a tool of OpenLLMetry's": {"traceloop.span.kind": "tool", "traceloop.entity.input": ASKED},
    "a retriever of Langfuse's": {"langfuse.observation.type": "retriever", "langfuse.observation.input": ASKED},
    "a guardrail": {"openinference.span.kind": "GUARDRAIL", "input.value": ASKED},
    "a call without texts": CHAT,
    "a call whose texts are cut": CHAT | {"gen_ai.input.messages": '[{"role": "user", "content": "Where i'},
    "a chain of numbers": {"openinference.span.kind": "CHAIN", "input.value": json.dumps({"n": 3})},
    "blank texts": CHAT | {"gen_ai.input.messages": messages(("user", " \u200b\n"))},
}


@pytest.mark.parametrize("case", NO_EVENT)
def test_what_is_no_turn_of_a_user_is_left_out(taker, case: str) -> None:
    assert taker.take(*read(span(NO_EVENT[case]))) == taker.give_up() == []


def test_an_answer_without_a_prompt_is_an_event_by_the_id_of_its_span(take) -> None:
    attributes = CHAT | {
        "gen_ai.input.messages": messages(("system", "Greet.")),
        "gen_ai.output.messages": messages(("assistant", ANSWERED)),
    }
    (event,) = take(*read(span(attributes)))
    assert event["id"] == f"{'a' * 31}1-{'b' * 15}1" and event["response"] == ANSWERED and "prompt" not in event


SCORES: list[tuple[dict[str, Any], Any]] = [
    ({"gen_ai.evaluation.score.value": 0.75, "gen_ai.evaluation.score.label": "good"}, 0.75),
    ({"gen_ai.evaluation.score.label": "good"}, "good"),
    ({"gen_ai.evaluation.score.value": "4"}, 4.0),
    ({"gen_ai.evaluation.explanation": "because"}, None),
]


@pytest.mark.parametrize(("attributes", "score"), SCORES)
def test_evaluations_of_a_call_are_scores(take, attributes: dict[str, Any], score: Any) -> None:
    called = CHAT | {"gen_ai.input.messages": messages(("user", ASKED))}
    evaluation = "gen_ai.evaluation.result", {"gen_ai.evaluation.name": "Relevance", **attributes}
    (event,) = take(*read(span(called, events=[evaluation])))
    assert event.get("score_Relevance") == score


def test_an_evaluation_that_comes_alone_is_an_event_of_the_same_session(taker) -> None:
    called = CHAT | {"gen_ai.input.messages": messages(("user", ASKED)), "session.id": "s"}
    taker.take(*read(span(called)))
    result = {"gen_ai.evaluation.name": "Relevance", "gen_ai.evaluation.score.value": 1.0}
    (event,) = taker.take(*read_logs(record("gen_ai.evaluation.result", attributes=result)))
    assert (event["name"], event["session"], event["score_Relevance"]) == ("evaluation", "s", 1.0)
    assert "prompt" not in event


def test_a_failed_call_says_its_error(take) -> None:
    called = CHAT | {"gen_ai.input.messages": messages(("user", ASKED))}
    raised = ("exception", {"exception.type": "openai.RateLimitError", "exception.message": "slow down"})
    found = [
        take(*read(span(called | more, error=error, events=events)))[0]["error"]
        for more, error, events in [
            ({"error.type": "timeout"}, "it took too long", []),
            ({}, "it took too long", [raised]),
            ({}, "it took too long", []),
            ({}, "", []),
        ]
    ]
    assert found == ["timeout", "openai.RateLimitError", "it took too long", "error"]


def test_the_service_and_its_release_are_fields(take) -> None:
    resource = {"service.name": "shop", "service.version": "5.1", "deployment.environment.name": "staging"}
    called = span(CHAT | {"gen_ai.input.messages": messages(("user", ASKED))})
    (event,) = take(*read(called, resource=resource))
    assert (event["service"], event["release"], event["environment"]) == ("shop", "5.1", "staging")
    (event,) = take(*read(called, resource={"service.name": "unknown_service:python"}))
    assert "service" not in event
