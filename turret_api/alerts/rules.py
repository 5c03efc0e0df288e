"""What a rule may ask for, and which findings are what it asked for. Pure: no database, no lake, no clock.

Most kinds choose among the findings of `/v1/changes`. Two watch a state instead: `silence` (no event comes any more)
and `freshness` (events wait for too long, or a file is damaged), which `/v1/freshness` tells too.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

RuleKind = Literal[
    "new_topic", "growing_topic", "fading_topic", "segment", "move", "friction", "sentiment", "outcome", "volume",
    "silence", "freshness",
]  # fmt: skip
Direction = Literal["up", "down"]
SILENCE, FRESHNESS = "silence", "freshness"


@dataclass(frozen=True)
class Kind:
    """Which findings of `/v1/changes` a kind of rule tells of, and which filters it has beside those of size.

    findings: their kinds; none: the rule watches a state. directions: theirs.
    """

    words: str
    findings: frozenset[str] = frozenset()
    directions: frozenset[str] = frozenset()
    filters: frozenset[str] = frozenset()


_CHANGE = frozenset({"field", "days", "least_sessions", "least_change"})
_OF_TOPIC = _CHANGE | {"topic_id"}

KINDS: dict[str, Kind] = {
    "new_topic": Kind(
        "A topic is new: nobody asked for it in the days before", frozenset({"topic"}), frozenset({"new"}), _OF_TOPIC
    ),
    "growing_topic": Kind(
        "A topic has a larger share of the sessions than before, which may have been none",
        frozenset({"topic"}),
        frozenset({"new", "up"}),
        _OF_TOPIC,
    ),
    "fading_topic": Kind(
        "A topic has a smaller share of the sessions, or none",
        frozenset({"topic"}),
        frozenset({"down", "gone"}),
        _OF_TOPIC,
    ),
    "segment": Kind(
        "A topic is new or grows among new users, or for a value of an enum field, more than among others",
        frozenset({"topic_of_segment", "topic_of_new_users"}),
        frozenset({"new", "up"}),
        _OF_TOPIC,
    ),
    "move": Kind(
        "After a topic another one comes more often than before", frozenset({"move"}), frozenset({"up"}), _OF_TOPIC
    ),
    "friction": Kind(
        "More of a topic's or a move's sessions meet with friction",
        frozenset({"friction_of_topic", "friction_of_move"}),
        frozenset({"up"}),
        _OF_TOPIC,
    ),
    "sentiment": Kind(
        "More of a topic's sessions sound negative", frozenset({"sentiment_of_topic"}), frozenset({"up"}), _OF_TOPIC
    ),
    "outcome": Kind(
        "Sessions go well more or less often, all of them or those with a topic",
        frozenset({"outcome", "outcome_of_topic"}),
        frozenset({"up", "down"}),
        _OF_TOPIC | {"outcome", "direction"},
    ),
    "volume": Kind(
        "More or fewer sessions than weeks usually differ by",
        frozenset({"volume"}),
        frozenset({"up", "down"}),
        _CHANGE | {"direction"},
    ),
    SILENCE: Kind("No event has come for some hours", filters=frozenset({"hours"})),
    FRESHNESS: Kind("Events wait longer than TURRET_LATE_SECONDS to be in all tables, or a file is damaged"),
}


class Filters(BaseModel):
    """What a rule leaves out. Which filters there are depends on its kind."""

    model_config = ConfigDict(extra="forbid")
    field: str | None = Field(
        default=None, min_length=1, max_length=200, description="text field; null: the one with most events"
    )
    topic_id: str | None = Field(
        default=None, min_length=1, max_length=100, description="only this topic, and the moves from it and to it"
    )
    outcome: str | None = Field(default=None, min_length=1, max_length=200, description="only this outcome")
    direction: Direction | None = Field(
        default=None, description="of an outcome, its share of sessions that count; of volume; null: both"
    )
    days: int = Field(default=7, ge=1, le=90, description="whole days against as many before, as in `/v1/changes`")
    least_sessions: int = Field(default=0, ge=0, le=2**53, description="sessions in the last days that it takes")
    least_change: float = Field(
        default=0.0, ge=0, le=1e6, allow_inf_nan=False, description="change that it takes: 0.5 is half as much again"
    )
    hours: int = Field(default=24, ge=1, le=24 * 90, description="hours without an event")

    def misfit(self, kind: str) -> str | None:
        """Return the name of a filter that is set and that rules of this kind do not have; None: there is none.

        One that has its default is not set: what the API answered may be sent back.
        """
        given = {name for name, of in type(self).model_fields.items() if getattr(self, name) != of.default}
        return min(given - KINDS[kind].filters, default=None)


@dataclass(frozen=True)
class Rule:
    """One rule of a project. targets: their ids; None: all that the project has."""

    rule_id: str
    project_id: str
    name: str
    kind: str
    filters: Filters
    targets: tuple[str, ...] | None
    urgent: bool
    created_at: dt.datetime

    @property
    def is_of_changes(self) -> bool:
        """Whether it chooses among the findings of `/v1/changes`."""
        return bool(KINDS[self.kind].findings)

    def wants(self, finding: Mapping[str, Any]) -> bool:
        """Tell whether a finding of `/v1/changes` about the rule's field and days is one of those that it asks for."""
        kind, filters = KINDS[self.kind], self.filters
        return (
            finding["kind"] in kind.findings
            and finding["direction"] in kind.directions
            and filters.direction in (None, finding["direction"])
            and filters.topic_id in (None, finding["topic_id"], finding["to_topic"])
            and filters.outcome in (None, finding["outcome"])
            and finding["now"] >= filters.least_sessions
            and (finding["change"] is None or abs(finding["change"]) >= filters.least_change)
        )


@dataclass(frozen=True)
class Found:
    """One thing that a rule found: what it is about, in words, and as data.

    subject: equal for what is one thing to a reader, however its numbers change. last_day: of the data, where it is a
    finding of `/v1/changes`. days: how many days after that it counts as the same thing when it comes again. is_of_few:
    whether it is of too few users for targets that get no texts.
    """

    subject: str
    sentence: str
    finding: dict[str, Any]
    last_day: dt.date | None = None
    days: int = 0
    is_of_few: bool = False


def found_change(
    field: str, finding: dict[str, Any], last_day: dt.date, days: int, *, is_of_few: bool = False
) -> Found:
    """Return a finding of `/v1/changes` as something found."""
    names = ["kind", "topic_id", "to_topic", "segment", "outcome"]
    # What counts of a number is above its median, which is another one each day.
    names += [] if finding["outcome"] else ["value"]
    # A topic that was new yesterday has grown today: to a reader that is one thing.
    way = {"new": "up", "gone": "down"}.get(finding["direction"], finding["direction"])
    about = (field, days, way, *(finding[name] for name in names))
    return Found(subject_of(*about), finding["sentence"], {"field": field, **finding}, last_day, days, is_of_few)


def subject_of(*about: object) -> str:
    """Return the hash by which things are told apart."""
    return hashlib.blake2b(repr(about).encode(), digest_size=16).hexdigest()
