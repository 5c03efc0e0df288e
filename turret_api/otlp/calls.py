"""From a span to what it says: a call of a model, what wraps such calls, scores, or nothing that Turret counts.

All dialects are read by the same steps, for writers mix them: what kind of span it is, what was asked and answered, and
the other attributes by the names of `turret_api.otlp.names`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from turret_api.otlp import names
from turret_api.otlp.shapes import NOTHING_ANSWERED, NOTHING_ASKED, Answered, Asked, answered, asked, opened
from turret_api.otlp.wire import Happened, Span

CALL, WRAPPER, SCORES = "call", "wrapper", "scores"
_NEITHER = ""
_OPERATIONS = {
    "chat": CALL,
    "text_completion": CALL,
    "generate_content": CALL,
    "completion": CALL,
    "invoke_agent": WRAPPER,
    "invoke_workflow": WRAPPER,
    "create_agent": _NEITHER,
    "execute_tool": _NEITHER,
    "embeddings": _NEITHER,
    "retrieval": _NEITHER,
}
_KINDS = {"LLM": CALL, "AGENT": WRAPPER, "CHAIN": WRAPPER}
_OBSERVATIONS = {"generation": CALL, "span": WRAPPER, "agent": WRAPPER, "chain": WRAPPER}
_REQUEST_TYPES = {"chat": CALL, "completion": CALL}
_ENTITIES = {"workflow": WRAPPER, "agent": WRAPPER, "task": WRAPPER}
_VERCEL = dict.fromkeys(("ai.generateText", "ai.streamText", "ai.generateObject", "ai.streamObject"), WRAPPER)
_MODELS = (
    "gen_ai.request.model",
    "gen_ai.response.model",
    "gen_ai.input.messages",
    "gen_ai.prompt.0.role",
    "llm.model_name",
    names.REQUEST_TYPE,
)
_INPUTS = ("langfuse.trace.input", "langfuse.observation.input", "input.value", "traceloop.entity.input")
_PARTS = 50
_MESSAGES = 2_000
"""Parts of a message, and messages, that are looked for among attributes."""


class Said(msgspec.Struct, gc=False):
    """What a span says.

    Args:
        kind: `CALL`, `WRAPPER` or `SCORES`.
        trace_id: of the span; see `Span` for this and what follows.
        span_id: likewise.
        parent_id: likewise.
        is_whole: likewise.
        start_us: likewise.
        end_us: likewise.
        asked: what the model, or what wraps it, was given.
        answered: what it gave; `calls_tools`: the turn goes on.
        about: session, user and name, where they are said.
        fields: other values by their names.
        own: what the application itself noted.
    """

    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    is_whole: bool
    start_us: int
    end_us: int
    asked: Asked
    answered: Answered
    about: dict[str, str]
    fields: dict[str, Any]
    own: dict[str, Any]


def all_said(spans: Iterable[Span]) -> Iterator[Said]:
    """Yield what each of `spans` says, but for those that say nothing that Turret counts."""
    resource, shared = None, {}
    for span in spans:
        if span.resource is not resource:
            resource = span.resource
            shared = fields_of(resource)
        found = said(span, shared)
        if found is not None:
            yield found


def said(span: Span, shared: dict[str, Any]) -> Said | None:
    """Return what a span says; None if that is nothing that Turret counts. shared: fields of its resource."""
    kind = _kind_of(span)
    events = span.events
    details = next((each for each in events if each.name == names.DETAILS), None) if events else None
    attributes = span.attributes if details is None else {**span.attributes, **details.attributes}
    scores = _scores(events, attributes) if events or names.SCORE_NAME in attributes else {}
    if not kind:
        if not scores:
            return None
        kind = SCORES
    given, gave = NOTHING_ASKED, NOTHING_ANSWERED
    if kind != SCORES:
        given, gave = _asked(attributes, events), _answered(attributes, events)
    about, fields, own = _read(attributes, shared)
    if not gave.calls_tools and (fields.get("finish_reason") in names.TOOL_FINISHES or names.TOOL_CALLS in attributes):
        tools = _vercel_tools(attributes.get(names.TOOL_CALLS))
        if tools or fields.get("finish_reason") in names.TOOL_FINISHES:
            gave = Answered(gave.response, True, gave.tools or tools)
    if span.error is not None or (events and any(each.name == "exception" for each in events)):
        fields.setdefault("error", _error(span))
    if scores:
        fields |= scores
    return Said(
        kind,
        span.trace_id,
        span.span_id,
        span.parent_id,
        span.is_whole,
        span.start_us,
        span.end_us,
        given,
        gave,
        about,
        fields,
        own,
    )


def _kind_of(span: Span) -> str:
    """Return what a span is: `CALL`, `WRAPPER`, or "" for neither; of log records those of a call count."""
    a = span.attributes
    if not span.is_whole:
        names_ = {each.name for each in span.events}
        if not names_.isdisjoint(names.MESSAGE_EVENTS) or names.CHOICE in names_:
            return CALL
        details = next((each.attributes for each in span.events if each.name == names.DETAILS), None)
        return _NEITHER if details is None else _OPERATIONS.get(str(details.get(names.OPERATION)), CALL)
    operation = a.get(names.OPERATION_ID)
    if type(operation) is str:
        if operation.endswith((".doGenerate", ".doStream")):
            return CALL
        return _VERCEL.get(operation, _NEITHER)
    if "all_messages_events" in a or "pydantic_ai.all_messages" in a:
        return WRAPPER
    if names.OBSERVATION in a:
        return _OBSERVATIONS.get(str(a[names.OBSERVATION]).lower(), _NEITHER)
    if names.OPENINFERENCE in a:
        return _KINDS.get(str(a[names.OPENINFERENCE]).upper(), _NEITHER)
    if names.REQUEST_TYPE in a:
        return _REQUEST_TYPES.get(str(a[names.REQUEST_TYPE]).lower(), _NEITHER)
    if names.ENTITY in a:
        return _ENTITIES.get(str(a[names.ENTITY]).lower(), _NEITHER)
    operation = a.get(names.OPERATION)
    if type(operation) is str and operation in _OPERATIONS:
        return _OPERATIONS[operation]
    if any(key in a for key in names.OF_TOOLS):
        return _NEITHER
    if any(key in a for key in _MODELS):
        return CALL
    if any(key in a for key in _INPUTS):
        return WRAPPER
    for each in span.events:
        if each.name == names.DETAILS or each.name == names.CHOICE or each.name in names.MESSAGE_EVENTS:
            return CALL
    return _NEITHER


def _asked(attributes: dict[str, Any], events: list[Happened]) -> Asked:
    for key in names.ASKED[:2]:
        if key in attributes and (found := asked(attributes[key])) != NOTHING_ASKED:
            return found
    for before, behind in names.FLAT_ASKED:
        if (messages := _flat(attributes, before, behind)) and (found := asked(messages)) != NOTHING_ASKED:
            return found
    if events:
        messages = _messages(events)
        if messages and (found := asked(messages)) != NOTHING_ASKED:
            return found
        for each in events:
            if (
                each.name in names.PROMPT_EVENTS
                and (found := asked(each.attributes.get("gen_ai.prompt"))) != NOTHING_ASKED
            ):
                return found
    for key in names.ASKED[2:]:
        if key in attributes and (found := asked(_unfolded(key, attributes[key]))) != NOTHING_ASKED:
            return found
    return NOTHING_ASKED


def _answered(attributes: dict[str, Any], events: list[Happened]) -> Answered:
    for key in names.ANSWERED[:2]:
        if key in attributes and (found := answered(attributes[key])) != NOTHING_ANSWERED:
            return found
    for before, behind in names.FLAT_ANSWERED:
        if (messages := _flat(attributes, before, behind)) and (found := answered(messages)) != NOTHING_ANSWERED:
            return found
    for each in events:
        if each.name == names.CHOICE and (found := answered([_choice(each)])) != NOTHING_ANSWERED:
            return found
        if each.name in names.ANSWER_EVENTS:
            found = answered(each.attributes.get("gen_ai.completion"))
            if found != NOTHING_ANSWERED:
                return found
    for key in names.ANSWERED[2:]:
        if key in attributes and (found := answered(_unfolded(key, attributes[key]))) != NOTHING_ANSWERED:
            tools = attributes.get(names.TOOL_CALLS)
            return (
                Answered(found.response, True, _vercel_tools(tools)) if tools and key == "ai.response.text" else found
            )
    return NOTHING_ANSWERED


def _flat(attributes: dict[str, Any], before: str, behind: str) -> list[dict[str, Any]]:
    """Return the messages whose parts are attributes such as `gen_ai.prompt.0.content`; they may begin with 0 or 1."""
    messages: list[dict[str, Any]] = []
    for number in range(_MESSAGES):
        head = f"{before}{number}.{behind}"
        role, content = attributes.get(head + "role"), attributes.get(head + "content")
        if content is None and (head + "contents.0.message_content.type" in attributes or not role):
            parts = [attributes.get(f"{head}contents.{n}.message_content.text") for n in range(_PARTS)]
            content = [{"type": "text", "text": each} for each in parts if type(each) is str] or None
        if role is None and content is None and head + "finish_reason" not in attributes:
            if number:
                break
            continue
        message: dict[str, Any] = {"role": role or "assistant", "content": content}
        calls = []
        for n in range(_PARTS):
            call = f"{head}tool_calls.{n}."
            call_id = attributes.get(f"{call}tool_call.id" if behind else f"{call}id")
            if (
                call_id is None
                and attributes.get(f"{call}tool_call.function.name" if behind else f"{call}name") is None
            ):
                break
            calls.append({"id": call_id})
        if calls:
            message["tool_calls"] = calls
        answers = attributes.get(head + "tool_call_id")
        if answers is not None:
            message["tool_call_id"] = answers
        messages.append(message)
    return messages


def _messages(events: list[Happened]) -> list[dict[str, Any]]:
    """Return the messages of events that are one message each."""
    found = []
    for each in events:
        role = names.MESSAGE_EVENTS.get(each.name)
        if role is not None:
            found.append({"role": role, **_content(each)})
    return found


def _choice(event: Happened) -> dict[str, Any]:
    content = _content(event)
    message = opened(content.get("message"))
    return {"role": "assistant", **content, **(message if type(message) is dict else {})}


def _content(event: Happened) -> dict[str, Any]:
    """Return what an event of a message holds, in its body or in its attributes."""
    content = opened(event.body)
    found = content if type(content) is dict else {} if content is None else {"content": content}
    return {**event.attributes, **found}


def _unfolded(key: str, value: Any) -> Any:
    """Return messages that Pydantic AI has as a list of events, as such; any other value as it is."""
    if key not in ("events", "all_messages_events"):
        return value
    events = opened(value)
    if type(events) is not list:
        return None
    found = []
    for each in events:
        if type(each) is dict:
            inner = each["message"] if type(each.get("message")) is dict else each
            role = names.MESSAGE_EVENTS.get(str(each.get("event.name")), "assistant")
            found.append({"role": role, **inner})
    return found


def fields_of(resource: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that what a span comes from has."""
    _, fields, _ = _read(resource, {})
    service = fields.get("service")
    if type(service) is str and service.startswith("unknown_service"):
        del fields["service"]
    return fields


def _read(attributes: dict[str, Any], shared: dict[str, Any]) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
    """Return what attributes say: session, user and name; fields, `shared` among them; and what is the app's own."""
    fields = shared.copy()
    ranks: dict[str, int] = {}
    own: dict[str, Any] = {}
    meanings = names.MEANINGS
    for key, value in attributes.items():
        meaning = meanings.get(key)
        if meaning is names.NO_FIELD:
            continue
        if meaning is not None:
            field, rank = meaning
            if (value or not (value is None or value == "")) and (field not in ranks or rank < ranks[field]):
                ranks[field] = rank
                fields[field] = value
        elif key.startswith(names.OWN):
            own[key[len(next(each for each in names.OWN if key.startswith(each))) :]] = opened(value)
        elif key in names.OWN_OBJECTS:
            inner = opened(value)
            own |= inner if type(inner) is dict else {}
    about = {key: str(fields.pop(key)) for key in names.ABOUT if key in fields}
    _tidy(fields, attributes)
    return about, fields, own


def _tidy(fields: dict[str, Any], attributes: dict[str, Any]) -> None:
    """Make numbers of what are numbers, and one value of a list that has one."""
    if "finish_reason" in fields:
        finish = opened(fields["finish_reason"])
        if type(finish) is list:
            finish = finish[0] if finish else None
        if type(finish) is str:
            fields["finish_reason"] = finish
        else:
            del fields["finish_reason"]
    if names.USAGE in attributes and type(usage := opened(attributes[names.USAGE])) is dict:
        fields.setdefault("input_tokens", usage.get("input", usage.get("prompt_tokens")))
        fields.setdefault("output_tokens", usage.get("output", usage.get("completion_tokens")))
    if names.COST in attributes and type(cost := opened(attributes[names.COST])) is dict:
        fields.setdefault("cost", cost["total"] if "total" in cost else _sum(cost.values()))
    for field in names.NUMBERS:
        if field in fields and type(fields[field]) is not int:
            number = _number(fields[field])
            if number is None:
                del fields[field]
            else:
                fields[field] = number


def _sum(values: Any) -> float | None:
    numbers = [each for each in map(_number, values) if each is not None]
    return sum(numbers) if numbers else None


def _number(value: Any) -> float | int | None:
    if type(value) is int:
        return value
    if type(value) is str and len(value) < 40:
        try:
            value = float(value)
        except ValueError:
            return None
    return value if type(value) is float and math.isfinite(value) else None


def _scores(events: list[Happened], attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the scores of evaluations: a number where there is one, else its label."""
    found = {}
    sources = [each.attributes for each in events if each.name == names.EVALUATION]
    if names.SCORE_NAME in attributes:
        sources.append(attributes)
    for each in sources:
        value = each.get(names.SCORE_VALUE)
        number = _number(value)
        label = each.get(names.SCORE_LABEL)
        score = label if number is None else number
        if score is not None and each.get(names.SCORE_NAME):
            found[f"score_{each[names.SCORE_NAME]}"] = score
    return found


def _error(span: Span) -> str:
    kinds = (each.attributes.get("exception.type") for each in span.events if each.name == "exception")
    return next((each for each in kinds if type(each) is str and each), None) or span.error or "error"


def _vercel_tools(value: Any) -> tuple[str, ...]:
    calls = opened(value)
    if type(calls) is not list:
        return ()
    return tuple(each["toolCallId"] for each in calls if type(each) is dict and type(each.get("toolCallId")) is str)
