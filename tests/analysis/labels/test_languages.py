"""Names in the language of the messages, also where no spaces part the words."""

from __future__ import annotations

import numpy as np
import pytest

from tests.analysis.labels.planted import planted_texts
from turret_pipeline.analysis.labels.languages import in_main_language, languages_of, main_languages
from turret_pipeline.analysis.labels.names import Namer
from turret_pipeline.analysis.labels.unspaced import shared_pieces, unspaced_words

SAID = {
    "en": "I would like to know where my order is",
    "de": "Ich möchte wissen, wo meine Bestellung ist",
    "es": "Quiero saber dónde está mi pedido",
    "fr": "Je voudrais savoir où est ma commande",
    "tr": "Siparişimin nerede olduğunu öğrenmek için ne yapmam gerekiyor",
    "zh": "我想知道我的订单在哪里",
    "ja": "注文した商品がいつ届くか知りたい",
    "th": "ฉันอยากรู้ว่าคำสั่งซื้อของฉันอยู่ที่ไหน",
}


def test_the_language_of_a_text_is_told() -> None:
    texts = [text for text in SAID.values() for _ in range(5)] + ["", "12345"]
    found = languages_of(texts)
    assert found == [language for language in SAID for _ in range(5)] + ["", ""]


def test_all_texts_are_read_where_the_first_are_in_more_than_one_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turret_pipeline.analysis.labels.languages.FIRST_READ", 10)
    assert languages_of([SAID["de"]] * 11 + [SAID["fr"]]) == ["de"] * 12  # one mistake in many is none
    mixed = [SAID["de"]] * 9 + [SAID["fr"]] * 2 + [SAID["de"]]
    assert languages_of(mixed) == ["de"] * 9 + ["fr"] * 2 + ["de"]


def test_a_topic_is_named_in_the_language_of_most_of_its_messages_else_in_english() -> None:
    languages = ["de"] * 6 + ["en"] * 3 + ["fr"] * 3 + ["es"] * 3 + ["en"] * 2 + ["zh"] * 3
    clusters = np.asarray([0] * 9 + [1] * 11)
    assert main_languages(languages, clusters, np.ones(20), 2) == ["de", "en"]
    n_messages = np.where(np.arange(20) == 7, 100, 1)
    assert main_languages(languages, clusters, n_messages, 2) == ["en", "en"]
    kept = in_main_language(clusters, languages, ["de", "en"])
    assert kept.tolist() == [0] * 6 + [-1] * 9 + [1] * 2 + [-1] * 3


def test_labels_are_in_the_language_of_most_messages() -> None:
    german = [f"Wo ist mein Paket {n}?" for n in range(9)] + [f"mein Paket ist noch nicht da {n}" for n in range(9)]
    english = [f"where is my parcel {n}" for n in range(6)]
    french = [f"Je veux annuler la carte {n}" for n in range(9)] + [f"annuler la carte pour moi {n}" for n in range(9)]
    labels = Namer(*planted_texts([german + english, french])).topics()
    assert labels == ["Paket", "annuler la carte"]


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("我想预订机票", ["预订", "机票"]),
        ("カメラの返金をお願いします", ["カメラ", "返金"]),
        ("ฉันต้องการคืนเงิน", ["คืน", "เงิน"]),
    ],
)
def test_words_are_found_where_no_spaces_part_them(run: str, words: list[str]) -> None:
    assert "".join(unspaced_words(run)) == run
    assert set(words) <= set(unspaced_words(run))


def test_a_name_in_chinese_is_some_words_not_a_clause() -> None:
    refunds = ["我想要退款到我的银行卡", "请问怎么申请退款", "退款什么时候到账", "我的退款还没有收到"] * 4
    tickets = ["帮我预订机票", "我想预订机票去北京", "预订机票需要多少钱", "请预订机票"] * 4
    labels = Namer(
        *planted_texts([[text + " " * n for n, text in enumerate(said)] for said in (refunds, tickets)])
    ).topics()
    assert labels == ["退款", "预订机票"]


def test_a_run_that_ends_within_a_word_is_no_piece() -> None:
    assert "预订机" not in shared_pieces(["我要预订机票", "请预订机票吧"])
