"""Turret's own words: the strings of answers that users cannot have written, and that need no fence.

A string is Turret's own if its key has only such values, and it has the form of one. All else is taken for a user's,
so a key that is added to an answer stands in the fence until it is named here.
"""

from __future__ import annotations

import re

from turret_api.accounts.plans import PLANS
from turret_pipeline.semantics.answers import ANSWER_KINDS
from turret_pipeline.semantics.friction import SIGNS
from turret_pipeline.semantics.kinds import KINDS, MOVES
from turret_pipeline.semantics.visits import END, ONLY_MOVES, START, UNASSIGNED

_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00))?")
_TOPIC = re.compile(r"(?:t|d|theme)_[0-9a-z]{1,40}")
_OWN_KEY = re.compile(r"[a-z][a-z0-9_]{0,60}|0\.\d+")
_TIMES = frozenset(
    (
        *("at", "built_at", "date", "ended_at", "first", "first_day", "first_seen", "from", "last", "last_day"),
        *("last_seen", "resets_at", "started_at", "timestamp", "to", "until", "waiting_since", "written_at"),
    )
)
_TOPICS = frozenset(("from", "from_topic", "on_topic", "parent_id", "to", "to_topic", "topic_id", "topics"))
_NODES = frozenset((START, END, UNASSIGNED, ONLY_MOVES, "few", *MOVES))
_WORDS = {
    "answer_kind": ANSWER_KINDS,
    "better": ("higher", "lower"),
    "detected_type": ("text", "enum", "number", "other"),
    "direction": ("new", "up", "down", "gone"),
    "effect": ("better", "worse"),
    "kind": (
        *KINDS,
        *("topic", "start", "end", "unassigned", "moves", "few", "move", "sign"),
        *("topic_of_new_users", "topic_of_segment", "friction_of_topic", "friction_of_move"),
        *("outcome", "outcome_of_topic", "sentiment_of_topic", "volume"),
        *("birth", "split", "merge", "release"),
    ),
    "mark": ("new", "growing", "fading", "steady"),
    "plan": PLANS,
    "sentiment": ("negative", "neutral", "positive"),
    "sign": ("any", *SIGNS),
    "signs": SIGNS,
    "type": ("text", "enum", "number", "other"),
}


def is_own_key(key: str) -> bool:
    """Return whether a key of an answer is a name or a quantile, as all keys that Turret gives are."""
    return _OWN_KEY.fullmatch(key) is not None


def is_own(key: str, value: str) -> bool:
    """Return whether no user can have written `value`, a string under `key` (in a list: under the list's)."""
    if key in _TOPICS and (value in _NODES or _TOPIC.fullmatch(value)):
        return True
    if key in _TIMES and _TIME.fullmatch(value):
        return True
    return value in _WORDS.get(key, ())
