"""Labels of messages made from templates: they say what most of a topic's messages share, not what fills a slot."""

from __future__ import annotations

import itertools
import re
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.analysis.labels.planted import planted_texts
from turret_pipeline.analysis.labels.names import Namer
from turret_pipeline.analysis.labels.shares import FEW, LEAST_SHARE
from turret_pipeline.analysis.labels.slots import slot_fillers
from turret_pipeline.analysis.labels.unspaced import shared_pieces

PRODUCTS = [
    *(
        "laptop",
        "phone",
        "camera",
        "desk lamp",
        "sofa bed",
        "kettle",
        "jacket",
        "standing desk",
        "office chair",
        "tent",
    ),
    *("blender", "guitar", "drone", "printer", "mixer", "router", "watch", "monitor", "bike", "oven"),
]
INTENTS = {
    "refund": ["refund for {}", "I want my money back for the broken {}", "the {} arrived damaged, refund me"],
    "login": ["reset my {} login", "I forgot my password for the {} app", "cannot sign in to {}, password wrong"],
    "invoice": ["send me the invoice for {}", "download the bill of my {} as pdf", "I need a receipt for the {}"],
    "stop": ["stop the renewal of {}", "terminate my {} membership", "cancel the subscription for {}"],
    "track": ["where is my {} order", "track the parcel with the {}", "when will the {} be delivered"],
    "table": ["book a table for two at {}", "reserve a seat at {} tonight", "is there a free table at {}"],
}
GERMAN = {
    "geld": ["Ich möchte mein Geld für {} zurück", "Bitte erstatten Sie das Geld für {}"],
    "passwort": ["Passwort für {} zurücksetzen", "Ich habe das Passwort der {} App vergessen"],
    "rechnung": ["Rechnung für {} herunterladen", "Ich brauche die Rechnung von {} als PDF"],
}
SPANISH = {
    "reembolso": ["Quiero un reembolso de {}", "El {} llegó roto, quiero un reembolso"],
    "contraseña": ["Olvidé mi contraseña de {}", "Restablecer la contraseña de {}"],
    "factura": ["Descargar la factura de {}", "Envíame la factura de {} por correo"],
}
JAPANESE = {
    "返金": [
        "{}の返金をお願いします",
        "{}を返金して",
    ],
    "領収書": [
        "{}の領収書を送って",
        "{}の領収書が必要",
    ],
    "配達": [
        "{}はいつ配達されますか",
        "{}の配達状況",
    ],
}
WARES = {
    "german": ["Laptop", "Handy", "Kamera", "Sofa", "Jacke", "Stuhl", "Gitarre", "Zelt", "Drohne", "Drucker", "Uhr"],
    "spanish": ["cámara", "sofá", "silla", "guitarra", "dron", "reloj", "horno", "mesa", "bicicleta", "tienda"],
    "japanese": ["カメラ", "ソファ", "携帯電話", "ギター", "テント", "ミキサー", "自転車", "冷蔵庫", "時計"],
}
ENDS = ("", "!", " please", " thanks", "?")


def filled(templates: list[str], values: list[str], ends: tuple[str, ...] = ENDS) -> list[str]:
    """Return each template with each value, the ends in turn."""
    pairs = itertools.product(templates, values)
    return [template.replace("{}", value) + ends[n % len(ends)] for n, (template, value) in enumerate(pairs)]


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def in_labels(labels: list[str], values: list[str]) -> set[str]:
    """Return the words of the values that one of the labels holds."""
    return {word for label in labels for word in words(label)} & {word for value in values for word in words(value)}


def test_no_label_holds_a_product_that_few_messages_name_with_one_topic_a_template() -> None:
    templates = [template for found in INTENTS.values() for template in found]
    labels = Namer(*planted_texts([filled([template], PRODUCTS * 3) for template in templates])).topics()
    assert in_labels(labels, PRODUCTS) == set()
    assert len(set(labels)) == len(templates)
    for label, template in zip(labels, templates, strict=True):
        assert set(words(label)) <= set(words(template)), (label, template)


def test_no_label_holds_a_product_with_one_topic_an_intent() -> None:
    labels = Namer(*planted_texts([filled(found, PRODUCTS) for found in INTENTS.values()])).topics()
    assert in_labels(labels, PRODUCTS) == set()
    assert len(set(labels)) == len(INTENTS)


@pytest.mark.parametrize(
    ("language", "intents", "ends"),
    [
        ("german", GERMAN, ("", "!", " bitte", " danke")),
        ("spanish", SPANISH, ("", "!", " gracias", " por favor")),
        ("japanese", JAPANESE, ("", "。", "!")),
    ],
)
def test_labels_say_what_the_messages_of_a_topic_share_in_other_languages(
    language: str, intents: dict[str, list[str]], ends: tuple[str, ...]
) -> None:
    wares = WARES[language]
    labels = Namer(*planted_texts([filled(found, wares, ends) for found in intents.values()])).topics()
    for label, (shared, templates) in zip(labels, intents.items(), strict=True):
        assert not any(ware.lower() in label.lower() for ware in wares)
        assert shared in label if language == "japanese" else set(words(label)) <= set(words(" ".join(templates)))


def test_cities_names_dates_amounts_and_ids_of_one_topic_alone_are_not_in_its_label() -> None:
    random = Random(0)
    cities = ["Paris", "London", "Berlin", "Madrid", "Rome", "Vienna", "Oslo", "Lisbon", "Dublin", "Prague"]
    people = ["Anna", "Bob", "Carlos", "Dmitri", "Elena", "Farid", "Grace", "Hiro", "Ivan", "Julia"]
    months = ["January", "February", "March", "April", "May", "June"]

    def made(form: str) -> list[str]:
        return [
            form.format(
                c=random.choice(cities),
                p=random.choice(people),
                d=f"{random.choice(months)} {random.randint(1, 28)}",
                a=f"{random.randint(1, 900)}.{random.randint(10, 99)}",
                i=f"{random.choice('ABC')}X-{random.randint(100, 9999)}",
            )
            for _ in range(120)
        ]

    topics = [
        made("book a flight to {c} on {d}"),
        made("send {a} euros to {p}"),
        made("has order {i} for {p} left {c}"),
    ]
    labels = Namer(*planted_texts(topics)).topics()
    assert in_labels(labels, cities + people + months) == set()
    assert "flight" in labels[0]
    assert "euros" in labels[1]
    assert not re.search(r"\d", "".join(labels))


def test_a_small_topic_in_which_few_products_occur_is_not_named_by_one_of_them() -> None:
    others = [filled(found, PRODUCTS) for found in INTENTS.values()]
    small = filled(["end {} plan now", "stop the renewal of {}"], ["kettle", "oven", "jacket"] * 4)
    assert in_labels(Namer(*planted_texts([small, *others])).topics(), PRODUCTS) == set()


def test_what_most_messages_of_a_topic_name_stays_in_its_label() -> None:
    of_laptops = [f"refund for laptop {n}" for n in range(40)] + [f"refund for camera {n}" for n in range(10)]
    assert Namer(*planted_texts([of_laptops, filled(INTENTS["track"], PRODUCTS)])).topics()[0] == "refund for laptop"


def test_a_greeting_with_a_name_is_named_by_what_stands_around_the_name() -> None:
    names = ["Anna", "Bob", "Carlos", "Dmitri", "Elena", "Farid", "Grace", "Hiro", "Ivan", "Julia"]
    topics = [[f"hi {name}" for name in names], [f"Thank you so much, {name}!" for name in names]]
    assert Namer(*planted_texts(topics)).topics() == ["hi …", "Thank you so much, …"]


def test_two_topics_that_differ_only_in_what_fills_a_slot_have_two_labels_without_it() -> None:
    airlines = ["Lufthansa", "Ryanair", "Delta", "United", "Qantas", "Iberia", "Emirates", "Finnair"]
    cities = ["Paris", "London", "Berlin", "Madrid", "Rome", "Vienna", "Oslo", "Lisbon"]
    said = "I would like to book a flight to {} for tomorrow"
    labels = Namer(*planted_texts([filled([said], cities * 4), filled([said], airlines * 4)])).topics()
    assert len(set(labels)) == 2
    assert in_labels(labels, cities + airlines) == set()


def test_a_word_that_few_say_in_their_own_ways_is_no_filler() -> None:
    said = ["my transfer failed", "why was it failed", "transfer failed twice today", "it failed when I sent money"]
    others = [f"transfer number {n} has not come" for n in range(20)]
    assert "failed" not in slot_fillers(said + others)


def test_kept_labels_stay_unless_they_hold_what_few_say() -> None:
    topics = planted_texts([filled([INTENTS[name][0]], PRODUCTS * 2) for name in ("refund", "login", "invoice")])
    kept = {0: "refund for laptop", 1: "login trouble", 2: "invoice for kettle"}
    assert Namer(*topics).topics(kept, held=[2]) == ["refund", "login trouble", "invoice for kettle"]


def test_a_kept_theme_is_named_anew_if_few_messages_of_each_topic_say_a_word_of_it() -> None:
    topics = planted_texts([filled([form], PRODUCTS * 2) for form in INTENTS["refund"]])
    namer = Namer(*topics)
    assert (
        in_labels(namer.themes(np.zeros(3, dtype=int), namer.topics(), {0: "refund for laptop / tent"}), PRODUCTS)
        == set()
    )
    assert namer.themes(np.asarray([0, 0, 1]), namer.topics(), {0: "money matters"})[0] == "money matters"


def test_a_word_is_counted_by_messages_not_by_texts() -> None:
    texts, *rest = planted_texts([filled(["refund for {}"], PRODUCTS), filled(INTENTS["track"], PRODUCTS)])
    n_messages = np.ones(len(texts), dtype=np.int64)
    n_messages[texts.index("refund for laptop")] = 1_000
    namer = Namer(texts, *rest, n_messages=n_messages)
    assert namer.fits(0, "refund for laptop")
    assert not namer.fits(0, "refund for kettle")


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(12, 24),
    st.sampled_from([1, 2]),
    st.data(),
)
def test_no_word_of_a_label_fills_a_slot_or_is_said_by_next_to_none(
    seed: int, n_topics: int, n_templates: int, n_values: int, n_words: int, data: st.DataObject
) -> None:
    # Of at least 48 messages a topic: in fewer, nothing tells a word that fills a slot from one that means something.
    random = Random(seed)
    syllables = ["".join(pair) for pair in itertools.product("bdfgklmnprtvz", "aeiou")]
    vocabulary = ["".join(random.sample(syllables, 3)) for _ in range(200)]
    parts = random.sample(vocabulary[100:], n_values * n_words)
    values = [" ".join(parts[n::n_values]) for n in range(n_values)]
    topics = []
    for topic in range(n_topics):
        forms = []
        for _ in range(n_templates):
            form = random.sample(vocabulary[20 * topic : 20 * topic + 20], data.draw(st.integers(2, 8)))
            form.insert(random.randint(0, len(form)), "{}")
            forms.append(" ".join(form))
        topics.append(filled(forms, values * 4))
    texts, *rest = planted_texts(topics)
    labels = Namer(texts, *rest).topics()
    assert len({label.lower() for label in labels}) == n_topics
    for said, label in zip(topics, labels, strict=True):
        for word in set(words(re.sub(r" \(\d+\)$", "", label))) - {"and"}:  # "and" may join two nouns
            share = sum(word in words(text) for text in said) / len(said)
            assert share >= LEAST_SHARE
            assert share >= FEW or word not in {part for value in values for part in words(value)}


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["カメラの返金を", "時計の返金は"], ["返金"]),
        (["我要退款", "请退款吧"], ["退款"]),
        (["refund", "refund"], []),
        (["お願いします", "願っている"], []),
    ],
)
def test_pieces_of_texts_without_spaces_end_where_the_texts_begin_to_differ(
    texts: list[str], expected: list[str]
) -> None:
    assert list(shared_pieces(texts)) == expected
