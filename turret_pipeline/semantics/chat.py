"""Chat-shaped values: what is asked in a conversation, and what is answered, however a client wrote it down.

A conversation is a list of turns that say by whom they are, or such a list anywhere in an object, or either as a text,
in JSON or as Python prints it:

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

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

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
_OF_TURNS = frozenset((*_BY, *_WRAPPED, "type", "parts"))
_HISTORY = frozenset(("chat_history", "history"))
_ASKED = ("message", "question", "query", "input", "prompt")
"""Keys of an object that has what is asked beside what was said before."""

_TEXT_PARTS = (None, "text", "input_text", "output_text")
_TOOL_PARTS = ("tool_result", "tool-result", "function_call_output", "function_response")
_TOOL_KEYS = ("functionResponse", "function_response", "toolResult")
_MOST_NESTED = 4
"""How deep a turn's text may lie in its content."""

_NESTED = frozenset((dict, list))
_NESTING = _NESTED | {str}
_OPENINGS = frozenset('[{" \t\r\n')
_WORDS = {"True": "true", "False": "false", "None": "null"}
# A text without an end goes to the end, or each of its quotation marks would be tried as the beginning of one.
_python_word = re.compile(
    r"""'(?:[^'\\]|\\.)*+(?:'|\\?\Z)|"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|\b(?:True|False|None)\b""", re.DOTALL
)
# The end of a key, or of a name of who speaks, that every text with a turn in it has.
_may_hold_turns = re.compile(
    rf"(?:{'|'.join((*_BY, 'parts', 'text', 'history', 'human', 'ai', 'Message', 'MessageChunk'))})[\"'\\]"
).search
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

    The parts of one turn are their text. A conversation without a text of the user's is no text either, but the list
    or object, also where it came as a text.
    """
    if type(value) is str:
        if value[:1] not in _OPENINGS:
            return value
    elif type(value) is not list and type(value) is not dict:
        return value
    found = _decoded(value)
    exchange = newest_exchange(found)
    if exchange is None:
        return (_text(found) or value) if _are_parts(found) else value
    return found if exchange.asked is None else exchange.asked


def _conversations(value: object) -> Iterator[tuple[str | None, list[Any]]]:
    """Yield the conversations in `value`, the outermost first, each with what is asked beside it."""
    level = _nested([value])
    if level and _turn(level[0]) is not None:
        yield None, level
        return
    while level:
        deeper: list[Any] = []
        for each in level:
            if type(each) is dict and not _HISTORY.isdisjoint(each):
                yield next((each[key] for key in _ASKED if _is_said(each.get(key))), None), []
            items = _nested(each.values() if type(each) is dict else each)
            has_turns = any(_turn(item) is not None for item in items)
            if has_turns:
                yield None, items
            if type(each) is dict:
                deeper += [item for item in items if _turn(item) is None] if has_turns else items
            elif not has_turns:
                deeper += reversed(items)
        level = deeper


def _nested(values: Iterable[Any]) -> list[Any]:
    """Return the lists and objects among `values`, also those that texts hold."""
    found = [each for each in values if type(each) in _NESTING]
    return [each for each in map(_decoded, found) if type(each) in _NESTED]


def _end_of(items: list[Any]) -> tuple[Exchange, bool]:
    """Return the end of a conversation, and whether a user speaks in it."""
    answered: str | None = None
    for item in reversed(items):
        turn = _turn(item)
        if turn is not None and turn.by == USER:
            return Exchange(turn.text(), answered), True
        if turn is not None and turn.by == ASSISTANT:
            answered = answered or turn.text()
    return Exchange(None, answered), False


class _Turn(NamedTuple):
    """Who speaks, and what may hold what they say."""

    by: str
    contents: list[Any]

    def text(self) -> str | None:
        """Return what is said; None if that is no text."""
        return next((text for text in map(_text, self.contents) if text is not None), None)


def _turn(item: Any) -> _Turn | None:
    """Return what a turn holds; None if `item` is no turn."""
    if type(item) is not dict or _OF_TURNS.isdisjoint(item):
        return None
    inner: dict[str, Any] = next((item[key] for key in _WRAPPED if type(item.get(key)) is dict), {})
    by = _speaker(item) or _speaker(inner) or (USER if _is_said_by_nobody(item) else None)
    contents = [each[key] for each in (item, inner) for key in _SAID if key in each and each[key] is not inner]
    if by is None or not contents:
        return None
    return _Turn(OTHER if by == USER and any(map(_is_of_tools, contents)) else by, contents)


def _is_said_by_nobody(item: dict[str, Any]) -> bool:
    """Tell whether a turn is of Gemini's form, which leaves the role out where there is one turn."""
    parts = item.get("parts")
    return "role" not in item and type(parts) is list and any(type(each) is dict and "text" in each for each in parts)


def _speaker(turn: dict[str, Any]) -> str | None:
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
        if _are_parts(parts):
            return _text(parts, nested + 1)
        return None if is_blank(content) else content
    if type(content) is list:
        texts = [text for part in content if (text := _text(part, nested + 1)) is not None]
        return "\n".join(texts) or None
    if type(content) is not dict or content.get("type") not in _TEXT_PARTS or content.get("thought"):
        return None
    found = (_text(content[key], nested + 1) for key in _SAID if key in content)
    return next((text for text in found if text is not None), None)


def _are_parts(value: object) -> bool:
    return (
        type(value) is list
        and all(type(part) is dict and "type" in part for part in value)
        and any(part["type"] in _TEXT_PARTS[1:] for part in value)
    )


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


def _decoded(value: object) -> object:
    """Return the list or object that a text holds, if there may be a conversation in it; anything else as it is."""
    if type(value) is not str or value[:1] not in _OPENINGS or not _may_hold_turns(value):
        return value
    found: Any = value
    while type(found) is str and found.lstrip()[:1] in ("[", "{", '"'):
        try:
            found = orjson.loads(found)
        except ValueError:
            found = _python(found)
            break
    return found if type(found) in _NESTED else value


def _python(text: str) -> object:
    """Return what a text is as Python prints lists and dicts (as CSV files by pandas hold them); None if it is not.

    By way of JSON: Python's own parser may crash on what is nested too deep.
    """
    if not text.lstrip().startswith(("[{'", "{'")):
        return None
    try:
        return orjson.loads(_python_word.sub(_as_json, text))
    except (ValueError, TypeError, SyntaxError):
        return None


def _as_json(word: re.Match[str]) -> str:
    found = _WORDS.get(word[0])
    return found or orjson.dumps(ast.literal_eval(word[0]) if "\\" in word[0] else word[0][1:-1]).decode()
