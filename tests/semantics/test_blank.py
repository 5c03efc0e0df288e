"""Texts that show nothing are blank, whatever they are made of."""

from __future__ import annotations

import unicodedata

import pytest

from turret_pipeline.semantics.blank import is_blank

NOTHING = {
    "empty": "",
    "blanks": " \t\r\n\u00a0\u2003\u3000",
    "controls": "\x00\x01\x1b\x7f\x85",
    "zero-width": "\u200b\u200c\u200d\u2060",
    "a byte order mark": "\ufeff",
    "soft hyphens": "\u00ad\u00ad",
    "Hangul fillers": "\u3164\u115f\u1160\uffa0",
    "Braille without dots": "\u2800",
    "variation selectors": "\ufe0f\U000e0100",
    "marks of direction": "\u200e\u202e\u2066",
    "tags": "\U000e0020\U000e007f",
    "a joiner and Mongolian selectors": "\u034f\u180b\u180e",
}


@pytest.mark.parametrize("text", NOTHING.values(), ids=NOTHING)
def test_what_shows_nothing_is_blank(text: str) -> None:
    assert is_blank(text) and is_blank(text * 3)
    assert not is_blank(f"{text}a{text}")


@pytest.mark.parametrize("text", ["a", "0", "-", "\u0301", "\u0600", "👨\u200d👩", "❤\ufe0f", "\u3163", "\u2801"])
def test_what_shows_anything_is_not_blank(text: str) -> None:
    assert not is_blank(text)


def test_every_character_for_blanks_controls_and_marks_of_format_is_blank_but_signs_that_are_drawn() -> None:
    drawn = {chr(code) for code in (0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x600, 0x606))}
    drawn |= {chr(code) for code in range(0x13430, 0x13456)}  # how hieroglyphs are put together
    for code in range(0x110000):
        character = chr(code)
        if unicodedata.category(character) in ("Cc", "Cf", "Zs", "Zl", "Zp") and character not in drawn:
            assert is_blank(character), hex(code)
