"""Texts as recognisers read them: digits are 0 to 9, and what has no width is gone.

A number in full-width or Arabic digits, or with a zero-width space inside, is the same number to its reader. So is an
address in JSON that is in the text, with a code for its @.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

ZEROS = (
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0xF20, 0x1040,
    0x17E0, 0x1810, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6,
)  # fmt: skip
"""Zeros of other scripts; nine digits follow each."""
SPACES = "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63"
NO_WIDTH = "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff"

_TABLE = (
    {zero + n: str(n) for zero in ZEROS for n in range(10)}
    | {0xFF01 + n: chr(0x21 + n) for n in range(94)}
    | dict.fromkeys(map(ord, SPACES), " ")
    | dict.fromkeys(map(ord, DASHES), "-")
    | {0x3002: ".", 0xFE52: ".", 0xFE6B: "@"}
)
IN_WORD = r"[^\W\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
"""A character with which a number makes one word: none of a script that writes words without spaces between them."""
_AROUND = 32
_ESCAPED = re.compile(r"\\[nrt]")
_CODE = re.compile(r"\\{1,4}u([0-9a-fA-F]{4})")
"""A character, or half of one, as JSON escapes it; in JSON within JSON with more backslashes."""
_NO_WIDTH = re.compile(f"[{NO_WIDTH}]+")
_MARK = re.compile(f"[{''.join(map(chr, _TABLE))}]")
_MARKS = re.compile(f"[{NO_WIDTH}{''.join(map(chr, _TABLE))}]")


def _read(mark: re.Match[str]) -> str:
    return _TABLE[ord(mark[0])]


class Plain(NamedTuple):
    """A text as it is read.

    Args:
        text: it.
        starts: for each character its place in what was written, and the place behind the last; None: the same.
        ends: for each character the place behind it.
    """

    text: str
    starts: list[int] | None = None
    ends: list[int] | None = None


def plain(written: str) -> Plain:
    """Return the text as it is read; where it holds JSON itself, the marks of ends of lines are spaces."""
    if "\\" in written:
        written = _ESCAPED.sub("  ", written)
        if "\\u" in written and _CODE.search(written) is not None:
            return _decoded(written)
    if written.isascii() or _MARKS.search(written) is None:
        return Plain(written)
    text = _MARK.sub(_read, written)
    if _NO_WIDTH.search(text) is None:
        return Plain(text)
    starts: list[int] = []
    at = 0
    for gap in _NO_WIDTH.finditer(text):
        starts += range(at, gap.start())
        at = gap.end()
    starts += range(at, len(text) + 1)
    return Plain(_NO_WIDTH.sub("", text), starts, [start + 1 for start in starts[:-1]])


def _decoded(written: str) -> Plain:
    """Return the text as it is read, with the characters that codes in it stand for."""
    pieces, starts = list[str](), list[int]()
    at = 0
    for code in _CODE.finditer(written):
        pieces += written[at : code.start()], _character(code[1])
        starts += range(at, code.start() + 1)
        at = code.end()
    starts += range(at, len(written) + 1)
    pieces.append(written[at:])
    # A backslash that was a code itself begins no other.
    read = plain("".join(pieces).replace("\\", "/"))
    if read.starts is None:
        return Plain(read.text, starts, starts[1:])
    return Plain(read.text, [starts[each] for each in read.starts], [starts[each + 1] for each in read.starts[:-1]])


def _character(code: str) -> str:
    """Return what a code stands for; for half of a character a sign that is in no word."""
    number = int(code, 16)
    return "\ufffd" if 0xD800 <= number < 0xE000 else chr(number)


def windows(text: str, *patterns: Any) -> list[tuple[int, int]]:
    """Return where to look closely: the places of patterns with `_AROUND` characters on both sides, apart, in order."""
    found: list[tuple[int, int]] = []
    places = [match.span() for pattern in patterns for match in pattern.finditer(text)]
    for place in sorted(places) if len(patterns) > 1 else places:
        start, end = max(0, place[0] - _AROUND), min(len(text), place[1] + _AROUND)
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def said_before(text: str, at: int, most: int, key: str) -> str:
    """Return what may say what stands at a place: the name of the field, and what is before it in its line.

    most: characters of the latter.
    """
    return f"{key.replace('_', ' ')}: {text[max(0, at - most) : at].rpartition(chr(10))[2]}"
