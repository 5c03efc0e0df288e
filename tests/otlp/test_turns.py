"""One event for each turn of a user, however many spans tell of it, in whatever requests and order they come."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest

from .spans import TRACE, read, span, span_id, trace_id

ASKED, ANSWERED = "Where is my order?", "It is on its way."
MODEL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}


def user(text: str = ASKED) -> dict[str, Any]:
    return {"role": "user", "content": text}


def calls_tool(call_id: str = "call-1", text: str | None = None) -> dict[str, Any]:
    return {"role": "assistant", "content": text, "tool_calls": [{"id": call_id, "type": "function"}]}


def tool(call_id: str = "call-1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": "{}"}


def answer(text: str = ANSWERED) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def call(n: int, given: list[Any], gave: dict[str, Any] | None, parent: int = 1, **more: Any) -> dict[str, Any]:
    """Return a call of a model, the n-th span, beneath the span `parent`; 0: it is its trace."""
    attributes = MODEL | {"gen_ai.input.messages": given, "gen_ai.usage.input_tokens": 10}
    if gave is not None:
        attributes["gen_ai.output.messages"] = [gave]
    about = more.pop("attributes", {})
    more.setdefault("start_s", n)
    return span(attributes | about, own_id=span_id(n), parent=span_id(parent) if parent else "", **more)


def agent(n: int = 1, asked: str = ASKED, parent: int = 0, **more: Any) -> dict[str, Any]:
    """Return the span of an agent around the calls that come before it."""
    attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support", "input.value": asked}
    attributes |= {"output.value": more.pop("gave", ANSWERED)}
    more = {"start_s": n, "took_s": 60.0} | more
    return span(attributes, own_id=span_id(n), parent=span_id(parent) if parent else "", **more)


def other(n: int, parent: int = 0) -> dict[str, Any]:
    """Return a span of something else around calls."""
    return span({"http.request.method": "POST"}, own_id=span_id(n), parent=span_id(parent) if parent else "")


LOOP = [
    call(2, [user()], calls_tool("call-1", "Let me see.")),
    call(3, [user(), calls_tool("call-1"), tool("call-1")], calls_tool("call-2")),
    call(4, [user(), calls_tool("call-1"), tool("call-1"), calls_tool("call-2"), tool("call-2")], answer()),
]


@pytest.mark.parametrize("cut", range(1, 5))
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_a_loop_of_tools_is_one_event_with_the_last_answer_however_its_spans_come(taker, order, cut: int) -> None:
    spans = [*(LOOP[n] for n in order), agent()]
    events = [*taker.take(*read(*spans[:cut])), *taker.take(*read(*spans[cut:])), *taker.give_up()]
    ids = {each["id"] for each in events}
    assert len(ids) == 1  # so the server stores the first of them
    assert (events[0]["prompt"], events[0]["response"]) == (ASKED, ANSWERED)


def test_the_calls_of_a_loop_add_up(taker) -> None:
    assert taker.take(*read(LOOP[0])) == taker.take(*read(LOOP[1])) == []
    (event,) = taker.take(*read(LOOP[2]))
    assert event["input_tokens"] == 30
    assert event["latency_ms"] == 3500.0
    assert event["timestamp_us"] % 10**9 == 2_000_000


def test_a_call_that_is_sent_again_while_its_turn_waits_counts_once(taker) -> None:
    for _ in range(3):
        assert taker.take(*read(LOOP[0])) == []
    (event,) = taker.take(*read(LOOP[1], LOOP[2]))
    assert event["input_tokens"] == 30


def test_what_wraps_a_call_does_not_double_it(taker) -> None:
    assert len(taker.take(*read(call(2, [user()], answer()), agent()))) == 1
    (first,) = taker.take(*read(call(2, [user()], answer())))
    assert first["model"] == "m"
    assert taker.take(*read(agent(asked="The same in other words"))) == []


def test_what_wraps_a_call_by_way_of_other_spans_does_not_double_it(taker) -> None:
    taker.take(*read(call(4, [user()], answer(), parent=3)))
    assert taker.take(*read(other(3, parent=2))) == []
    assert taker.take(*read(agent(2, asked="Another text", parent=1), other(1))) == []


def test_what_wraps_no_call_is_an_event_itself(taker) -> None:
    (event,) = taker.take(*read(agent()))
    assert (event["prompt"], event["response"], event["agent"]) == (ASKED, ANSWERED, "support")


def test_of_what_wraps_one_another_the_outermost_counts(taker) -> None:
    (event,) = taker.take(*read(agent(3, "a rewritten question", parent=2), other(2, parent=1), agent(1)))
    assert event["prompt"] == ASKED
    assert len(taker.take(*read(agent(3, "a rewritten question", parent=2)))) == 1
    assert taker.take(*read(other(2, parent=1), agent(1))) == []


def test_agents_beside_one_another_are_each_a_turn(taker) -> None:
    found = taker.take(*read(agent(2, "first", parent=1), agent(3, "second", parent=1), other(1)))
    assert [each["prompt"] for each in found] == ["first", "second"]


def test_the_agent_s_answer_stands_for_one_that_its_calls_do_not_give(taker) -> None:
    (event,) = taker.take(*read(call(2, [user()], calls_tool()), agent(gave="Sunny, 25 degrees")))
    assert (event["prompt"], event["response"], event["model"]) == (ASKED, "Sunny, 25 degrees", "m")


def test_a_turn_that_ends_in_a_tool_call_is_an_event_when_its_trace_ends(taker) -> None:
    assert taker.take(*read(call(2, [user()], calls_tool()))) == []
    (event,) = taker.take(*read(other(1)))
    assert event["prompt"] == ASKED and "response" not in event


def test_a_turn_that_ends_in_a_tool_call_is_an_event_when_it_has_waited(taker) -> None:
    assert taker.take(*read(call(2, [user()], calls_tool(), parent=0))) == []
    assert [each["prompt"] for each in taker.give_up()] == [ASKED]


def test_a_call_that_fails_ends_its_turn(taker) -> None:
    (event,) = taker.take(*read(LOOP[0], call(3, [user(), calls_tool(), tool()], None, error="too long")))
    assert (event["prompt"], event["error"]) == (ASKED, "too long")


def test_a_loop_whose_calls_are_traces_of_their_own_is_one_event(taker) -> None:
    first = call(2, [user()], calls_tool("call-77"), parent=0, trace=trace_id(1))
    last = call(3, [user(), calls_tool("call-77"), tool("call-77")], answer(), parent=0, trace=trace_id(2))
    assert taker.take(*read(first)) == []
    (event,) = taker.take(*read(last))
    assert event["id"].startswith(trace_id(1)) and (event["prompt"], event["response"]) == (ASKED, ANSWERED)
    (event,) = taker.take(*read(first, last))
    assert event["input_tokens"] == 20


def test_the_turns_of_a_conversation_in_one_trace_are_each_an_event(taker) -> None:
    history: list[dict[str, Any]] = []
    prompts, ids = [], set()
    for n, text in enumerate(("Hello", "Continue", "Continue"), 2):
        history += [user(text)]
        (event,) = taker.take(*read(call(n, list(history), answer())))
        history += [answer()]
        prompts.append(event["prompt"])
        ids.add(event["id"])
    assert prompts == ["Hello", "Continue", "Continue"] and len(ids) == 3


def test_another_call_for_a_turn_that_is_stored_is_a_duplicate_of_it(taker) -> None:
    (first,) = taker.take(*read(call(2, [user()], answer())))
    (again,) = taker.take(*read(call(3, [user()], answer("In other words."))))
    assert first["id"] == again["id"]


def test_the_same_question_in_two_traces_is_two_events(taker) -> None:
    first, second = taker.take(*read(*(call(2, [user()], answer(), trace=trace_id(n)) for n in (1, 2))))
    assert first["id"] != second["id"]


def test_results_of_tools_are_no_turn_of_the_user(taker) -> None:
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call-1", "content": "18 degrees"}]}
    uses = {"role": "assistant", "content": [{"type": "tool_use", "id": "call-1", "name": "weather"}]}
    (event,) = taker.take(*read(call(2, [user()], uses), call(3, [user(), uses, result], answer())))
    assert (event["prompt"], event["response"]) == (ASKED, ANSWERED)


def test_a_loop_that_sends_the_results_of_tools_alone_is_one_event(taker) -> None:
    assert taker.take(*read(call(2, [user()], calls_tool("call-5")))) == []
    assert taker.take(*read(call(3, [tool("call-5")], calls_tool("call-6")))) == []
    (event,) = taker.take(*read(call(4, [tool("call-6")], answer())))
    assert (event["prompt"], event["response"], event["input_tokens"]) == (ASKED, ANSWERED, 30)


def test_a_trace_of_thousands_of_wrappers_is_taken_in_time(taker) -> None:
    spans = [agent(n, f"step {n}", parent=n // 2) for n in range(1, 3000)]
    calls = [call(n, [user(f"question {n}")], answer(), parent=n // 4) for n in range(3000, 4000)]
    began = time.perf_counter()
    events = taker.take(*read(*spans, *calls))
    assert len(events) >= 1000 and time.perf_counter() - began < 10


def test_a_session_that_one_span_of_a_trace_names_is_that_of_its_events(taker) -> None:
    named = agent() | {"attributes": agent()["attributes"] + span({"session.id": "s", "user.id": "u"})["attributes"]}
    (event,) = taker.take(*read(call(2, [user()], answer()), named))
    assert (event["session"], event["user"]) == ("s", "u")
    about = {"attributes": {"session.id": "other"}}
    (event,) = taker.take(*read(call(2, [user("Hm")], answer(), **about), call(3, [user()], None), named))[:1]
    assert event["session"] == "other"


def test_without_a_session_the_trace_is_one(taker) -> None:
    (event,) = taker.take(*read(call(2, [user()], answer())))
    assert event["session"] == TRACE


def test_when_too_many_turns_wait_further_ones_are_events_at_once(taker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turret_api.otlp.memory._MOST_WAITING", 2)
    for n in range(2):
        assert taker.take(*read(call(2, [user()], calls_tool(f"c-{n}"), trace=trace_id(n + 1)))) == []
    assert len(taker.take(*read(call(2, [user()], calls_tool("c-9"), trace=trace_id(9))))) == 1


def test_what_is_remembered_is_bounded(taker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turret_api.otlp.memory._MOST_TRACES", 5)
    for n in range(20):
        taker.take(*read(call(2, [user()], answer(), trace=trace_id(n + 1))))
    assert [taker.memory.trace("p", trace_id(n + 1)) is None for n in (0, 14, 15, 19)] == [True, True, False, False]
