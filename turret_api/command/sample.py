"""The sample that `turret demo` tracks: travellers who talk to a booking app's assistant, made from our own phrases.

What was planted is known, so what the pipeline finds can be checked against it: every message has a topic and every
session walks a first-order chain from topic to topic (`MOVES`); who is not served asks again in other words or
complains (`UNSERVED`); sessions that touch a topic of `HARD` are resolved less often; and with the app's release
(`RELEASE_DAYS` ago) more sessions begin with a payment problem. The truth never leaves this module with an event:
nothing in `SampleMessage.event` names a topic. The same seed gives the same messages, ids and users whatever the time;
only the timestamps follow the clock. `sample_texts` makes the texts.
"""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from turret_api.command.sample_texts import ENGLISH, GERMAN, answer, ask, complaint, follow_up, labels

T = TypeVar("T")

FIELD = "prompt"
ANSWER_FIELD = "response"
OUTCOME = "resolved"
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

RELEASE_DAYS = 7.5
"""Days before now at which version 5.1 of the app was released."""

RELEASE = "App 5.1"
"""What the release is called where it is annotated."""

RELEASED_START = {"trip_ideas": 0.17, "flight_search": 0.18, "flight_status": 0.18, "car_rental": 0.04,
                  "loyalty_points": 0.03, "payment_problem": 0.40}  # fmt: skip
"""Where sessions start since the release: so different that it is told at any time of day, for a day is never whole."""

UNSERVED = {"visa": 0.35, "payment_problem": 0.25, "refund": 0.16, "loyalty_points": 0.1}
"""Share of the requests of a topic that the assistant does not answer at first; of all others `LEAST_UNSERVED`."""
LEAST_UNSERVED = 0.03

REFUSED = frozenset({"visa", "loyalty_points"})
"""Topics of which the assistant refuses to speak where it does not answer; of the others it apologises."""

HARD = frozenset({"payment_problem"})
"""Topics whose sessions are resolved less often."""

SHARE_WITH_OUTCOME = 0.8
"""Share of the sessions of which the app says whether they were resolved."""

_LANGUAGES = ((ENGLISH, 0.88), (GERMAN, 0.12))
_PLANS = (("free", 0.6), ("plus", 0.3), ("business", 0.1))
_CHANNELS = (("ios", 0.4), ("android", 0.32), ("web", 0.28))


@dataclass(frozen=True)
class SampleMessage:
    """One message: the body for `POST /track`, and the topic and language that were planted in it (never sent)."""

    event: dict[str, Any]
    topic: str
    language: str = ENGLISH


@dataclass(frozen=True)
class _Said:
    """What is said in one turn: by the traveller, and by the assistant."""

    topic: str
    prompt: str
    response: str
    is_served: bool


def make_sample(now: dt.datetime, *, n_sessions: int = 820, days: int = 24, seed: int = 7) -> list[SampleMessage]:
    """Return some 3,000 messages of `n_sessions` sessions within the `days` days before `now`, oldest first."""
    dice = random.Random(seed)
    n_users = max(1, n_sessions * 2 // 5)
    plans = [_weighted(dice, _PLANS) for _ in range(n_users)]
    channels = [_weighted(dice, _CHANNELS) for _ in range(n_users)]
    languages = [_weighted(dice, _LANGUAGES) for _ in range(n_users)]
    found: list[SampleMessage] = []
    for session in range(n_sessions):
        # The share of a day keeps nights quieter than evenings. New users come all the time, some come back often.
        age_days = days * (1 - (session + dice.random()) / n_sessions)
        n_known = max(1, round(n_users * (1 - 0.7 * age_days / days)))
        user = n_known - 1 - int(n_known * dice.random() ** 2)
        is_new_release = age_days < RELEASE_DAYS
        moment = now - dt.timedelta(days=age_days, minutes=60)
        turns = _turns(dice, languages[user], is_new_release)
        resolved = _is_resolved(dice, turns) if dice.random() < SHARE_WITH_OUTCOME else None
        for said in turns:
            moment += dt.timedelta(seconds=round(dice.lognormvariate(3.6, 0.7), 1))
            n_tokens = (len(said.prompt) + len(said.response)) // 4 + int(dice.lognormvariate(4.6, 0.4))
            metadata: dict[str, Any] = {
                FIELD: said.prompt,
                ANSWER_FIELD: said.response,
                "plan": plans[user],
                "channel": channels[user],
                "app_version": "5.1" if is_new_release else "5.0",
                "tokens": n_tokens,
                "cost_usd": round(n_tokens * 4e-6, 6),
                "latency_ms": round(180 + 9.5 * n_tokens * dice.uniform(0.7, 1.4), 1),
            }
            if said is turns[-1] and resolved is not None:
                metadata[OUTCOME] = resolved
            event = {
                "event_id": f"sample-{seed}-{len(found) + 1:05d}",
                "name": "user_prompt",
                "session_id": f"trip-{seed}-{session:04d}",
                "user_id": f"traveller-{user:03d}",
                "timestamp": min(moment, now).isoformat(timespec="milliseconds"),
                "metadata": metadata,
            }
            found.append(SampleMessage(event, said.topic, languages[user]))
    return sorted(found, key=lambda message: (message.event["timestamp"], message.event["event_id"]))


def planted_topics(sample: list[SampleMessage]) -> dict[str, str]:
    """Return the planted topic of every message by its event_id."""
    return {message.event["event_id"]: message.topic for message in sample}


def planted_labels() -> dict[str, str]:
    """Return what each planted topic is about, in words for people."""
    return labels()


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


def _turns(dice: random.Random, language: str, is_new_release: bool) -> list[_Said]:
    """Return the turns of one session: a walk along `MOVES`, with one to three turns a visit."""
    turns: list[_Said] = []
    row = RELEASED_START if is_new_release else MOVES[START]
    while (topic := _weighted(dice, tuple(row.items()))) != END:
        turns += _visit(dice, topic, language)
        row = MOVES[topic]
    return turns


def _visit(dice: random.Random, topic: str, language: str) -> list[_Said]:
    """Return the turns about one topic: a request, and what the answer to it brings about."""
    asked = ask(dice, topic, language)
    is_served = dice.random() >= UNSERVED.get(topic, LEAST_UNSERVED)
    kind = "answers" if is_served else ("refusals" if topic in REFUSED else "apologies")
    turns = [_Said(topic, asked.text, answer(dice, topic, asked, kind), is_served)]
    if topic == "goodbye":
        return turns
    if not is_served and dice.random() < 0.7:
        if dice.random() < 0.35:
            turns.append(_Said(topic, complaint(dice, language), answer(dice, topic, asked, "apologies"), False))
        helped = dice.random() < 0.5
        turns.append(_Said(topic, asked.again(dice), answer(dice, topic, asked, "answers" if helped else kind), helped))
    elif is_served and dice.random() < 0.45:
        for _ in range(_weighted(dice, ((1, 0.75), (2, 0.25)))):
            other = ask(dice, topic, language)
            words = follow_up(dice, topic, language) if dice.random() < 0.6 else other.text
            turns.append(_Said(topic, words, answer(dice, topic, other, "answers"), True))
    return turns


def _is_resolved(dice: random.Random, turns: Sequence[_Said]) -> bool:
    """Return whether a session of these turns ends well."""
    share = 0.92 - 0.3 * any(said.topic in HARD for said in turns) - 0.25 * any(not said.is_served for said in turns)
    return dice.random() < share


def _weighted(dice: random.Random, choices: tuple[tuple[T, float], ...]) -> T:
    return dice.choices([value for value, _ in choices], [weight for _, weight in choices])[0]
