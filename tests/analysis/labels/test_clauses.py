"""Phrases that may name a topic are whole, and say "not" where people do."""

from __future__ import annotations

import numpy as np
import pytest

from turret_pipeline.analysis.labels.clauses import clauses
from turret_pipeline.analysis.labels.languages import in_main_language, is_mixed
from turret_pipeline.analysis.labels.reported import told
from turret_pipeline.analysis.labels.shares import is_readable


def surfaces(text: str) -> set[str]:
    return {phrase.surface for phrase in clauses(text)}


@pytest.mark.parametrize(
    ("text", "said", "wrong"),
    [
        ("I don't recognise this payment", "payment not recognized", "recognise payment"),
        ("I can't withdraw money", "cannot withdraw money", "withdraw money"),
        ("I haven't received my new card", "new card not received", "received new card"),
        ("I did not make this transfer", "did not make transfer", "make transfer"),
        ("I can withdraw money", "withdraw money", "cannot withdraw money"),
    ],
)
def test_what_people_deny_is_not_named_as_if_they_did_it(text: str, said: str, wrong: str) -> None:
    assert said in surfaces(text)
    assert wrong not in surfaces(text)


@pytest.mark.parametrize(
    ("text", "half"),
    [
        ("Given an array of integers", "given array"),
        ("How long does it take for a transfer?", "take for transfer"),
        ("Use a bank card for top up", "card for up"),
        ("Rate this book 3 out of 6 stars", "6 stars"),
        ("A one way flight for two people", "way flight"),
        ("Get my virtual card to work", "virtual card to work"),
    ],
)
def test_half_phrases_name_nothing(text: str, half: str) -> None:
    assert half not in surfaces(text)


def test_things_to_do_are_named_with_what_is_done() -> None:
    assert "places to visit" in surfaces("find some places to visit")
    assert "something fun to do" in surfaces("I want something fun to do")


def test_texts_of_unknown_language_do_not_name_a_topic_of_many_languages() -> None:
    said_in = ["en"] * 5 + ["de"] * 8 + [""] * 6
    clusters = np.zeros(len(said_in), dtype=np.int64)
    assert in_main_language(clusters, said_in, ["en"]).tolist() == [0] * 5 + [-1] * 14
    assert in_main_language(clusters[3:], said_in[3:], ["en"]).tolist() == [0] * 2 + [-1] * 8 + [0] * 6
    assert is_mixed(clusters, said_in, ["en"]).tolist() == [True]
    assert is_mixed(clusters, said_in, ["de"]).tolist() == [False]


def test_a_sentence_that_was_cut_off_is_not_told() -> None:
    assert told("I want to write a script that takes a") is None
    assert told("I want to write a script that takes a file") is not None


def test_what_stands_behind_a_subject_belongs_to_it() -> None:
    question = "Why is the payment on my card still pending?"
    assert told(question) == "People ask why the payment on their card is still pending."


def test_gaps_and_code_are_no_outline_to_read() -> None:
    assert is_readable("refund for …")
    assert not is_readable("… equals …")
    assert not is_readable("{ int i; } = (x[i]) + {};")
