"""The kinds of texts, without a model: all vectors are alike here, so words and letters alone must tell."""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turret_pipeline.analysis.kinds.examples import Examples, phrases
from turret_pipeline.analysis.kinds.texts import TEXT_KINDS, for_fit, text_kinds
from turret_pipeline.semantics.kinds import MOVES, SLIGHT_IN_SESSION


def blind(texts: list[str]) -> np.ndarray:
    """Return one vector for all texts."""
    return np.tile(np.array([[1, 0, 0, 0]], dtype=np.float32), (len(texts), 1))


@pytest.fixture(scope="module")
def examples() -> Examples:
    return Examples.of(blind)


def kinds_of(examples: Examples, *texts: str) -> pl.DataFrame:
    vectors = pl.Series(blind(list(texts))).cast(pl.List(pl.Float32))
    return text_kinds(
        pl.DataFrame({"text_id": [str(n) for n in range(len(texts))], "text": texts, "vector": vectors}), examples
    )


@pytest.mark.parametrize(
    ("text", "move"),
    [
        ("Thanks a lot for your help!", "thanks"),
        ("THANK YOU SO MUCH", "thanks"),
        ("Yes, that sounds great.", "yes"),
        ("yep, that works for me", "yes"),
        ("No, that is all for today.", "no"),
        ("not right now, maybe later", "no"),
        ("Good morning!", "greeting"),
        ("please continue", "continue"),
        ("That is not what I meant.", "correction"),
        ("This still does not work", "complaint"),
        ("Bye, see you tomorrow", "goodbye"),
        ("how are you today?", "other"),
        ("Vielen Dank für die Hilfe", "thanks"),
        ("Ja, das klingt gut", "yes"),
        ("Nein danke, das ist alles", "no"),
        ("Oui, c'est parfait", "yes"),
        ("Non merci, c'est tout", "no"),
        ("Muchas gracias por tu ayuda", "thanks"),
        ("Так, чудово", "yes"),
        ("Большое спасибо за помощь", "thanks"),
        ("شكرا جزيلا", "thanks"),
        ("תודה רבה על העזרה", "thanks"),
        ("बहुत धन्यवाद", "thanks"),
        ("好的", "yes"),
        ("谢谢你的帮助", "thanks"),
        ("ありがとうございます。", "thanks"),
        ("はい、お願いします。", "yes"),
        ("네, 좋아요", "yes"),
        ("ขอบคุณมากครับ", "thanks"),
        ("No. That was all. Thanks", "no"),
        ("Great. Thank you so much.", "thanks"),
        ("Cảm ơn bạn nhiều", "thanks"),
    ],
)
def test_a_move_is_recognised_in_its_language(examples: Examples, text: str, move: str) -> None:
    assert kinds_of(examples, text)["move"].to_list() == [move]


@pytest.mark.parametrize(
    "text",
    [
        "Thanks, and what is its phone number?",
        "Yes, book a table for four at 7 pm",
        "No, I want to fly from Boston to Denver",
        "Hello, my card was stolen in Madrid",
        "How do I say thank you in Korean?",
        "Continue the story with a pirate and a parrot",
        "My card doesn't work at the cash machine",
        "Danke, und wann fährt der Zug nach Köln?",
        "Oui, pour quatre personnes samedi soir",
        "No, quiero dos entradas para el sábado",
        "请问火车几点开",
        "はい、明日の午後三時に二名で予約してください",
        "Thank you very much, you have been helpful. Now please call me a cab to the airport",
        "No, not yet. Are there any other evenings?",
        "I'm bored and want to go out. Can you find me a concert?",
        "谢谢你。现在帮我订一张去上海的火车票",
        "Mind mig om tandlægen",
        "Kan jeg se togtiderne?",
        "Ver mis pedidos",
        "退款",
        "plus",
        "What is the weather in Paris?",
        "Explain photosynthesis",
        "42",
    ],
)
def test_what_asks_for_something_is_no_move(examples: Examples, text: str) -> None:
    assert kinds_of(examples, text)["move"].to_list() == [None]


@pytest.mark.parametrize("text", ["make it shorter", "and tomorrow?", "et pour demain ?", "add goals"])
def test_what_asks_for_a_change_of_what_was_asked_says_little_and_is_no_move(examples: Examples, text: str) -> None:
    found = kinds_of(examples, text)
    assert found["move"].to_list() == [None]
    assert found["weight"].item() < SLIGHT_IN_SESSION


def test_a_long_text_is_no_move_however_it_begins(examples: Examples) -> None:
    assert kinds_of(examples, "Thank you. " * 40)["move"].to_list() == [None]


def test_the_examples_speak_many_languages_and_no_phrase_of_one_has_two_kinds() -> None:
    known = phrases()
    assert set(known["kind"]) == {*MOVES, "request", "follow_up"}
    languages = Counter(known["language"])
    assert len(languages) >= 40
    wanted = "en de fr es it pt nl pl cs sv da tr ru uk ar he fa hi id vi th zh ja ko el fi hu ro"
    for language in wanted.split():
        of_language = known.filter(pl.col("language") == language)
        assert set(of_language["kind"]) == {*MOVES, "request", "follow_up"}, language
    assert known.select("language", "phrase").is_duplicated().sum() == 0
    assert not known["phrase"].str.contains(r"^\s|\s$|^$").any()


def test_texts_without_rows_have_no_kinds(examples: Examples) -> None:
    assert kinds_of(examples).schema == TEXT_KINDS


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=300), max_size=8))
def test_every_text_has_one_row_whatever_stands_beside_it(examples: Examples, texts: list[str]) -> None:
    found = kinds_of(examples, *texts)
    assert found.schema == TEXT_KINDS
    assert found.height == len(texts)
    assert set(found["move"]) <= {None, *MOVES}
    for name in ("sureness", "weight"):
        assert found[name].is_between(0, 1).all()
    assert for_fit(found).len() == len(texts)
    for row, text in enumerate(texts):
        alone = kinds_of(examples, text)
        assert found[row].drop("text_id", "sureness").equals(alone.drop("text_id", "sureness"))
