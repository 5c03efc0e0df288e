"""How names are written: with the capitals that people give, and with the words that deny in any language."""

from __future__ import annotations

import pytest

from tests.analysis.labels.test_names import planted_texts
from turret_pipeline.analysis.labels.languages import denials, stop_words
from turret_pipeline.analysis.labels.names import Namer
from turret_pipeline.analysis.labels.phrases import phrases
from turret_pipeline.analysis.labels.written import as_written


@pytest.mark.parametrize(
    ("name", "texts", "written"),
    [
        ("change pin", ["How do I change my PIN?", "change the PIN please", "my PIN is wrong"], "change PIN"),
        ("rechnung", ["Wo ist die Rechnung?", "die Rechnung stimmt nicht", "keine Rechnung da"], "Rechnung"),
        (
            "card",
            ["Card lost", "Card stolen", "Card gone"],
            "card",
        ),  # the first word of a sentence has a capital anyway
        ("card", ["my card", "the Card", "a card", "your card"], "card"),
        ("pin", ["my PIN", "the PIN"], "pin"),  # too few
        ("buy watches", ["BUY CHEAP WATCHES NOW"] * 5, "buy watches"),
        ("Where is my PARCEL", ["my parcel"] * 5, "Where is my PARCEL"),
    ],
)
def test_a_name_has_the_capitals_that_most_people_write(name: str, texts: list[str], written: str) -> None:
    assert as_written(name, texts) == written


@pytest.mark.parametrize(
    ("language", "text", "phrase"),
    [
        ("de", "Die Rechnung stimmt nicht", "rechnung stimmt nicht"),
        ("es", "La tarjeta no funciona", "tarjeta no funciona"),
        ("fr", "Mon imprimante ne marche pas", "imprimante ne marche pas"),
        ("ru", "Карта не работает", "карта не работает"),
    ],
)
def test_a_phrase_keeps_the_word_that_denies(language: str, text: str, phrase: str) -> None:
    found = [each.surface for each in phrases(text, stop_words(language), denials(language))]
    assert phrase in found
    assert not set(found) & denials(language)
    assert "paket ist noch nicht" not in [
        each.surface for each in phrases("Das Paket ist noch nicht da", stop_words("de"), denials("de"))
    ]


def test_a_topic_of_what_is_not_so_says_so_in_its_name() -> None:
    wrong = [f"Die Rechnung stimmt nicht {n}" for n in range(20)]
    parcel = [f"Wo ist mein Paket {n}?" for n in range(20)]
    assert Namer(*planted_texts([wrong, parcel])).topics()[0] == "Rechnung stimmt nicht"
