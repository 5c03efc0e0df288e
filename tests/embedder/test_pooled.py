"""A text of any length has one vector, in which each part that the model can read has its say."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from turret_pipeline.embedder.pooled import embed_pooled, embed_query
from turret_pipeline.semantics.prompts.asked import asked
from turret_pipeline.semantics.prompts.windows import MIDDLE_WEIGHT, WINDOW_UNITS

N_DIMS = 26


class Letters:
    """A model that reads the first letters of a text, as many as a part may have: their counts are its vector."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def embed(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> np.ndarray:
        self.read += texts
        vectors = np.stack([self.encode(text) for text in texts])
        if on_progress is not None:
            on_progress(len(texts))
        return vectors

    @staticmethod
    def encode(text: str) -> np.ndarray:
        codes = [ord(letter) - ord("a") for letter in text[:WINDOW_UNITS] if letter.isascii() and letter.islower()]
        counts = np.bincount(codes, minlength=N_DIMS).astype(np.float32)
        return np.asarray(counts / max(float(np.linalg.norm(counts)), 1e-9), dtype=np.float32)


def test_a_text_that_the_model_can_read_whole_has_the_models_own_vector() -> None:
    model, texts = Letters(), ["my card", "a refund", "my card"]
    told: list[int] = []
    assert np.array_equal(embed_pooled(model, texts, told.append), Letters().embed(texts))
    assert model.read == texts and told == [3]


def test_each_part_of_a_long_text_counts_and_the_ends_count_most() -> None:
    long = "a" * WINDOW_UNITS + "b" * WINDOW_UNITS + "c" * WINDOW_UNITS
    told: list[int] = []
    short, found = embed_pooled(Letters(), ["b", long], told.append)
    assert np.array_equal(short, Letters.encode("b"))
    assert np.allclose(found[:3] / found[0], [1.0, MIDDLE_WEIGHT, 1.0]) and np.isclose(np.linalg.norm(found), 1.0)
    assert told == [2]


def test_parts_that_cancel_out_leave_the_vector_of_the_first() -> None:
    class Opposite(Letters):
        @staticmethod
        def encode(text: str) -> np.ndarray:
            return np.array([1, 0] if "a" in text else [-1, 0], dtype=np.float32)

    assert embed_pooled(Opposite(), ["a" * WINDOW_UNITS + "b" * WINDOW_UNITS]).tolist() == [[1, 0]]


def test_what_is_searched_for_is_embedded_as_a_message_of_the_same_words() -> None:
    model = Letters()
    for text in ("refund", "zebra " * 400, "why was my card declined?\n```\n" + "x = 1;\n" * 200 + "```"):
        assert np.allclose(embed_query(model.encode, text), embed_pooled(model, [asked(text)])[0])
    assert np.array_equal(
        embed_query(model.encode, "why was it declined?\n" + "x = 1;\n" * 200), model.encode("why was it declined?")
    )
