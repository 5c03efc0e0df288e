"""Which frames texts share.

Passages (`passages`) end where a sentence or line does, so that "… of the land. I want to" does not take the beginning
of what people say with it. Where the texts of a passage share more beside it, after a short piece that varies, that is
one frame with a slot (`slots`). Lines of context that vary in their values are found by their keys (`context`).

A passage is a frame only if most texts that have it say enough beside it. A template with a slot ("Write an article
about X, with …") is no frame: there the passage is what people ask, and the rest a name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from turret_pipeline.semantics.prompts.asking import asks, units
from turret_pipeline.semantics.prompts.context import context_of
from turret_pipeline.semantics.prompts.frames import LEAST_UNITS, Frame, Frames
from turret_pipeline.semantics.prompts.passages import LEAST_TEXTS, WINDOW, passages
from turret_pipeline.semantics.prompts.slots import core, trimmed, with_slots

MOST_FRAMES = 100
"""Frames that are kept, those that take most out of the texts."""

READ_CHARACTERS = 3_000
"""Of a long text, from each end, that are looked through."""

SAYS_ENOUGH = 30
"""Length of what a text says beside a frame, if it does not ask; less is a name or number in a template."""

LEAST_CHARACTERS = LEAST_UNITS // 4
"""Characters of a passage, at least."""


def find_frames(texts: Sequence[str]) -> list[Frame]:
    """Return the frames that `texts`, which are distinct, share; those in most texts first."""
    read = sorted(_ends(text) for text in texts)
    long = [text for text in read if len(text) >= WINDOW and units(text) >= LEAST_UNITS]
    often, runs = Counter[str](), dict[str, list[int]]()
    for place, places in enumerate(passages(long, LEAST_CHARACTERS)):
        text = long[place]
        own = {trimmed(text, *span) for span in places}
        often.update(passage for passage in own if units(passage) >= LEAST_UNITS)
        for start, end in places:
            runs.setdefault(core(text[start:end]), []).append(place)
    word_for_word = [passage for passage, n in often.items() if n >= LEAST_TEXTS]
    slotted = with_slots(long, runs)
    context = context_of(read)
    told = _with_enough_beside(read, [*word_for_word, *slotted, *context])
    if not {frame.text for frame in told}.issuperset(slotted):
        # What a frame with slots took away may be one without them.
        left = {frame.text for frame in told}.intersection([*slotted, *context])
        told = _with_enough_beside(read, [*word_for_word, *left])
    frames = sorted(told, key=lambda frame: (-frame.n_texts * len(frame.text), frame.text))[:MOST_FRAMES]
    return sorted(frames, key=lambda frame: (-frame.n_texts, frame.text))


def _ends(text: str) -> str:
    return text if len(text) <= 2 * READ_CHARACTERS else f"{text[:READ_CHARACTERS]}\n{text[-READ_CHARACTERS:]}"


def _with_enough_beside(texts: list[str], often: list[str]) -> list[Frame]:
    """Return the passages beside which most texts that have them say enough, with the number of these texts."""
    cutting, found = Frames(often), []
    having, telling = Counter[str](), Counter[str]()
    for text in texts:
        rest, frames = cutting.frames_in(text)
        enough = units(rest) >= SAYS_ENOUGH or asks(rest) > 0
        for frame in set(frames):
            having[frame] += 1
            telling[frame] += enough
    for passage, n in having.items():
        if n >= LEAST_TEXTS and 2 * telling[passage] >= n:
            found.append(Frame(passage, n))
    return found
