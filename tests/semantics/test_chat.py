"""Of a conversation the user's newest turn is what was said, however clients write conversations down."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turret_pipeline.semantics.blank import is_blank
from turret_pipeline.semantics.chat import Exchange, as_read, newest_exchange
from turret_pipeline.semantics.values import all_values, field_values

ASKED, ANSWERED = "And what about my luggage?", "It comes with the next flight."


def turns(user: str = "user", assistant: str = "assistant", by: str = "role", said: str = "content") -> list[Any]:
    return [
        {by: user, said: "Where is my flight?"},
        {by: assistant, said: "It is late."},
        {by: user, said: ASKED},
        {by: assistant, said: ANSWERED},
    ]


def text(words: str, kind: str = "text") -> dict[str, str]:
    return {"type": kind, "text": words}


CHAT = turns()
SYSTEM = {"role": "system", "content": "You are a travel agent."}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}],
}

CONVERSATIONS: dict[str, Any] = {
    "OpenAI": [SYSTEM, *CHAT],
    "a developer's prompt": [{"role": "developer", "content": "Be kind."}, *CHAT],
    "parts": [{"role": "user", "content": [text(ASKED)]}, {"role": "assistant", "content": [text(ANSWERED)]}],
    "parts with a picture": [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:…"}}, text(ASKED)]},
        {"role": "assistant", "content": ANSWERED},
    ],
    "parts as JSON": [{"role": "user", "content": json.dumps([text(ASKED)])}, CHAT[-1]],
    "OpenAI's responses": {
        "model": "m",
        "input": [
            {"role": "user", "content": [text(ASKED, "input_text")]},
            {"type": "function_call", "name": "find", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "[]"},
            {"type": "message", "role": "assistant", "content": [text(ANSWERED, "output_text")]},
        ],
    },
    "OpenAI's threads": [
        {"role": "user", "content": [{"type": "text", "text": {"value": ASKED, "annotations": []}}]},
        {"role": "assistant", "content": [{"type": "text", "text": {"value": ANSWERED, "annotations": []}}]},
    ],
    "Anthropic, with tools": {
        "system": "You are a travel agent.",
        "messages": [
            *CHAT[:3],
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "find", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "LH 400"}]},
            {"role": "assistant", "content": [text(ANSWERED)]},
        ],
    },
    "tools in roles of their own": [
        SYSTEM,
        *CHAT[:3],
        CALL,
        {"role": "tool", "tool_call_id": "c1", "content": "LH 400"},
        CHAT[3],
    ],
    "Gemini": {
        "contents": [
            {"role": "user", "parts": [{"text": ASKED}]},
            {"role": "model", "parts": [{"functionCall": {"name": "find", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "find", "response": {}}}]},
            {"role": "model", "parts": [{"text": "I think.", "thought": True}, {"text": ANSWERED}]},
        ]
    },
    "Vercel's AI SDK": {
        "id": "chat-1",
        "messages": [
            {"id": "1", "role": "user", "parts": [text(ASKED)]},
            {
                "id": "2",
                "role": "assistant",
                "parts": [{"type": "step-start"}, {"type": "reasoning", "text": "Hm."}, text(ANSWERED)],
            },
        ],
    },
    "Vercel's AI SDK, with content": [{"role": "user", "content": "", "parts": [text(ASKED)]}, CHAT[3]],
    "Bedrock": [{"role": "user", "content": [{"text": ASKED}]}, {"role": "assistant", "content": [{"text": ANSWERED}]}],
    "OpenTelemetry": json.dumps(
        [
            {"role": "user", "parts": [{"type": "text", "content": ASKED}]},
            {"role": "assistant", "parts": [{"type": "text", "content": ANSWERED}], "finish_reason": "stop"},
        ]
    ),
    "LangChain": [{"type": "human", "data": {"content": ASKED}}, {"type": "ai", "data": {"content": ANSWERED}}],
    "LangChain, flat": {"messages": [turns("human", "ai", "type")]},
    "LangChain, as constructors": [
        {"lc": 1, "type": "constructor", "id": ["langchain", "HumanMessage"], "kwargs": {"content": ASKED}},
        {"lc": 1, "type": "constructor", "id": ["langchain", "AIMessage"], "kwargs": {"content": ANSWERED}},
    ],
    "ShareGPT": {"conversations": turns("human", "gpt", "from", "value")},
    "ChatGPT's export": [
        {"author": {"role": "user"}, "content": {"content_type": "text", "parts": [ASKED]}},
        {"author": {"role": "assistant"}, "content": {"content_type": "text", "parts": [ANSWERED]}},
    ],
    "an agent's transcript": [{"type": each["role"], "message": each} for each in CHAT],
    "upper case": turns("USER", "CHATBOT", said="message"),
    "senders": turns("customer", "bot", "sender", "text"),
    "by number": {str(n): turn for n, turn in enumerate(CHAT)},
    "in and out": {"input": CHAT[2], "output": CHAT[3]},
    "as JSON": json.dumps({"messages": CHAT}),
    "as JSON twice": json.dumps(json.dumps(CHAT)),
    "as Python prints it": repr([{**CHAT[2], "name": None, "ok": True}, CHAT[3]]),
    "as Python prints quotation marks": repr([{"role": "user", "content": ASKED}, {**CHAT[3], "id": "it's \"\\\n"}]),
    "as Python prints it, within": {"messages": str({"messages": CHAT})},
    "as JSON, indented": "\n" + json.dumps(CHAT, indent=2),
    "JSON within": {"request": {"body": json.dumps({"messages": CHAT})}},
    "messages as JSON, each": [json.dumps(each) for each in CHAT],
    "deep": {"trace": {"spans": [{"input": {"messages": CHAT}}]}},
}


@pytest.mark.parametrize("value", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_the_newest_turn_of_the_user_is_what_was_said_and_what_follows_is_the_answer(value: Any) -> None:
    assert newest_exchange(value) == Exchange(ASKED, ANSWERED)
    assert as_read(value) == ASKED


def test_an_answer_is_one_to_the_newest_turn() -> None:
    assert newest_exchange(CHAT[:3]) == Exchange(ASKED, None)
    assert newest_exchange(CHAT[3:]) == Exchange(None, ANSWERED)


def test_what_is_asked_beside_a_history_is_newer_than_it() -> None:
    for key in ("message", "question", "input"):
        assert as_read({"chat_history": CHAT, key: "What now?"}) == "What now?"
    assert as_read({"history": [], "message": "Hello?"}) == "Hello?"
    assert as_read({"history": CHAT}) == ASKED


def test_one_turn_alone_and_parts_of_several_lines() -> None:
    assert as_read({"role": "user", "content": "Hi."}) == "Hi."
    assert as_read([{"role": "user", "content": [text("One."), text("Two.")]}]) == "One.\nTwo."
    assert as_read([text("One."), {"type": "image_url", "image_url": {}}, text("Two.")]) == "One.\nTwo."
    assert as_read(json.dumps([text("One.")])) == "One."
    assert as_read({"contents": [{"parts": [{"text": "One."}]}]}) == "One."


@pytest.mark.parametrize(
    "value",
    [
        [SYSTEM],
        [SYSTEM, CHAT[3]],
        CHAT[3],
        [CALL, {"role": "tool", "content": "LH 400"}],
        [{"role": "user", "content": [{"type": "tool_result", "content": [text("LH 400")]}]}],
        [*CHAT, {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:…"}}]}],
        [*CHAT, {"role": "user", "content": " \u200b"}],
        [{"role": "user", "content": None}],
    ],
    ids=["system", "system and answer", "answer", "tool", "tool result", "a picture", "blank", "null"],
)
def test_a_conversation_without_a_text_of_the_user_in_its_newest_turn_is_no_text(value: Any) -> None:
    assert as_read(value) == value
    assert as_read(json.dumps(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        5,
        "",
        "Where is my flight?",
        "[sic] where is it?",
        '"Hi," he said',
        '"Hi"',
        "{'a': [1}",
        "[{'a': {[]: 1}}]",
        "[{'a': " + "(" * 5_000,
        [{"type": "paragraph", "text": "x"}],
        [{"type": "text"}, "x"],
        '{"a": 1}',
        "[1, 2]",
        "{not json",
        [],
        {},
        [1, "user", None],
        ["user", "assistant"],
        [{"role": "admin", "content": "x"}],
        [{"role": "user", "name": "Bo"}],
        [{"type": "user", "value": "x"}],
        [{"type": "function", "function": {"name": "f"}}],
        {"from": "user@shop.example", "text": "x"},
        {"a": {"b": [{"c": "user"}]}},
    ],
)
def test_what_is_no_conversation_is_read_as_it_is(value: Any) -> None:
    assert newest_exchange(value) is None
    assert as_read(value) is value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["user", "assistant", "[", "{}"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "parts", "type", "text", "messages", "message", "history", "id", "data"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@given(JSON)
def test_any_value_is_read_and_as_json_the_same_is_found_in_it(value: Any) -> None:
    found = newest_exchange(value)
    if isinstance(value, (list, dict)):
        assert newest_exchange(json.dumps(value)) == found
    if found is not None:
        assert newest_exchange({"input": {"body": value}}) is not None


@given(st.text(min_size=1).filter(lambda text: not is_blank(text) and text[0] not in "[{ \t\r\n"), JSON)
def test_what_came_before_the_newest_turn_does_not_matter(said: str, before: Any) -> None:
    assert as_read([before, {"role": "user", "content": said}]) == said


@pytest.mark.parametrize("nest", ['[{"parts":' * 400 + "1" + "}]" * 400, "[" * 1000 + "]" * 1000, "[" * 100_000])
def test_what_is_nested_without_end_is_read_all_the_same(nest: str) -> None:
    assert as_read(nest) == nest
    assert as_read([{"role": "user", "content": nest}]) == nest


def test_fields_are_read_so() -> None:
    rows = [json.dumps({"chat": CHAT, "plan": "free"}), json.dumps({"chat": [SYSTEM]}), json.dumps({"chat": "Hi."})]

    assert all_values(rows) == {"chat": [ASKED, [SYSTEM], "Hi."], "plan": ["free"]}
    assert field_values(rows, ["chat"]) == {"chat": [ASKED, [SYSTEM], "Hi."]}
