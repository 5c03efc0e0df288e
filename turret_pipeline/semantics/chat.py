"""Chat-shaped values: what is asked in a conversation, and what is answered, however a client wrote it down.

A conversation is a list of turns that say by whom they are, or such a list anywhere in an object, or as JSON in a text:

    [{"role": "user", "content": "…"}]                                OpenAI, Anthropic, Mistral, Ollama
    [{"role": "user", "content": [{"type": "text", "text": "…"}]}]    the same with parts
    {"messages": […]}, {"input": {"messages": […]}}                   requests, as they are sent or traced
    {"contents": [{"role": "user", "parts": [{"text": "…"}]}]}        Gemini
    [{"role": "user", "parts": [{"type": "text", "text": "…"}]}]      Vercel AI SDK
    [{"type": "human", "data": {"content": "…"}}]                     LangChain
    [{"from": "human", "value": "…"}]                                 ShareGPT
    {"chat_history": […], "message": "…"}                             Cohere

Only the newest turn of the user counts as said: clients send the whole conversation at every turn, and the earlier
turns were said, and counted, before. What tools say is no turn of the user, whatever role a client gives it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import orjson

from turret_pipeline.semantics.blank import is_blank

USER, ASSISTANT, OTHER = "user", "assistant", "other"

_ROLES = (
    dict.fromkeys(("user", "human", "enduser", "customer", "visitor"), USER)
    | dict.fromkeys(("assistant", "ai", "model", "bot", "chatbot", "gpt", "agent"), ASSISTANT)
    | dict.fromkeys(("system", "developer", "tool", "toolresult", "function", "observation"), OTHER)
)
"""Who speaks, by the letters of the role's name."""
_BY = ("role", "author", "sender", "from", "speaker")
_SAID = ("content", "parts", "text", "message", "value")
_WRAPPED = ("message", "data", "kwargs")
"""Keys of a turn: of who speaks, of what they say, and of an object that has these in its place."""
_HISTORY = ("chat_history", "history")
_ASKED = ("message", "question", "query", "input", "prompt")
"""Keys of an object that has what is asked beside what was said before."""

_TEXT_PARTS = (None, "text", "input_text", "output_text")
_TOOL_PARTS = ("tool_result", "tool-result", "function_call_output", "function_response")
_TOOL_KEYS = ("functionResponse", "function_response", "toolResult")
_MOST_NESTED = 4
"""How deep a turn's text may lie in its content."""

_OPENINGS = frozenset("[{ \t\r\n")
_not_letters = re.compile(r"[^a-z]+")


class Exchange(NamedTuple):
    """The end of a conversation: the newest turn of the user, and the answer to it; None where there is no text."""

    asked: str | None
    answered: str | None


def newest_exchange(value: object) -> Exchange | None:
    """Return what the user asked last in the conversation that `value` holds, and the answer if one follows.

    value: any JSON value, decoded; also a text that is JSON. Return None if it holds no conversation. Of several the
    outermost counts in which a user speaks. Time grows with the size of the value, however it is nested.
    """
    found: Exchange | None = None
    for asked, turns in _conversations(value):
        if asked is not None:
            return Exchange(asked, None)
        exchange, has_user = _end_of(turns)
        if has_user:
            return exchange
        found = found or (exchange if turns else None)
    return found


def as_read(value: object) -> object:
    """Return `value` as a field's value: of a conversation what the user asked last, of all else the value itself.

    A conversation without such a text is no text either: the list or object, also where it came as JSON in a text.
    """
    if type(value) is str:
        if value[:1] not in _OPENINGS:
            return value
    elif type(value) is not list and type(value) is not dict:
        return value
    exchange = newest_exchange(value)
    if exchange is None:
        return value
    return _decoded(value) if exchange.asked is None else exchange.asked


def _conversations(value: object) -> Iterator[tuple[str | None, list[object]]]:
    """Yield the conversations in `value`, the outermost first, each with what is asked beside it."""
    level = [value]
    while level:
        deeper: list[object] = []
        for each in map(_decoded, level):
            if type(each) is dict:
                if _turn(each) is not None:
                    yield None, [each]
                    continue
                if any(type(each.get(key)) is list for key in _HISTORY):
                    yield next((each[key] for key in _ASKED if _is_said(each.get(key))), None), []
                items = list(each.values())
            elif type(each) is list:
                items = list(map(_decoded, each))
            else:
                continue
            is_conversation = any(_turn(item) is not None for item in items)
            if is_conversation:
                yield None, items
            if type(each) is dict or not is_conversation:
                deeper += items if type(each) is dict else reversed(items)
        level = [each for each in deeper if type(each) in (dict, list) or _may_be_json(each)]


def _end_of(items: list[object]) -> tuple[Exchange, bool]:
    """Return the end of a conversation, and whether a user speaks in it."""
    answered: str | None = None
    for item in reversed(items):
        found = _turn(item)
        if found is None:
            continue
        by, text = found
        if by == USER:
            return Exchange(text, answered), True
        if by == ASSISTANT:
            answered = answered or text
    return Exchange(None, answered), False


def _turn(item: object) -> tuple[str, str | None] | None:
    """Return who speaks in a turn, and the text (None: there is none); None if `item` is no turn."""
    if type(item) is not dict:
        return None
    inner: dict[str, object] = next((item[key] for key in _WRAPPED if type(item.get(key)) is dict), {})
    by = _speaker(item) or _speaker(inner)
    contents = [each[key] for each in (item, inner) for key in _SAID if key in each and each[key] is not inner]
    if by is None or not contents:
        return None
    if by == USER and any(_is_of_tools(content) for content in contents):
        return OTHER, None
    return by, next((text for text in map(_text, contents) if text is not None), None)


def _speaker(turn: dict[str, object]) -> str | None:
    for key in _BY:
        name = turn.get(key)
        if type(name) is dict:
            name = name.get("role")
        if type(name) is str and (by := _role(name)):
            return by
    name = turn.get("type")
    path = turn.get("id")  # of a class of LangChain's, as it serialises messages
    if type(path) is list and path and type(path[-1]) is str and name == "constructor":
        name = path[-1]
    by = _role(name) if type(name) is str else None
    # Of what has a type but no role, these are messages by their own name; `user` or `tool` may be a type of anything.
    return by if type(name) is str and (name in ("human", "ai") or name.endswith(("Message", "MessageChunk"))) else None


def _role(name: str) -> str | None:
    if len(name) > 40:
        return None
    letters = _not_letters.sub("", name.lower())
    return _ROLES.get(letters.removesuffix("chunk").removesuffix("message"))


def _text(content: object, nested: int = 0) -> str | None:
    """Return the texts in a turn's content, a line each; None if there are none."""
    if nested > _MOST_NESTED:
        return None
    if type(content) is str:
        parts = _decoded(content)
        if type(parts) is list and parts and all(type(part) is dict and "type" in part for part in parts):
            return _text(parts, nested + 1)
        return None if is_blank(content) else content
    if type(content) is list:
        texts = [text for part in content if (text := _text(part, nested + 1)) is not None]
        return "\n".join(texts) or None
    if type(content) is not dict or content.get("type") not in _TEXT_PARTS or content.get("thought"):
        return None
    found = (_text(content[key], nested + 1) for key in _SAID if key in content)
    return next((text for text in found if text is not None), None)


def _is_of_tools(content: object) -> bool:
    """Tell whether a turn's content is what tools gave back, and nothing else."""
    return (
        type(content) is list
        and bool(content)
        and all(
            type(part) is dict and (part.get("type") in _TOOL_PARTS or any(key in part for key in _TOOL_KEYS))
            for part in content
        )
    )


def _is_said(value: object) -> bool:
    return type(value) is str and not is_blank(value)


def _may_be_json(value: object) -> bool:
    return type(value) is str and value[:1] in _OPENINGS


def _decoded(value: object) -> object:
    """Return the list or object that a text holds as JSON; anything else as it is."""
    if type(value) is not str or not _may_be_json(value) or value.lstrip()[:1] not in ("[", "{"):
        return value
    try:
        return orjson.loads(value)
    except ValueError:
        return value
