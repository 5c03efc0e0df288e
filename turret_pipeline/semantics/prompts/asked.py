"""What a text asks: the text without the material that it carries, however long that is.

Of a conversation in one text (`turns`) it is what the user said last. A short text is itself. Of a long one what
`material` finds goes first, then, of prose that is still long, the sentences that neither ask nor speak of who writes
or reads; where none does, all but the first and the last ones. What says too little
alone ("Fix this:") keeps the beginning of its material.
"""

from __future__ import annotations

from turret_pipeline.semantics.prompts.asking import Sentence, sentences, units
from turret_pipeline.semantics.prompts.material import Span, material
from turret_pipeline.semantics.prompts.turns import without_turns
from turret_pipeline.semantics.prompts.windows import MOST_UNITS, head, shortened

SHORT_CHARACTERS = 200
"""Texts up to so many characters are what they ask, whatever is in them."""

PROSE_UNITS = 500
LINES_UNITS = 300
"""Lengths up to which prose of one line, and of several, is kept whole."""

ASKING_UNITS = 1200
"""Length of sentences that ask past which only questions and requests are kept, and the first and last ones."""

SAYS_LITTLE = 12
"""Length up to which what is asked needs its material to be understood."""

MATERIAL_UNITS = 300
"""Length of the beginning of the material that it then keeps."""

N_ENDS = 2
"""Sentences at the beginning, and at the end, that are always kept."""

_NO_WORDS = " \t\r\n:\uff1a-\u2013\u2014*#>`\"'"


def asked(text: str) -> str:
    """Return what `text` asks: the text itself where it is short or carries nothing, and never nothing.

    What is asked of the answer is the answer. Takes time in proportion to the length of the text.
    """
    found = text
    while True:
        following = without_turns(found)
        if len(following) > SHORT_CHARACTERS:
            following = _without_material(following)
        if len(following) >= len(found):
            return found
        found = following


def _without_material(text: str) -> str:
    carried = material(text)
    kept = _others(carried, len(text))
    kept = [(start, end) for start, end in kept if text[start:end].strip(_NO_WORDS)]
    length = sum(units(text[start:end]) for start, end in kept)
    is_one_line = len(kept) == 1 and "\n" not in text[slice(*kept[0])].strip()
    if length > (PROSE_UNITS if is_one_line else LINES_UNITS):
        kept = _asking(text, kept)
    elif kept and not carried:
        return text
    said = "\n".join(text[start:end].strip() for start, end in kept).strip()
    if units(said) <= SAYS_LITTLE:
        left = "\n".join(text[start:end].strip() for start, end in carried) if carried else text
        said = f"{said}\n{head(left, MATERIAL_UNITS)}".strip()
    return shortened(said, MOST_UNITS)


def _others(spans: list[Span], length: int) -> list[Span]:
    """Return what lies between `spans`."""
    places = [0, *(place for span in spans for place in span), length]
    return [(start, end) for start, end in zip(places[::2], places[1::2], strict=True) if end > start]


def _asking(text: str, spans: list[Span]) -> list[Span]:
    """Return the places of the sentences that ask, or else of the first and the last ones; neighbours are one."""
    found = [each for start, end in spans for each in sentences(text, start, end)]
    alone = {each for each in (found[0], found[-1]) if _is_line(text, each)}
    kept = [each for each in found if each.asks or each in alone]
    if _length(text, kept) > ASKING_UNITS:
        kept = [each for each in kept if each.asks > 1 or each in alone]
    if _length(text, kept) <= SAYS_LITTLE:
        ends = {*found[:N_ENDS], *found[-N_ENDS:]}
        kept = [each for each in found if each.asks or each in ends]
    return _joined(kept)


def _is_line(text: str, sentence: Sentence) -> bool:
    """Return whether a sentence is a line by itself, and a short one: an order before or after what was pasted."""
    said = text[sentence.start : sentence.end]
    before = text[: sentence.start + len(said) - len(said.lstrip())].rstrip(" \t")
    after = text[sentence.start + len(said.rstrip()) :].lstrip(" \t")
    return len(said) <= SHORT_CHARACTERS and before[-1:] in ("", "\n") and after[:1] in ("", "\n")


def _length(text: str, kept: list[Sentence]) -> int:
    return sum(units(text[each.start : each.end]) for each in kept)


def _joined(kept: list[Sentence]) -> list[Span]:
    spans: list[Span] = []
    for each in kept:
        if spans and spans[-1][1] == each.start:
            spans[-1] = spans[-1][0], each.end
        else:
            spans.append((each.start, each.end))
    return spans
