"""Frames with slots: what the texts of a passage share beside it, behind short pieces that vary.

From a passage outwards, on both sides: what nearly all of its texts have next, then, within a few words, what nearly
all have after that, and so on. What lies between is a slot if its values look like those of a variable: they
repeat, or are numbers, names or single words. So a question that stands between two parts of a prompt is none.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from turret_pipeline.semantics.prompts.asking import asks, units
from turret_pipeline.semantics.prompts.frames import LEAST_UNITS, MOST_SLOT, SLOT, fits
from turret_pipeline.semantics.prompts.passages import LEAST_TEXTS

MOST_SEEDS = 30
"""Passages from which frames are grown, those that take most out of the texts."""

MOST_RUNS = 100
"""Passages among which these are chosen."""

SAMPLE = 60
"""Texts of a passage that are compared."""

FEW = 0.4
"""Share of a passage's texts that may have a longer one by chance, at most."""

NEARLY_ALL = 0.9
"""Share of a passage's texts that share what stands beside it."""

REACH = 2_000
"""Characters beside a passage that are looked at."""

LEAST_PIECE = 5
"""Length (`asking.units`) without blanks of what begins behind a slot."""

MOST_ASKING = 0.1
"""Share of a slot's values that may ask or speak of who writes."""

OFTEN = 3
"""Times that a value of several words is said if it is of a variable, at least."""

MOST_WORDS = 4
"""Words of such a value, at most."""

MOST_UNITS = 32
"""Length of one word, or of some in a script without capitals, that may be a name, at most."""

_BORDER = re.compile("[\\n.!?:\u3002\uff01\uff1f\uff1a\u061f\u0964>][\"'\u201d\u2019\u00bb)]*")
_LETTER = "0-9A-Za-z_\u00c0-\u052f\u0600-\u06ff"
_PART_FIRST = re.compile(rf"^(?:[{_LETTER}]+|[^\s{_LETTER}]*\d\S*)")
_PART_LAST = re.compile(rf"(?:[{_LETTER}]+|\S*\d[^\s{_LETTER}]*)$")
_KEY = re.compile("\n[^\n:=\uff1a]{1,40}[:=\uff1a][^\\S\n]*$")
_PARTICLES = frozenset(("da", "de", "di", "do", "du", "von", "van", "der", "den", "la", "bin", "al", "el", "y", "of"))
_PLAYS_A_ROLE = re.compile(r"\W*(?:act|answer|pretend|imagine|help|agis|actúa|aja)\b", re.IGNORECASE)


class _Side(NamedTuple):
    """What a passage's texts share on one side of it: pieces from the passage outwards, slots between them.

    rests: what each text has beyond them, "" where that is nothing.
    """

    pieces: list[str]
    rests: list[str]

    @property
    def ends(self) -> bool:
        """Whether nearly no text has anything beyond."""
        return sum(not rest.strip() for rest in self.rests) >= NEARLY_ALL * len(self.rests)

    def ends_in_slot(self, edge: str) -> bool:
        """Whether nearly all texts have only the value of a variable beyond: a number, or a part of a sentence.

        edge: the characters of the frame that border on it.
        """
        needed = NEARLY_ALL * len(self.rests)
        if self.ends or sum(map(fits, self.rests)) < needed or not vary(self.rests):
            return False
        n_numbers = sum(re.search(r"\d", rest) is not None for rest in self.rests)
        return n_numbers >= needed or _BORDER.search(edge) is None

    @property
    def says_enough(self) -> bool:
        """Whether most texts say something beyond."""
        return 2 * sum(units(rest) > MOST_SLOT // 2 or asks(rest) > 0 for rest in self.rests) > len(self.rests)


def vary(values: Sequence[str]) -> bool:
    """Return whether `values` are of a variable, and not what people say: names, numbers, single words, or few."""
    said = [value.strip() for value in values]
    others = [value for value in said if value and not _is_name_or_number(value)]
    if sum(asks(value) > 0 for value in others) > MOST_ASKING * len(said):
        return False
    often = Counter(said)
    n_other = sum(often[value] < OFTEN or len(value.split()) > MOST_WORDS for value in others)
    return n_other <= (1 - NEARLY_ALL) * len(said)


def _is_name_or_number(value: str) -> bool:
    words = [word for word in value.split() if any(map(str.isalnum, word))]
    if asks(value) > 1:
        return False
    if "@" in value or "://" in value or len(words) < 2:
        return units(value) <= MOST_UNITS or any(map(str.isdigit, value))
    if all(len(part.split()) == 1 for part in re.split("[,;/|]", value.strip(" ,;/|"))):
        return True  # a list of words
    n_numbers = sum(any(map(str.isdigit, word)) for word in words)
    n_plain = sum(word[0].islower() and word not in _PARTICLES and not re.search(r"\d", word) for word in words)
    has_case = value.lower() != value.upper()
    return n_plain <= n_numbers and (has_case or n_numbers > 0 or units(value) <= MOST_UNITS)


def trimmed(text: str, start: int, end: int) -> str:
    """Return the passage from the first to the last border of a sentence or line within it."""
    if start > 0 and text[start - 1] != "\n" and (first := _BORDER.search(text, max(0, start - 2), end)):
        start = first.end()
    if end < len(text):
        borders = [match.end() for match in _BORDER.finditer(text, start, end)]
        end = borders[-1] if borders else start
    return text[start:end].strip()


def core(passage: str) -> str:
    """Return a passage without the parts of words at its ends, which may be of a slot's value in some of its texts."""
    first, last = _PART_FIRST.match(passage), _PART_LAST.search(passage, max(0, len(passage) - MOST_SLOT))
    kept = passage[first.end() if first else 0 : last.start() if last else len(passage)]
    return kept if len(kept) > len(passage) // 2 else passage


def with_slots(texts: Sequence[str], runs: Mapping[str, list[int]]) -> list[str]:
    """Return the frames with slots that `texts` share. runs: passages with the places of the texts that have them."""
    found: list[str] = []
    tried: dict[str, int] = {}
    for seed, places in _seeds(runs):
        if len(tried) == MOST_SEEDS:
            break
        # What few of a passage's texts have more around it is a part of a slot's value, or of what they say.
        if any(2 * len(other) > len(seed) and len(places) < FEW * n and other in seed for other, n in tried.items()):
            continue
        if any(seed.strip() in piece for frame in found for piece in frame.split(SLOT)):
            continue
        tried[seed] = len(places)
        step = max(1, len(places) // SAMPLE)
        frame = _grown([texts[place] for place in places[::step]], seed)
        if frame is not None and frame not in found:
            found.append(frame)
    return found


def _seeds(runs: Mapping[str, list[int]]) -> list[tuple[str, list[int]]]:
    """Return the passages that take most out of the texts, with their texts: also those that have more around it."""
    often = sorted(runs, key=lambda run: (-len(runs[run]) * len(run), run))[:MOST_RUNS]
    having = {seed: sorted({place for run in runs if seed in run for place in runs[run]}) for seed in often}
    seeds = [(seed, places) for seed, places in having.items() if len(places) >= LEAST_TEXTS]
    return sorted(seeds, key=lambda each: (-len(each[1]) * len(each[0]), each[0]))


def _grown(texts: list[str], seed: str) -> str | None:
    starts = [text.find(seed) for text in texts]
    left = _side([text[max(0, start - REACH) : start][::-1] for text, start in zip(texts, starts, strict=True)], -1)
    right = _side(
        [text[start + len(seed) : start + len(seed) + REACH] for text, start in zip(texts, starts, strict=True)], 1
    )
    before = [piece[::-1] for piece in reversed(left.pieces)]
    pieces = _of_whole_words([*before[:-1], before[-1] + seed + right.pieces[0], *right.pieces[1:]])
    if left.ends_in_slot(pieces[0][:2]) and right.says_enough:
        pieces = ["", *pieces]
    elif right.ends_in_slot(pieces[-1][-2:]) and left.says_enough:
        pieces = [*pieces, ""]
    pieces = _bordered(pieces, left.ends or not pieces[0], right.ends or not pieces[-1])
    if len(pieces) < 2 or sum(units(piece) + MOST_SLOT // 5 for piece in pieces) < LEAST_UNITS:
        return None
    return SLOT.join(pieces)


def _of_whole_words(pieces: list[str]) -> list[str]:
    """Return the pieces without the parts of words and numbers beside their slots: they vary too, if more seldom."""
    found = []
    for place, piece in enumerate(pieces):
        kept = piece if place == 0 else _PART_FIRST.sub("", piece)
        kept = kept if place == len(pieces) - 1 else _PART_LAST.sub("", kept)
        found.append(kept if _is_piece(kept) else piece)
    return found


def _bordered(pieces: list[str], begins: bool, ends: bool) -> list[str]:
    """Return the pieces of a frame that begins and ends where a sentence or line does, or where its texts do."""
    pieces = list(pieces)
    while pieces and (not begins or _requests(pieces[0])):
        # What begins a request is left to it, up to its slot.
        if begins:
            pieces, begins = pieces[1:], False
            continue
        first = _BORDER.search(pieces[0])
        kept = pieces[0][first.end() :].lstrip() if first else ""
        kept = "" if _requests(kept) else kept
        begins = _is_piece(kept)
        pieces = [kept, *pieces[1:]] if begins else pieces[1:]
    if len(pieces) > 1 and "\n" in pieces[-1] and not pieces[-1].strip():
        ends = True
    while pieces and not ends:
        borders = [match.end() for match in _BORDER.finditer(pieces[-1])]
        kept = pieces[-1][: borders[-1]] if borders else ""
        ends = _is_piece(kept)
        pieces = [*pieces[:-1], kept] if ends else pieces[:-1]
    if pieces:
        pieces[0], pieces[-1] = pieces[0].lstrip(), pieces[-1].rstrip() or pieces[-1][:1]
    return pieces


def _requests(piece: str) -> bool:
    """Return whether a short first piece of a frame is the beginning of a request, and no role to play."""
    return units(piece) < LEAST_UNITS and asks(piece) > 1 and _PLAYS_A_ROLE.match(piece) is None


def _is_piece(said: str) -> bool:
    return units("".join(said.split())) >= LEAST_PIECE


def _side(sides: list[str], step: int) -> _Side:
    """Return what `sides`, which begin at the passage, share: the first piece borders on it and may be empty.

    step: -1 where the sides are written backwards.
    """
    needed = NEARLY_ALL * len(sides)
    first = _shared(sides, [0] * len(sides), needed)
    pieces = [first]
    at = [len(first) if side.startswith(first) else -1 for side in sides]
    while (following := _following(sides, at, needed, step)) is not None:
        piece, at = following
        pieces.append(piece)
    return _Side(pieces, [side[place:][::step] for side, place in zip(sides, at, strict=True) if place >= 0])


def _shared(sides: list[str], at: list[int], needed: float) -> str:
    """Return the longest beginning that as many as are needed share from their places on."""
    rests = [side[place:] for side, place in zip(sides, at, strict=True) if place >= 0]
    best = ""
    for reference in {rests[0], rests[len(rests) // 2], rests[-1]} if rests else ():
        length = bisect_left(
            range(1, len(reference) + 1),
            True,
            key=lambda n: sum(rest.startswith(reference[:n]) for rest in rests) < needed,
        )
        best = max(best, reference[:length], key=lambda said: (len(said), said))
    return best


def _following(sides: list[str], at: list[int], needed: float, step: int) -> tuple[str, list[int]] | None:
    """Return what comes next behind a slot, and the places behind it in the sides (-1 where it is not)."""
    there = [place for place in range(len(sides)) if at[place] >= 0]
    for reference in (there[0], there[len(there) // 2]) if there else ():
        side, start = sides[reference], at[reference]
        for offset in range(1, MOST_SLOT + 1):
            begin = start + offset
            end = begin + 1
            while end <= len(side) and not _is_piece(side[begin:end]):
                end += 1
            if end > len(side):
                break
            found = _found(sides, at, side[begin:end], needed)
            if found is None:
                continue
            piece = _shared(sides, found, needed)
            values = [sides[place][at[place] : found[place]][::step] for place in there if found[place] >= 0]
            if not all(map(fits, values)) or not vary(values):
                return None
            return piece, _behind(sides, found, piece)
    return _to_end_of_line(sides, at, needed) if step > 0 else None


def _to_end_of_line(sides: list[str], at: list[int], needed: float) -> tuple[str, list[int]] | None:
    """Return the end of the line behind a value with its key before it ("Since: 4 May"), and the places behind it."""
    there = [place for place in range(len(sides)) if at[place] > 0 and _KEY.search(sides[place][: at[place]])]
    found = [
        side.find("\n", start, start + MOST_SLOT) if start >= 0 else -1 for side, start in zip(sides, at, strict=True)
    ]
    there = [place for place in there if found[place] > 0]
    values = [sides[place][at[place] : found[place]] for place in there]
    if len(there) < needed or not all(map(fits, values)) or not vary(values):
        return None
    piece = _shared(sides, found, needed)
    return piece, _behind(sides, found, piece)


def _behind(sides: list[str], at: list[int], piece: str) -> list[int]:
    return [
        place + len(piece) if place >= 0 and side.startswith(piece, place) else -1
        for side, place in zip(sides, at, strict=True)
    ]


def _found(sides: list[str], at: list[int], wanted: str, needed: float) -> list[int] | None:
    """Return where `wanted` stands behind a slot in the sides, -1 where it does not; None if too few have it."""
    found, n_missing, length = [], 0, MOST_SLOT + len(wanted)
    for side, start in zip(sides, at, strict=True):
        place = side.find(wanted, start, start + length) if start >= 0 else -1
        n_missing += place < 0
        if n_missing > len(sides) - needed:
            return None
        found.append(place)
    return found
