"""Names of topics: short phrases as people wrote them, each given once, never function words or thanks alone."""

from __future__ import annotations

import numpy as np
import pytest

from tests.analysis.labels.planted import Planted, planted_texts
from turret_pipeline.analysis.labels.clauses import clauses
from turret_pipeline.analysis.labels.languages import stop_words
from turret_pipeline.analysis.labels.names import Namer, clean_keywords
from turret_pipeline.analysis.labels.phrases import may_be_label, phrases, proper_names, singular

ASKS = {
    "reset password": ["Can I please reset my password?", "reset the password now", "how to reset a password {}"],
    "flight delayed": ["my flight is delayed", "is the flight delayed {}?", "flight delayed again, thanks"],
    "card not working": ["my card isn't working", "the card does not seem to be working", "card not working {}"],
    "book table": ["book a table for {} please", "could you book me a table", "I want to book a table"],
}


def planted(asks: list[list[str]], each: int = 12) -> Planted:
    """Return one cluster a list, in which each of its texts comes again and again."""
    return planted_texts(
        [[found[n % len(found)].replace("{}", str(n)) + " " * n for n in range(each)] for found in asks]
    )


@pytest.mark.parametrize(
    ("text", "held", "not_held"),
    [
        ("Can I please reset my password?", {"reset password", "password"}, {"please", "my password", "reset my"}),
        ("My card isn't working", {"card not working"}, {"not working", "my card"}),
        ("I need to top up my account", {"top up account"}, {"top", "need"}),
        ("log in to the app", {"app"}, {"log in to"}),
        ("change of address. Flight delayed", {"change of address"}, {"address flight", "of address"}),
        ("a table for 2", {"table"}, {"table for", "table for 2"}),
        ("That'll be it, yea. You\u2019ve got it", set(), {"that'll", "yea", "you've"}),
        ("dinner on the 12th near the station", {"dinner", "station"}, {"12th", "near station"}),
        ("\U0001f600 \U0001f600!", set(), {""}),
        ("When will my new card arrive?", {"new card"}, {"new", "card arrive"}),
        ("Why was my payment declined?", {"payment declined"}, {"declined"}),
        ("why didn't my transfer arrive", {"transfer not arriving"}, {"not arriving"}),
        ("I was charged twice for the same item", {"charged twice", "charged twice for item"}, {"twice"}),
        (
            "the exchange rate is wrong",
            {"wrong exchange rate", "exchange rate"},
            {"exchange rate wrong", "exchange rate is"},
        ),
        ("book a table for two people tonight", {"book table"}, {"table tonight", "people tonight"}),
        ("how can my friend send me some money", {"friend sends money", "send money"}, {"friend send money"}),
        ("The password is wrong, I want my money back", {"wrong password", "money back"}, {"password wrong"}),
        ("can you check my march statement", {"check statement"}, {"check march", "march"}),
    ],
)
def test_phrases_of_english_are_whole_and_can_stand_alone(text: str, held: set[str], not_held: set[str]) -> None:
    found = {phrase.surface for phrase in clauses(text)}
    assert held <= found
    assert not not_held & found


@pytest.mark.parametrize(
    ("language", "text", "held", "not_held"),
    [
        ("es", "\u00bfD\u00f3nde est\u00e1 mi pedido?", {"pedido"}, {"mi pedido", "d\u00f3nde"}),
        ("fr", "Je voudrais annuler la carte", {"annuler la carte", "carte"}, {"annuler carte", "la carte"}),
        ("de", "Ich m\u00f6chte mein Konto schlie\u00dfen", {"konto schlie\u00dfen"}, {"mein konto"}),
    ],
)
def test_phrases_of_other_languages_begin_and_end_with_a_telling_word(
    language: str, text: str, held: set[str], not_held: set[str]
) -> None:
    found = {phrase.surface for phrase in phrases(text, stop_words(language))}
    assert held <= found
    assert not not_held & found


def test_politeness_and_small_words_are_no_labels() -> None:
    for words in (
        "great",
        "thank you",
        "please",
        "what",
        "good one",
        "best",
        "two three",
        "x",
        "came out",
        "that'll work",
    ):
        assert not may_be_label(words.split()), words
    assert may_be_label(["good", "restaurant"])


def test_flights_and_flight_are_one_word_and_bus_stays() -> None:
    pairs = [
        ("flights", "flight"),
        ("movies", "movie"),
        ("bus", "bus"),
        ("addresses", "address"),
        ("cities", "city"),
        ("glass", "glass"),
    ]
    for plural, expected in pairs:
        assert singular(plural) == expected


def test_keywords_say_something_and_come_once() -> None:
    assert clean_keywords(["the", "card", "cards", "my", "please", "12", "_", "pin"]) == ["card", "pin"]


def test_names_of_places_are_known_by_their_capitals_within_a_sentence() -> None:
    assert proper_names(["a flight to Paris", "fly to Paris", "Flight to Rome"]) == {"paris", "rome"}


def test_planted_topics_are_named_by_their_phrase() -> None:
    assert Namer(*planted(list(ASKS.values()))).topics() == list(ASKS)


def test_names_follow_the_embeddings_of_phrases_where_a_model_is_lent() -> None:
    texts, vectors, clusters, centroids = planted([["gift card sent", "gift card balance"], ["lost phone"]])

    def embed(lent: list[str]) -> np.ndarray:
        return np.asarray([centroids[0] if "balance" in text else centroids[1] for text in lent])

    assert Namer(texts, vectors, clusters, centroids, embed).topics()[0] in ("card balance", "gift card balance")


def test_no_name_is_given_twice_and_kept_ones_stay() -> None:
    same = [ASKS["reset password"]] * 4
    labels = Namer(*planted(same)).topics({2: "Reset Password"})
    assert labels[2] == "Reset Password"
    assert len({label.lower() for label in labels}) == 4


def test_topics_of_mere_politeness_are_named_by_a_message() -> None:
    texts, *rest = planted([["thank you"], ["ok", "yes"], ["\U0001f44d\U0001f44d"], ASKS["book table"]])
    labels = Namer(texts, *rest).topics()
    assert labels == ["thank you", labels[1], "\U0001f44d\U0001f44d", "book table"]
    assert labels[1] in ("ok", "yes")


def test_a_topic_without_a_telling_phrase_is_named_by_a_short_message() -> None:
    texts, *rest = planted([["Yes, that'll be it!", "Yea, you've got that, I'd go with it {}"], ASKS["book table"]])
    assert Namer(texts, *rest).topics() == ["Yes, that'll be it!", "book table"]


def test_a_theme_is_named_by_a_noun_that_most_of_its_topics_hold() -> None:
    lists = [
        ["cancel my transfer {}", "cancel the transfers"],
        ["the transfer is pending", "my transfer is still pending {}"],
        ["my card was declined", "the card is declined {}"],
        ["somebody stole my phone {}", "the phone was stolen"],
        ["I want to order two cards {}", "order a new card"],
    ]
    namer = Namer(*planted(lists))
    topics = namer.topics()
    assert namer.themes(np.asarray([0, 0, 1, 2, 1]), topics) == ["transfers", "cards", "phone"]
    assert len({*topics, "transfers", "cards", "phone"}) == 8


def test_a_noun_of_one_topic_among_others_names_their_theme_with_a_sign_that_there_is_more() -> None:
    lists = [
        ["cancel my transfer {}", "cancel the transfers"],
        ["somebody stole my phone {}", "the phone was stolen"],
        ["close the account {}", "close my account"],
    ]
    namer = Namer(*planted(lists))
    label = namer.themes(np.asarray([0, 0, 0]), namer.topics())[0]
    assert label.endswith(" …")
    assert label.removesuffix(" …") in ("transfers", "phone", "account", "accounts")


def test_no_two_themes_have_the_same_noun() -> None:
    lists = [
        ["cancel my transfer {}", "cancel the transfers"],
        ["the transfer is pending", "my transfer is still pending {}"],
        ["a transfer to china {}", "transfers to china"],
        ["somebody stole my phone {}", "the phone was stolen"],
    ]
    texts, *rest = planted(lists)
    namer = Namer(texts, *rest)
    labels = [label.removesuffix(" …") for label in namer.themes(np.asarray([0, 0, 1, 1]), namer.topics())]
    assert labels[0] == "transfers"
    assert labels[1] not in ("transfer", "transfers")
    again = Namer(texts, *rest)
    assert (
        again.themes(np.asarray([0, 0, 1, 1]), again.topics(), {1: "transfers …"})[0].removesuffix(" …") != "transfers"
    )


def test_a_theme_whose_topics_have_no_noun_is_named_by_the_first_of_them() -> None:
    namer = Namer(*planted([["thank you"], ["goodbye"]]))
    assert namer.themes(np.asarray([0, 0]), namer.topics()) == ["thank you \u2026"]
