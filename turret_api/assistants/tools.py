"""The tools: few, each described for models in a sentence or two, with limits that keep answers short."""

from __future__ import annotations

from turret_api.assistants.tool import (
    LEAST_CHARACTERS,
    MOST_CHARACTERS,
    SEGMENTS,
    TEXT_LENGTH,
    Parameter,
    Tool,
    number,
)


def _text(name: str, about: str) -> Parameter:
    return Parameter(name, {"type": "string", "description": about})


def _one_of(name: str, about: str, *choices: str) -> Parameter:
    return Parameter(name, {"type": "string", "description": about, "enum": list(choices)})


def _needed(parameter: Parameter) -> Parameter:
    return Parameter(parameter.name, parameter.schema, is_required=True)


_FIELD = _text("field", "text field of the events; default: the one with most events")
_FILTERS = (
    _text("from", "earliest time, ISO 8601, included"),
    _text("to", "latest time, ISO 8601, not included"),
    _text("name", "only events of this name"),
    Parameter(
        SEGMENTS,
        {
            "type": "object",
            "description": 'only events with these values of metadata fields: {"plan": "pro"}; of a list, any value',
        },
    ),
)
_LEVEL = Parameter("level", {"type": "integer", "description": "0: topics (default); 1: themes, groups of topics"})
_CURSOR = _text("cursor", "`next` of the answer before, for more rows")
_TEXT_LENGTH = number(
    TEXT_LENGTH, f"characters of each text to show, from {LEAST_CHARACTERS}", LEAST_CHARACTERS, MOST_CHARACTERS
)
_UNIT = _one_of("unit", "what shares and the order go by; default: messages", "messages", "sessions", "users")
_SIGN = _one_of(
    "friction",
    "only sessions with this sign of friction",
    *("any", "rephrased", "repeated", "correction", "complaint", "gave_up", "back_and_forth", "answer_repeated"),
)
_DAYS = number("days", "whole days, held against as many before; default 7", 1, 90)
_ABOUT = (_FIELD, *_FILTERS, _LEVEL)
_DRAWN = frozenset(("x", "y", "bins", "n_texts"))
_SERIES = frozenset(("days", "per_day", "messages_per_day"))

TOOLS: tuple[Tool, ...] = (
    Tool(
        "digest",
        "The morning page: what the last whole days brought beside as many before - messages, sessions, users, what "
        "changed beyond chance, largest topics, friction, numbers, notes. Begin here.",
        "/v1/digest",
        (_FIELD, _DAYS),
    ),
    Tool(
        "changes",
        "What changed in the last days beyond chance, what matters most first: new, growing and fading topics, "
        "friction, outcomes, sentiment, number of sessions. Errors are controlled over all that was tested.",
        "/v1/changes",
        (*_ABOUT, _DAYS),
    ),
    Tool(
        "topics",
        "What users ask for: topics, largest first, with label, keywords, examples, size, share, trend and sentiment.",
        "/v1/topics",
        (*_ABOUT, _UNIT, _CURSOR),
        limit=20,
        leaves_out=_DRAWN | _SERIES | {"number", "lineage"},
    ),
    Tool(
        "topic",
        "One topic: its course by day, its segments beside those of all messages, numbers, neighbours, and what "
        "came before it and after it in sessions.",
        "/v1/topics/{topic_id}",
        (_needed(_text("topic_id", "id of a topic or theme")), _FIELD, *_FILTERS),
        leaves_out=_DRAWN | _SERIES,
    ),
    Tool(
        "search",
        "Messages: with `q` those nearest to it in meaning, in whatever words; without it the newest. Each with its "
        "answer, session, user, topic and sentiment.",
        "/v1/messages",
        (
            _text("q", "what to look for, in your own words"),
            _FIELD,
            *_FILTERS,
            _text("topic_id", "only messages of this topic (or `unassigned`)"),
            _one_of("sentiment", "only messages that sound so", "negative", "neutral", "positive"),
            _one_of(
                "answer",
                "only messages answered so; unserved: refused, apologised, repeated or none",
                *("refused", "apologised", "made_good", "answered", "repeated", "none", "unserved"),
            ),
            _CURSOR,
            _TEXT_LENGTH,
        ),
        limit=10,
        texts=1000,
        leaves_out=frozenset(("frames",)),
    ),
    Tool(
        "journeys",
        "How sessions move from topic to topic: nodes and edges with counts, probability and time between; `start` and "
        "`end` are nodes. Most common moves first.",
        "/v1/journeys",
        (*_ABOUT, _UNIT),
        limit=30,
        leaves_out=frozenset(("number", "p25_gap_s", "p75_gap_s", "p95_gap_s")),
    ),
    Tool(
        "paths",
        "The most common paths through topics, from a topic on or up to it.",
        "/v1/journeys/paths",
        (
            _text("topic_id", "a topic, `start` (default) or `end`"),
            _one_of("direction", "paths that leave the topic (default), or that arrive", "from", "to"),
            number("depth", "most moves in a path; default 3", 1, 10),
            *_ABOUT,
        ),
        limit=10,
    ),
    Tool(
        "drop_offs",
        "Where sessions end: for each topic how many end there, and at which rate.",
        "/v1/journeys/drop-offs",
        _ABOUT,
    ),
    Tool(
        "friction",
        "Where sessions did not get what they asked for: how often each sign is (rephrased, repeated, correction, "
        "complaint, gave_up, back_and_forth, answer_repeated), in which topics and moves, with 95% intervals.",
        "/v1/friction",
        _ABOUT,
        limit=10,
    ),
    Tool(
        "outcomes",
        "What precedes a good or bad outcome (a score, a thumb): topics, moves and signs of friction, and how sure "
        "that is. Empty where no field is marked as an outcome.",
        "/v1/outcomes",
        (_text("outcome", "field that is marked as an outcome; default: the first"), *_ABOUT),
        limit=10,
    ),
    Tool(
        "sessions",
        "Sessions to read as examples: those that moved from one topic to another, or that have a sign of friction.",
        "/v1/journeys/sessions",
        (
            _text("from_topic", "topic that they left, or `start`"),
            _text("to_topic", "topic that they went to, or `end`"),
            _SIGN,
            *_ABOUT,
            _CURSOR,
        ),
        limit=10,
    ),
    Tool(
        "session",
        "One session, message by message, with answers, topics and signs of friction.",
        "/v1/sessions",
        (_needed(_text("session_id", "id of the session, as another answer shows it")), _FIELD, _CURSOR, _TEXT_LENGTH),
        limit=50,
        texts=1000,
        leaves_out=frozenset(("frames",)),
    ),
    Tool(
        "fields",
        "The fields of the events' metadata, with types and values: what `field`, `segments` and `outcome` can name.",
        "/v1/fields",
        (_CURSOR,),
        limit=30,
        leaves_out=_DRAWN | {"confidence", "detected_type", "overridden", "pending", "quantiles", "reason"},
    ),
    Tool(
        "freshness",
        "Whether the tables behind all answers are up to date, or since when events wait to be in them.",
        "/v1/freshness",
    ),
    Tool(
        "usage",
        "The project's plan: its limit of events, how many of it are used, when the count begins anew.",
        "/v1/usage",
    ),
)

NAMED = {each.name: each for each in TOOLS}
