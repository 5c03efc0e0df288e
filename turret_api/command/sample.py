"""The sample that `turret demo` tracks: travellers who talk to a booking app's assistant, made from our own phrases.

What was planted is known: every message has a topic (`sample_phrases.toml`) and every session walks a first-order chain
from topic to topic (`MOVES`), so what the pipeline finds can be checked against it. The truth never leaves this module
with an event: nothing in `SampleMessage.event` names a topic. The same seed gives the same messages, ids and users
whatever the time; only the timestamps follow the clock.
"""

from __future__ import annotations

import datetime as dt
import functools
import random
import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from importlib import resources
from typing import Any, TypeVar

T = TypeVar("T")

FIELD = "prompt"
START, END = "start", "end"

MOVES: dict[str, dict[str, float]] = {
    START: {"trip_ideas": 0.25, "flight_search": 0.19, "flight_status": 0.26, "car_rental": 0.10,
            "loyalty_points": 0.10, "payment_problem": 0.10},
    "trip_ideas": {"flight_search": 0.52, "weather_packing": 0.40, END: 0.08},
    "flight_search": {"hotel_search": 0.60, "baggage": 0.18, "visa": 0.10, END: 0.12},
    "hotel_search": {"restaurants": 0.62, "airport_transfer": 0.28, END: 0.10},
    "restaurants": {"airport_transfer": 0.14, "goodbye": 0.30, END: 0.56},
    "airport_transfer": {"car_rental": 0.40, "goodbye": 0.24, END: 0.36},
    "car_rental": {"payment_problem": 0.20, "goodbye": 0.26, END: 0.54},
    "weather_packing": {"visa": 0.40, "hotel_search": 0.34, END: 0.26},
    "visa": {"weather_packing": 0.12, "goodbye": 0.28, END: 0.60},
    "baggage": {"loyalty_points": 0.30, "payment_problem": 0.15, "goodbye": 0.15, END: 0.40},
    "flight_status": {"change_booking": 0.62, "refund": 0.26, END: 0.12},
    "change_booking": {"refund": 0.40, "payment_problem": 0.16, "goodbye": 0.20, END: 0.24},
    "refund": {"payment_problem": 0.18, "goodbye": 0.18, END: 0.64},
    "payment_problem": {"refund": 0.16, "goodbye": 0.24, END: 0.60},
    "loyalty_points": {"goodbye": 0.26, "baggage": 0.12, END: 0.62},
    "goodbye": {END: 1.0},
}  # fmt: skip
"""Probability of the next visit's topic by this visit's. Each row adds up to 1."""

CLEAR_MOVES = (
    ("trip_ideas", "flight_search"),
    ("flight_search", "hotel_search"),
    ("flight_status", "change_booking"),
    ("trip_ideas", "weather_packing"),
    ("hotel_search", "restaurants"),
)
"""The moves between topics that the chain makes most often, by a margin to the sixth."""

_PLANS = (("free", 0.6), ("plus", 0.3), ("business", 0.1))
_CHANNELS = (("ios", 0.4), ("android", 0.32), ("web", 0.28))
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class SampleMessage:
    """One message: the body for `POST /track`, and the topic that was planted in it (never sent)."""

    event: dict[str, Any]
    topic: str


@dataclass(frozen=True)
class _Phrases:
    openings: list[str]
    closings: list[str]
    slots: dict[str, list[str]]
    topics: dict[str, dict[str, Any]]


def make_sample(now: dt.datetime, *, n_sessions: int = 820, days: int = 14, seed: int = 7) -> list[SampleMessage]:
    """Return some 3,000 messages of `n_sessions` sessions within the `days` days before `now`, oldest first."""
    dice = random.Random(seed)
    n_users = max(1, n_sessions * 2 // 5)
    plans = [_weighted(dice, _PLANS) for _ in range(n_users)]
    channels = [_weighted(dice, _CHANNELS) for _ in range(n_users)]
    found: list[SampleMessage] = []
    n_messages = 0
    for session in range(n_sessions):
        # The square makes some users come back often; the share of a day keeps nights quieter than evenings.
        user = int(n_users * dice.random() ** 2)
        age_days = days * (1 - (session + dice.random()) / n_sessions)
        moment = now - dt.timedelta(days=age_days, minutes=60)
        for topic in _walk(dice):
            n_messages += 1
            moment += dt.timedelta(seconds=round(dice.lognormvariate(3.6, 0.7), 1))
            text = make_text(dice, topic)
            n_tokens = len(text) // 4 + int(dice.lognormvariate(4.6, 0.4))
            event = {
                "event_id": f"sample-{seed}-{n_messages:05d}",
                "name": "user_prompt",
                "session_id": f"trip-{seed}-{session:04d}",
                "user_id": f"traveller-{user:03d}",
                "timestamp": min(moment, now).isoformat(timespec="milliseconds"),
                "metadata": {
                    FIELD: text,
                    "plan": plans[user],
                    "channel": channels[user],
                    "tokens": n_tokens,
                    "latency_ms": round(180 + 9.5 * n_tokens * dice.uniform(0.7, 1.4), 1),
                },
            }
            found.append(SampleMessage(event, topic))
    return sorted(found, key=lambda message: (message.event["timestamp"], message.event["event_id"]))


def planted_topics(sample: list[SampleMessage]) -> dict[str, str]:
    """Return the planted topic of every message by its event_id."""
    return {message.event["event_id"]: message.topic for message in sample}


def planted_labels() -> dict[str, str]:
    """Return what each planted topic is about, in words for people."""
    return {topic: phrases["label"] for topic, phrases in _phrases().topics.items()}


def planted_edges(sample: list[SampleMessage]) -> Counter[tuple[str, str]]:
    """Return how often sessions moved from visit to visit (start and end included), counted as the contract does."""
    visits: dict[str, list[str]] = {}
    for message in sample:
        session = visits.setdefault(message.event["session_id"], [START])
        if session[-1] != message.topic:
            session.append(message.topic)
    moves = Counter[tuple[str, str]]()
    for session in visits.values():
        moves.update(zip(session, [*session[1:], END], strict=True))
    return moves


def make_text(dice: random.Random, topic: str) -> str:
    """Return one message about `topic` as a user might type it."""
    phrases = _phrases()
    about = phrases.topics[topic]
    text = dice.choice(about["asks"])
    if not about.get("short"):
        if dice.random() < 0.4:
            text += dice.choice(about["details"])
        if dice.random() < 0.85:
            text = dice.choice(phrases.openings) + text + dice.choice(phrases.closings)
    return _as_typed(dice, _fill(dice, text, phrases.slots))


def _walk(dice: random.Random) -> list[str]:
    """Return the topics of one session's messages: a walk along `MOVES`, with one to three messages a visit."""
    messages: list[str] = []
    topic = START
    while (topic := _weighted(dice, tuple(MOVES[topic].items()))) != END:
        n_messages = 1 if topic == "goodbye" else _weighted(dice, ((1, 0.55), (2, 0.33), (3, 0.12)))
        messages += [topic] * n_messages
    return messages


def _fill(dice: random.Random, text: str, slots: dict[str, list[str]]) -> str:
    """Return `text` with every choice made, innermost first, and every slot filled, no value twice."""
    while _CHOICE.search(text):
        text = _CHOICE.sub(lambda match: dice.choice(match[1].split("|")), text)
    used: set[str] = set()

    def value(match: re.Match[str]) -> str:
        found = dice.choice([each for each in slots[match[1]] if each not in used])
        used.add(found)
        return found

    return re.sub(r" +(?=[ ,?])", "", _SLOT.sub(value, text)).strip()


def _as_typed(dice: random.Random, text: str) -> str:
    """Return `text` as people type: now and then a capital, no question mark, no commas, or a slip of the finger."""
    if dice.random() < 0.4:
        text = text[0].upper() + text[1:]
    elif dice.random() < 0.35:
        text = text.lower()
    if dice.random() < 0.25:
        text = text.replace("?", "").rstrip(".! ")
    if dice.random() < 0.12:
        text = text.replace(",", "").replace("'", "")
    if dice.random() < 0.08:
        at = [i for i in range(1, len(text) - 2) if text[i].isalpha() and text[i + 1].isalpha()]
        i = dice.choice(at)
        slip = dice.choice((text[i + 1] + text[i], text[i + 1], text[i] + text[i] + text[i + 1]))
        text = text[:i] + slip + text[i + 2 :]
    return text


def _weighted(dice: random.Random, choices: tuple[tuple[T, float], ...]) -> T:
    return dice.choices([value for value, _ in choices], [weight for _, weight in choices])[0]


@functools.cache
def _phrases() -> _Phrases:
    text = resources.files("turret_api.command").joinpath("sample_phrases.toml").read_text(encoding="utf-8")
    return _Phrases(**tomllib.loads(text))
