"""Frames: long passages that many texts share, such as a system prompt before each message, and how they are cut.

A frame may have slots, short pieces that vary (a name, a date): it is written with `SLOT` for each. A frame of one line
that ends in a slot is a line of context ("locale: {…}"), and is cut wherever it is a line by itself. `finding` tells
which frames texts share.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from turret_pipeline.semantics.prompts.asking import units
from turret_pipeline.semantics.prompts.turns import Span, newest_turn

SLOT = "{…}"
"""What stands in a frame for a piece that varies."""

LEAST_UNITS = 120
"""Length of a frame (`asking.units`), at least."""

GAP = 40
"""Characters between two frames that go with them, such as a date, where the text says something before or behind."""

MOST_SLOT = 60
"""Characters of what stands in a slot, at most."""

SLOT_WORDS = 8
"""Words in a slot, at most."""

LEAST_LINE = 8
"""Characters of a text with a line of context in it, at least."""

_LABEL_AT_END = re.compile("\n[^\n:\uff1a]{1,30}[:\uff1a]$")
_EMPTY_TAGS = re.compile(r"<(\w{1,40})>\s*+</\1>")
_RULES = "-=*_#~ \t\r\n"
_NONE = 1 << 30


@dataclass(frozen=True)
class Frame:
    """A passage, and how many of the texts that were looked through have it."""

    text: str
    n_texts: int


class _Template:
    """A frame as its pieces, of which the longest is looked for first, and the others at its sides."""

    def __init__(self, text: str) -> None:
        self.pieces = text.split(SLOT)
        self.core = max(range(len(self.pieces)), key=lambda place: (len(self.pieces[place]), -place))
        self.enough = min(LEAST_UNITS, sum(map(units, self.pieces)) // 2)

    def find(self, text: str) -> list[Span]:
        """Return where the frame stands in `text`, with what is in its slots; of a part of it enough must be there."""
        core, found = self.pieces[self.core], []
        start = text.find(core)
        while start >= 0:
            (begin, before), (end, behind) = self._before(text, start), self._behind(text, start + len(core))
            if units(core) + before + behind >= self.enough:
                found.append((begin, end))
            start = text.find(core, max(end, start + len(core)))
        return found

    def _behind(self, text: str, end: int) -> tuple[int, int]:
        length = 0
        for piece in self.pieces[self.core + 1 :]:
            start = text.find(piece, end, end + MOST_SLOT + len(piece)) if piece else len(text)
            if start < 0 or not fits(text[end:start]):
                break
            end, length = start + len(piece), length + units(piece)
        return end, length

    def _before(self, text: str, start: int) -> tuple[int, int]:
        length = 0
        for piece in reversed(self.pieces[: self.core]):
            begin = text.rfind(piece, max(0, start - MOST_SLOT - len(piece)), start) if piece else 0
            if begin < 0 or not fits(text[begin + len(piece) : start]):
                break
            start, length = begin, length + units(piece)
        return start, length


def fits(said: str) -> bool:
    """Return whether `said` may stand in a slot."""
    return len(said) <= MOST_SLOT and len(said.split()) <= SLOT_WORDS


def is_line_of_context(frame: str) -> bool:
    """Return whether a frame is a line of context: a key before a slot."""
    return frame.endswith(SLOT) and frame.count(SLOT) == 1 and "\n" not in frame and units(frame) < LEAST_UNITS


class Frames:
    """The frames of a project, for cutting them out of its texts.

    least: length of the shortest text that may have one; no longer texts are as they were.
    """

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._keys = {text.removesuffix(SLOT).rstrip(): text for text in texts if is_line_of_context(text)}
        longest_first = sorted(texts, key=lambda text: (-len(text), text))
        self._templates = [(text, _Template(text)) for text in longest_first if not is_line_of_context(text)]
        self._context = _lines(sorted(self._keys)) if self._keys else None
        lengths = [len(each.pieces[each.core]) for _, each in self._templates] + [LEAST_LINE] * bool(self._keys)
        self.least = min(lengths, default=_NONE)

    def __bool__(self) -> bool:
        return self.least < _NONE

    def split(self, text: str) -> tuple[str, list[str]]:
        """Return the text without frames, and the passages of it that are frames, in order.

        Of a conversation in one text (`turns`) what the user said last is the text. A text that is only frames keeps
        them. Where there is none the text is as it was.
        """
        rest, spans = self._cut(text)
        return rest, [text[start:end] for start, end, _ in spans]

    def frames_in(self, text: str) -> tuple[str, list[str]]:
        """Return the text without frames, and the frames that it has, as they are written with their slots."""
        rest, spans = self._cut(text)
        return rest, [frame for _, _, frame in spans]

    def _cut(self, text: str) -> tuple[str, list[tuple[int, int, str]]]:
        if len(text) <= self.least:
            return text, []
        spans = self._found(text)
        if not spans:
            return text, []
        said = newest_turn(text) or [(0, len(text))]
        rest = "\n".join(part for place in said if (part := _without(text, place, spans)).strip()).strip()
        rest = _LABEL_AT_END.sub("", _without_rules(_EMPTY_TAGS.sub("", rest).strip())).strip()
        if not any(map(str.isalnum, rest)):
            return text, []
        return rest, spans

    def _found(self, text: str) -> list[tuple[int, int, str]]:
        found = [(*span, frame) for frame, template in self._templates for span in template.find(text)]
        if self._context is not None:
            found += [(*match.span(), self._keys[match[1]]) for match in self._context.finditer(text)]
        # Of two that have words in common the one that takes more.
        spans: list[tuple[int, int, str]] = []
        for start, end, frame in sorted(found, key=lambda span: span[0] - span[1]):
            if all(end <= one or start >= other for one, other, _ in spans):
                spans.append((start, end, frame))
        return sorted(spans)


def _without(text: str, place: Span, spans: list[tuple[int, int, str]]) -> str:
    """Return what is left of a part of `text` without `spans`, and what is short between two of them."""
    first, last = place
    within = [(max(start, first), min(end, last)) for start, end, _ in spans if start < last and end > first]
    places = [first, *(each for span in within for each in span), last]
    left = [text[start:end] for start, end in zip(places[::2], places[1::2], strict=True)]
    outer = any(map(str.isalnum, left[0] + left[-1]))
    inner = [part for part in left[1:-1] if len(part) > GAP or not outer] if len(left) > 1 else []
    return "\n".join([left[0], *inner, left[-1]] if len(left) > 1 else left)


def _without_rules(text: str) -> str:
    """Return `text` without lines of dashes and the like at its ends."""
    start, end = len(text) - len(text.lstrip(_RULES)), len(text.rstrip(_RULES))
    first, last = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    return text[first : last if last >= 0 else len(text)]


def _lines(keys: list[str]) -> re.Pattern[str]:
    """Return the pattern of lines that begin with one of `keys`, with the heading before and the next one behind."""
    heading = r"#{1,4} [^\n]{1,30}"
    return re.compile(
        rf"^(?:(?:{heading}|[^\n:\uff1a]{{1,30}}[:\uff1a])[^\S\n]*\n{{1,3}})?"
        rf"[^\S\n]*({'|'.join(map(re.escape, keys))})[^\S\n]*\S[^\n]{{0,{MOST_SLOT}}}$"
        rf"(?:\n{{1,3}}{heading}(?=\n))?",
        re.MULTILINE,
    )
