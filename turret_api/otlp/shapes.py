"""What is asked and answered in the messages that spans hold, in whichever form their writer gave them.

The form that nearly all have, a list of objects with a `role`, is read here, for it is read once for every span. All
other forms are left to `turret_pipeline.semantics.chat`, which knows them. Beside the texts, what is needed to tell a
turn of the user apart from a loop of tools: how many turns there are, and which tool calls are answered or asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from turret_pipeline.semantics.blank import is_blank
from turret_pipeline.semantics.chat import newest_exchange

_USERS = frozenset(("user", "human", "customer"))
_TEXTS = (None, "text", "input_text", "output_text")
_CALLS = ("tool_call", "tool-call", "tool_use", "toolcall", "function_call")
_RESULTS = ("tool_call_response", "tool-result", "tool_result", "tool_response", "tool-return", "function_call_output")
_IDS = ("id", "toolCallId", "tool_call_id", "tool_use_id", "call_id")
_LISTS = ("messages", "input", "prompt", "contents", "input_messages", "chat_history")
_QUESTIONS = ("question", "query", "prompt", "input", "message", "text", "content", "user_input", "human_input")
_ANSWERS = ("answer", "response", "output", "completion", "content", "text", "output_text", "result")
_MOST_NESTED = 4

_decode = msgspec.json.Decoder().decode


class _Part(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    type: str = ""
    content: str | None = None
    text: str | None = None


class _Message(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What most messages are: texts alone. The decoder itself refuses all others."""

    role: str
    parts: list[_Part] | None = None
    content: str | list[_Part] | None = None
    finish_reason: str | None = None

    def text(self) -> str | None:
        """Return the text of a message that has one; None if it may be anything else."""
        content = self.parts or self.content
        if type(content) is list:
            if len(content) != 1 or content[0].type != "text":
                return None
            content = content[0].content or content[0].text
        # Nearly every text begins with a visible character of ASCII: that look costs less than a call.
        if type(content) is str and content[:1] != "[" and ("!" <= content[:1] <= "~" or not is_blank(content)):
            return content
        return None


_messages = msgspec.json.Decoder(list[_Message]).decode


class Asked(NamedTuple):
    """The end of what a model was given.

    Args:
        prompt: the newest turn of the user; None: there is none.
        n_turns: how many turns of the user there are; 0: not known.
        tools: ids of tool calls behind that turn.
    """

    prompt: str | None
    n_turns: int
    tools: tuple[str, ...]


class Answered(NamedTuple):
    """What a model gave.

    Args:
        response: its text; None: there is none.
        calls_tools: whether it ends in calls of tools, so that the turn goes on.
        tools: the ids of these.
    """

    response: str | None
    calls_tools: bool
    tools: tuple[str, ...]


NOTHING_ASKED = Asked(None, 0, ())
NOTHING_ANSWERED = Answered(None, False, ())


def asked(value: Any) -> Asked:
    """Return what is asked in `value`: a list of messages, an object that has one, a text, or JSON of these."""
    if type(value) is str and value[:2] == "[{":
        plain = _plain(value)
        if plain and plain[-1].role == "user" and (text := plain[-1].text()) is not None:
            return Asked(text, len([each for each in plain if each.role in _USERS]), ())
    found = opened(value)
    if type(found) is dict:
        found = _inner(found)
    if type(found) is str:
        return NOTHING_ASKED if is_blank(found) or _is_cut(found) else Asked(found, 1, ())
    if type(found) is list:
        if len(found) == 1 and type(found[0]) is list:
            found = found[0]  # LangChain has a list of conversations
        if _has_roles(found):
            return _end_of(found)
    exchange = newest_exchange(found)
    if exchange is not None:
        return Asked(exchange.asked, 0, ())
    text = _said(found, _QUESTIONS)
    return NOTHING_ASKED if text is None else Asked(text, 1, ())


def answered(value: Any) -> Answered:
    """Return what is answered in `value`, of the forms that `asked` takes, and answers of APIs."""
    if type(value) is str and value[:2] == "[{":
        plain = _plain(value)
        if plain and len(plain) == 1 and plain[0].role == "assistant" and (text := plain[0].text()) is not None:
            return Answered(text, False, ())
    found = opened(value)
    if type(found) is dict:
        choices = found.get("choices")
        if type(choices) is list and choices and type(choices[0]) is dict:
            found = choices[0]
        found = next((found[key] for key in ("message", "messages") if type(found.get(key)) in (dict, list)), found)
        if type(found) is dict and type(found.get("output")) is list:
            found = found["output"]
    if type(found) is str:
        return NOTHING_ANSWERED if is_blank(found) or _is_cut(found) else Answered(found, False, ())
    if type(found) is list and found and all(type(each) is dict for each in found):
        messages = found if any("role" in each for each in found) else [{"role": "assistant", "content": found}]
        return _answer_of(messages)
    if type(found) is dict and ("role" in found or "tool_calls" in found or "parts" in found):
        return _answer_of([found])
    exchange = newest_exchange(found)
    if exchange is not None and exchange.answered is not None:
        return Answered(exchange.answered, False, ())
    text = _said(found, _ANSWERS)
    return NOTHING_ANSWERED if text is None else Answered(text, False, ())


def opened(value: Any) -> Any:
    """Return the list or object that a text holds as JSON; any other value as it is."""
    if type(value) is str and value[:1] in ("[", "{", '"'):
        try:
            return _decode(value)
        except (msgspec.MsgspecError, UnicodeDecodeError, UnicodeEncodeError, RecursionError):
            return value
    return value


def _is_cut(text: str) -> bool:
    """Tell whether a text is JSON whose end is gone, as exporters that limit the length of values leave it."""
    return text.startswith(("[{", '{"'))


def _inner(found: dict[str, Any]) -> Any:
    """Return the messages in an object, or the text beside them; the object itself if there are none."""
    for key in _LISTS:
        value = found.get(key)
        if type(value) is list and value:
            return value
        if type(value) is str and key in ("input", "prompt") and not is_blank(value):
            return opened(value)
    if "args" in found or "kwargs" in found:  # of a function that OpenLLMetry decorates
        given = [*_list(found.get("args")), *_dict(found.get("kwargs")).values()]
        return given[0] if len(given) == 1 else next((each for each in given if type(each) is str), found)
    inputs = found.get("inputs")
    return _inner(inputs) if type(inputs) is dict else found


def _has_roles(items: list[Any]) -> bool:
    return bool(items) and all(
        type(each) is dict and (type(each.get("role")) is str or "type" in each) for each in items
    )


def _end_of(messages: list[Any]) -> Asked:
    """Return the newest turn of the user; what tools gave back is none, whatever role it has."""
    prompt: str | None = None
    n_turns = 0
    tools: list[str] = []
    for message in reversed(messages):
        role = message.get("role")
        if type(role) is str and role.lower() in _USERS:
            content = message.get("parts", message.get("content"))
            if type(content) is list and _are_results(content):
                if prompt is None:
                    tools += _ids(content, _RESULTS) or ()
                continue
            text = _text(content)
            n_turns += 1
            if prompt is None:
                if n_turns == 1:
                    prompt = text
                if prompt is None:
                    return Asked(None, 0, ())  # the newest turn is a picture, say
        elif prompt is None and role != "system":
            tools += _tools_of(message)
    if prompt is None:  # the messages say otherwise by whom they are, or are results of tools alone
        exchange = newest_exchange(messages)
        return Asked(None if exchange is None else exchange.asked, 0, tuple(tools))
    return Asked(prompt, n_turns, tuple(tools))


def _answer_of(messages: list[Any]) -> Answered:
    """Return the last text of the assistant, and whether tools are called behind all texts or beside the last."""
    for message in reversed(messages):
        role = message.get("role", "assistant")
        if type(role) is str and role.lower() in ("system", "tool", *_USERS):
            continue
        content = message.get("parts", message.get("content"))
        tools = _tools_of(message)
        calls_tools = bool(tools) or bool(message.get("tool_calls")) or _ids(content, _CALLS) is not None
        text = _text(content)
        if text is None and type(message.get("output_text")) is str:
            text = message["output_text"]
        if text is not None or calls_tools:
            return Answered(text, calls_tools, tuple(tools))
    return NOTHING_ANSWERED


def _tools_of(message: dict[str, Any]) -> list[str]:
    """Return the ids of the tool calls that a message asks for or answers."""
    found: list[str] = []
    calls = message.get("tool_calls")
    if type(calls) is list:
        found += [each["id"] for each in calls if type(each) is dict and type(each.get("id")) is str]
    for key in ("tool_call_id", "call_id"):
        if type(message.get(key)) is str:
            found.append(message[key])
    content = message.get("parts", message.get("content"))
    if type(content) is list:
        found += _ids(content, (*_CALLS, *_RESULTS)) or ()
    return found


def _ids(content: Any, kinds: tuple[str, ...]) -> list[str] | None:
    """Return the ids of the parts of these kinds; None if there are none."""
    if type(content) is not list:
        return None
    parts = [each for each in content if type(each) is dict and (each.get("type") or each.get("part_kind")) in kinds]
    if not parts:
        return None
    return [each[key] for each in parts for key in _IDS if type(each.get(key)) is str]


def _are_results(content: list[Any]) -> bool:
    return bool(content) and all(type(each) is dict and each.get("type") in _RESULTS for each in content)


def _plain(text: str) -> list[_Message] | None:
    """Return the messages in a text of JSON where all are plain; None if they are not."""
    try:
        return _messages(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return None


def _text(content: Any, nested: int = 0) -> str | None:
    """Return the texts in a message's content, a line each; None if there are none."""
    if type(content) is str:
        if content[:1] == "[":
            parts = opened(content)
            if type(parts) is list and parts and all(type(each) is dict and "type" in each for each in parts):
                return _text(parts, nested + 1) if nested < _MOST_NESTED else None
        return None if is_blank(content) else content
    if type(content) is list:
        if nested > _MOST_NESTED:
            return None
        texts = [text for part in content if (text := _text(part, nested + 1)) is not None]
        return "\n".join(texts) or None
    if type(content) is dict and content.get("type") in _TEXTS and nested <= _MOST_NESTED:
        return _text(content.get("text") or content.get("content") or content.get("parts"), nested + 1)
    return None


def _said(value: Any, keys: Iterable[str]) -> str | None:
    if type(value) is not dict:
        return None
    return next((value[key] for key in keys if type(value.get(key)) is str and not is_blank(value[key])), None)


def _list(value: Any) -> list[Any]:
    return value if type(value) is list else []


def _dict(value: Any) -> dict[str, Any]:
    return value if type(value) is dict else {}
