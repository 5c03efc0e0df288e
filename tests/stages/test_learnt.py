"""What examples are embedded for: each text once, though several things are learnt from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from turret_pipeline.stages.learnt import EachOnce


class Model:
    """Embeds a text as its length, and notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str], /) -> np.ndarray:
        self.asked += texts
        return np.array([[len(text)] for text in texts], dtype=np.float32)


def test_each_text_is_embedded_once_and_vectors_are_in_the_order_of_what_was_asked_for() -> None:
    model = Model()
    once = EachOnce(model)
    assert once.embed(["thanks", "no", "thanks"]).tolist() == [[6], [2], [6]]
    assert once.embed(["no", "hello", "thanks"]).tolist() == [[2], [5], [6]]
    assert model.asked == ["thanks", "no", "hello"]
