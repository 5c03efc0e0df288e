"""A sentence on a topic: told of people where that is safe, else one of its messages word for word."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.analysis.labels.planted import planted_texts
from turret_pipeline.analysis.labels.names import Namer
from turret_pipeline.analysis.labels.reported import told


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("When will my card arrive?", "People ask when their card will arrive."),
        ("Where's my refund?", "People ask where their refund is."),
        ("Why was my card declined?", "People ask why their card was declined."),
        ("How do I activate my card?", "People ask how to activate their card."),
        ("what do I do if my phone was stolen?", "People ask what to do if their phone was stolen."),
        ("How long does a transfer take?", "People ask how long a transfer takes."),
        ("Why did my payment fail?", "People ask why their payment failed."),
        ("Why doesn\u2019t my card work?", "People ask why their card does not work."),
        ("Can I get a refund?", "People ask whether they can get a refund."),
        ("Is there a fee for top-ups?", "People ask whether there is a fee for top-ups."),
        ("Do you know when my transfer will arrive?", "People ask when their transfer will arrive."),
        ("Hello, I'd like to book a flight please", "People want to book a flight."),
        ("I am looking for a movie", "People are looking for a movie."),
        ("Could you please find me a hotel?", "People ask you to find them a hotel."),
        ("Find me a restaurant", "People ask you to find them a restaurant."),
        ("My card isn't working.", "People say that their card is not working."),
        ("I can't find my PIN", "People say that they cannot find their PIN."),
    ],
)
def test_what_people_write_is_told_of_them(said: str, expected: str) -> None:
    assert told(said) == expected


@pytest.mark.parametrize(
    "said",
    [
        "refund please",
        "Good to know!",
        "They told me to wait",
        'He said "no" to me',
        "What is this $5 charge?",
        "I need help, how do I pay?",
        "Why is it?",
        "\u00bfD\u00f3nde est\u00e1 mi pedido?",
    ],
)
def test_what_cannot_be_told_safely_is_not_told(said: str) -> None:
    assert told(said) is None


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abIi mywhat's ntdo.?,", max_size=60))
def test_whatever_is_written_is_told_in_one_sentence_of_others_or_not_at_all(said: str) -> None:
    found = told(said)
    if found is not None:
        assert found.startswith("People ")
        assert found.endswith(".")
        assert not {"i", "my", "me"} & set(found.lower().rstrip(".").split())


def test_a_topic_is_told_by_what_most_of_its_messages_say() -> None:
    lists = [
        ["When will my card arrive?", "my card has not arrived", "when does the card arrive?", "card arrival?"] * 6,
        ["I want to cancel my flight", "cancel the flight", "please cancel my flight today"] * 6,
    ]
    namer = Namer(*planted_texts([[text + " " * n for n, text in enumerate(texts)] for texts in lists]))
    arrive, cancel = namer.summaries(namer.topics())
    assert arrive in ("People ask when their card will arrive.", "People say that their card has not arrived.")
    assert cancel.startswith("People ")
    assert "cancel" in cancel


def test_other_languages_are_quoted() -> None:
    texts = ["Wann kommt meine Karte an?", "Meine Karte ist noch nicht da", "Wo ist meine Karte?"] * 8
    namer = Namer(*planted_texts([[text + " " * n for n, text in enumerate(texts)]]))
    (found,) = namer.summaries(namer.topics())
    assert found.startswith('People write: "')
    assert "Karte" in found


def test_no_summary_holds_what_fills_a_slot() -> None:
    products = ["laptop", "phone", "camera", "kettle", "jacket", "tent", "drone", "printer", "mixer", "router", "oven"]
    texts = [f"where is my {product} order" + " " * n for n in range(4) for product in products]
    namer = Namer(*planted_texts([texts]))
    (found,) = namer.summaries(namer.topics())
    assert not any(product in found for product in products)
    assert "order" in found


def test_a_summary_that_a_topic_has_stays() -> None:
    namer = Namer(*planted_texts([["reset my password" + " " * n for n in range(12)]]))
    assert namer.summaries(namer.topics(), {0: "People ask for a new password."}) == ["People ask for a new password."]
