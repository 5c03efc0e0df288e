"""Conversations as OpenAI's API takes and gives them, and as applications log them; and ChatGPT's own export.

Read are lists of `messages` (as for fine-tuning), stored completions, requests with their responses (`request` and
`response`, or the `body` of a batch), and the Responses API (`input`, `output`). Of each conversation the last message
of the user becomes `prompt` and the answer to it `response`; earlier turns are left out, for a log has them in rows of
their own. ChatGPT's `conversations.json` has each conversation once: all its exchanges become events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from turret_api.errors import invalid
from turret_api.importing.formats.format import Document, Format, Object, an_object, answered, first, opened, spoken
from turret_pipeline.semantics.chat import newest_exchange

_CONVERSATION = ("messages", "input", "prompt")
_ANSWER = ("choices", "output", "response", "completion", "answer")
_SESSION = (
    *("session_id", "sessionId", "conversation_id", "conversationId", "thread_id", "threadId", "chat_id"),
    "conversation",
)
_USER = ("user_id", "userId", "user", "safety_identifier")
_TIME = ("timestamp", "created", "created_at", "createdAt", "create_time", "time", "start_time", "startTime")
_ID = ("event_id", "id", "request_id")
_ABOUT = ("model", "temperature", "top_p", "max_tokens", "usage", "metadata", "feedback", "rating", "status", "error")


def documents(row: Object) -> Iterator[Document]:
    """Yield the exchange that a row ends with, or all of a conversation of ChatGPT's."""
    mapping = an_object(row.get("mapping"))
    if mapping:
        yield from _exchanges(row, mapping)
        return
    asked_for, given = _request(row), _response(row)
    known = {**given, **asked_for}
    known |= {**an_object(asked_for.get("metadata")), **an_object(row.get("metadata"))}
    known |= {key: value for key, value in row.items() if value is not None}
    exchange = next((found for key in _CONVERSATION if (found := newest_exchange(opened(asked_for.get(key))))), None)
    prompt = exchange.asked if exchange is not None else first(asked_for, "input", "prompt")
    answer = exchange.answered if exchange is not None else None
    if answer is None:
        answer = _answer(given)
    if prompt is None and answer is None:
        raise invalid("The row holds neither a message of a user nor an answer.")
    yield {
        "event_id": first(known, *_ID),
        "user_id": _text_or_id(first(known, *_USER)),
        "session_id": _text_or_id(first(known, *_SESSION)),
        "timestamp": first(known, *_TIME),
        "metadata": {key: known.get(key) for key in _ABOUT} | spoken(prompt, answer),
    }


def _request(row: Object) -> dict[str, Any]:
    """Return what was asked for: the row itself, or what it has as a request, or as the body of one."""
    found = an_object(row.get("request")) or an_object(row.get("body")) or dict(row)
    return an_object(found.get("body")) or found


def _response(row: Object) -> dict[str, Any]:
    found = an_object(row.get("response")) or dict(row)
    return an_object(found.get("body")) or found


def _answer(given: Object) -> Any:
    choices = opened(given.get("choices"))
    if type(choices) is list and choices:
        choice = an_object(choices[0])
        return answered(choice.get("message")) if "message" in choice else choice.get("text")
    value = first(given, *_ANSWER[1:])
    return None if value is None else answered(value)


def _text_or_id(value: Any) -> Any:
    """Return an id, or that of an object which has one, as the Responses API names conversations."""
    return value.get("id") if type(value) is dict else value


def _exchanges(row: Object, mapping: Object) -> Iterator[Document]:
    """Yield what was asked and answered in a conversation of ChatGPT's, in order of time."""
    nodes = {name: an_object(node) for name, node in mapping.items()}
    places = _places(nodes)
    messages = []
    for name in sorted(nodes, key=lambda name: places[name]):
        if message := an_object(nodes[name].get("message")):
            messages.append({**message, "create_time": places[name][0]})
    turns = [(message, newest_exchange([message])) for message in messages]
    for place, (message, turn) in enumerate(turns):
        if turn is None or turn.asked is None:
            continue
        answers = []
        for _, later in turns[place + 1 :]:
            if later is not None and later.asked is not None:
                break
            answers += [later.answered] if later is not None and later.answered is not None else []
        models = (an_object(each.get("metadata")).get("model_slug") for each, _ in turns[place:])
        yield {
            "event_id": message.get("id"),
            "session_id": first(row, "conversation_id", "id"),
            "timestamp": message.get("create_time") or row.get("create_time"),
            "metadata": {"model": next(filter(None, models), None), "title": row.get("title")}
            | spoken(turn.asked, answers[-1] if answers else None),
        }


def _places(nodes: Mapping[str, dict[str, Any]]) -> dict[str, tuple[float, int]]:
    """Return for each message when it was made, and 0; of one that does not say so when the one that it follows was.

    Then with how far behind that it stands. The time is 0 where none of those before says so.
    """
    places = {}
    for name, node in nodes.items():
        time = an_object(node.get("message")).get("create_time")
        if isinstance(time, int | float) and time > 0:
            places[name] = float(time), 0
    for name in nodes:
        path, at = [], name
        while at in nodes and at not in places:
            places[at] = 0.0, 0  # until the end is found; a circle has none
            path.append(at)
            at = str(nodes[at].get("parent"))
        time, behind = places.get(at, (0.0, 0))
        places |= {each: (time, behind + n) for n, each in enumerate(reversed(path), 1)}
    return places


FORMAT = Format(
    "openai",
    "lists of messages, stored completions, requests with responses, ChatGPT's conversations (JSON, JSON lines)",
    (frozenset({*_CONVERSATION, *_ANSWER, "request", "body", "mapping"}),),
    documents,
    "chat",
)
