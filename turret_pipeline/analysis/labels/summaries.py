"""One sentence on a topic: what its most typical messages ask or say, as told of people, or one of them word for word.

"People ask when their card will arrive." is made from "When will my card arrive?" (`labels.reported`). What cannot be
told like that, in whatever language, is quoted: 'People write: "Wann kommt meine Karte?"'. A sentence that holds what
few messages say (`labels.shares`), such as a product, is taken only where each does, and then has "…" in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from turret_pipeline.analysis.labels.languages import ENGLISH
from turret_pipeline.analysis.labels.phrases import counted_as, is_function_word
from turret_pipeline.analysis.labels.printable import printable
from turret_pipeline.analysis.labels.reported import told
from turret_pipeline.analysis.labels.shares import Shares, is_readable
from turret_pipeline.analysis.topics.words import WORD

N_MESSAGES = 20
"""Typical messages of a topic, whose sentences are read."""

READ_CHARACTERS = 400
SHORTEST, LONGEST = 3, 16
"""Words of a sentence that is told."""

MOST_CHARACTERS = 120
"""Of a sentence that is quoted."""

OF_LABEL = 1.0
TOLD = 0.3
LATER = 0.01
"""Weights beside the mean share of the messages that say a sentence's words: of the share of the label's words that it
has, of being told instead of quoted, and of each message that is more typical."""

_QUOTES = "People write: "
_TOLD = "People "
_STEM = 4
"""Letters of a word that are the same however it is inflected."""
_SENTENCE = re.compile(r"(?<=[.?!\u3002\uff1f\uff01])\s*(?=\S)|\n+")


def summary(messages: list[str], topic: int, label: str, language: str, shares: Shares) -> str:
    """Return a sentence on the topic. messages: of it, in its language, most typical first."""
    wanted = {counted_as(word) for word in re.findall(WORD, label.lower()) if not is_function_word(word)}
    best: tuple[float, str] | None = None
    for place, sentence in _sentences(messages):
        words = [counted_as(word) for word in re.findall(WORD, sentence.lower())]
        if not SHORTEST <= len(words) <= LONGEST or any(shares.is_slot(topic, word) for word in words):
            continue
        held = len(wanted & set(words)) / max(len(wanted), 1)
        if wanted and not held:  # "Okay, good to know." is a typical sentence of a topic, but says nothing of it
            continue
        score = shares.mean(topic, words) + OF_LABEL * held - LATER * place
        if best and score + TOLD <= best[0]:
            continue
        found = told(sentence) if language == ENGLISH else None
        score += TOLD * (found is not None)
        if best is None or score > best[0]:
            best = score, found or _quoted(sentence)
    if best:
        return best[1]
    shown = [printable(text[:READ_CHARACTERS]) for text in messages[:N_MESSAGES]]
    outlines = [shares.outline(topic, text) for text in shown]
    kept = min(filter(None, outlines), key=lambda text: (not is_readable(text), text.count("…"), len(text)), default="")
    return _quoted(kept or min(filter(None, shown), key=len, default="…"))


def _sentences(messages: list[str]) -> Iterator[tuple[int, str]]:
    for place, text in enumerate(messages[:N_MESSAGES]):
        for part in _SENTENCE.split(text[:READ_CHARACTERS]):
            sentence = printable(part)
            if len(sentence) <= MOST_CHARACTERS:
                yield place, sentence


def _quoted(text: str) -> str:
    shown = text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1].rstrip() + "…"
    return f'{_QUOTES}"{shown}"'


def quotation(sentence: str) -> list[str]:
    """Return the pieces of a message that a summary quotes, in order; none: it is told of people."""
    is_quoted = sentence.startswith(f'{_QUOTES}"')
    return [piece for piece in sentence.removeprefix(_QUOTES)[1:-1].split("…") if piece.strip()] if is_quoted else []


def is_told(sentence: str) -> bool:
    """Return whether a summary is told of people, not quoted; one of a language model looks alike."""
    return sentence.startswith(_TOLD) and not quotation(sentence)


def stems_of(sentence: str) -> frozenset[str]:
    """Return how the words of a told summary begin, in lower case; its message has all of them, or nearly all.

    An irregular verb may be another form there ("did it go", "it went").
    """
    words = [word for word in re.findall(WORD, sentence.removeprefix(_TOLD).lower())[1:] if word != "whether"]
    return frozenset(word[:_STEM] for word in words if len(word) >= _STEM and not is_function_word(word))


def tellings(text: str, wanted: Mapping[str, frozenset[str]]) -> set[str]:
    """Return those of the summaries `wanted`, by which their stems are, that a sentence of a message is told as."""
    found: set[str] = set()
    for _, sentence in _sentences([text]):
        said = sentence.lower()
        if any(sum(stem not in said for stem in stems) <= len(stems) // 3 for stems in wanted.values()):
            found.add(told(sentence) or "")
    return found & wanted.keys()
