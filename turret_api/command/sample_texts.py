"""What travellers of the sample type and what the assistant answers, from the phrases beside this file.

In a phrase `[a|b]` is a choice (it may be nested or empty) and `{slot}` a value of `[slots]`.
"""

from __future__ import annotations

import functools
import random
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any

ENGLISH, GERMAN = "en", "de"

_FILES = {ENGLISH: "sample_phrases.toml", GERMAN: "sample_german.toml"}
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class _Phrases:
    openings: list[str]
    closings: list[str]
    refusals: list[str]
    apologies: list[str]
    complaints: list[str]
    slots: dict[str, list[str]]
    topics: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Asked:
    """A request: the text, the phrase that it was made from, and what was put into its slots."""

    text: str
    phrase: str
    values: dict[str, list[str]]
    language: str

    def again(self, dice: random.Random) -> str:
        """Return the same request in other words, as far as its phrase has some."""
        words = _fill(dice, self.phrase, _phrases(self.language).slots, first=self.values)
        opening = dice.choice(_AGAIN[self.language])
        return _as_typed(dice, opening + words)


_AGAIN = {
    ENGLISH: ("I asked: ", "again, ", "once more: ", "my question was: ", "no, I meant: ", ""),
    GERMAN: ("ich habe gefragt: ", "noch einmal: ", "nein, ich meinte: ", ""),
}


def labels() -> dict[str, str]:
    """Return what each topic is about, in words for people."""
    return {topic: about["label"] for topic, about in _phrases(ENGLISH).topics.items()}


def make_text(dice: random.Random, topic: str) -> str:
    """Return one request about `topic` as a user might type it, in English."""
    return ask(dice, topic).text


def ask(dice: random.Random, topic: str, language: str = ENGLISH) -> Asked:
    """Return one request about `topic` as a user might type it."""
    phrases = _phrases(language)
    about = phrases.topics[topic]
    phrase = text = dice.choice(about["asks"])
    if not about.get("short"):
        if about["details"] and dice.random() < 0.4:
            text += dice.choice(about["details"])
        if dice.random() < 0.85:
            text = dice.choice(phrases.openings) + text + dice.choice(phrases.closings)
    values: dict[str, list[str]] = {}
    words = _fill(dice, text, phrases.slots, values)
    # Asked again, the same phrase has the same values; those of the details are of no use to it.
    kept = {slot: values.get(slot, []) for slot in _SLOT.findall(phrase)}
    return Asked(_as_typed(dice, words), phrase, kept, language)


def follow_up(dice: random.Random, topic: str, language: str) -> str:
    """Return a short text that continues a request about `topic`."""
    phrases = _phrases(language)
    return _as_typed(dice, _fill(dice, dice.choice(phrases.topics[topic]["follow_ups"]), phrases.slots))


def complaint(dice: random.Random, language: str) -> str:
    """Return what a user says who was not helped."""
    phrases = _phrases(language)
    return _as_typed(dice, _fill(dice, dice.choice(phrases.complaints), phrases.slots))


def answer(dice: random.Random, topic: str, asked: Asked, kind: str) -> str:
    """Return what the assistant says to `asked`: one of `answers` about the topic, of `refusals` or of `apologies`."""
    phrases = _phrases(asked.language)
    said = phrases.topics[topic]["answers"] if kind == "answers" else getattr(phrases, kind)
    return _fill(dice, dice.choice(said), phrases.slots, first=asked.values)


def _fill(
    dice: random.Random,
    text: str,
    slots: dict[str, list[str]],
    values: dict[str, list[str]] | None = None,
    first: dict[str, list[str]] | None = None,
) -> str:
    """Return `text` with every choice made, innermost first, and every slot filled, no value twice.

    values: is told what each slot was filled with, in order. first: what the slots are filled with as long as it lasts.
    """
    while _CHOICE.search(text):
        text = _CHOICE.sub(lambda match: dice.choice(match[1].split("|")), text)
    used: set[str] = set()

    def value(match: re.Match[str]) -> str:
        known = [each for each in (first or {}).get(match[1], ()) if each not in used]
        found = known[0] if known else dice.choice([each for each in slots[match[1]] if each not in used])
        used.add(found)
        if values is not None:
            values.setdefault(match[1], []).append(found)
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
        if at:
            i = dice.choice(at)
            slip = dice.choice((text[i + 1] + text[i], text[i + 1], text[i] + text[i] + text[i + 1]))
            text = text[:i] + slip + text[i + 2 :]
    return text


@functools.cache
def _phrases(language: str) -> _Phrases:
    text = resources.files("turret_api.command").joinpath(_FILES[language]).read_text(encoding="utf-8")
    return _Phrases(**tomllib.loads(text))
