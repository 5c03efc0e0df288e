"""What examples are embedded for: each text once, though several things are learnt from it; and what of it ships."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from turret_pipeline.analysis.kinds.examples import Examples
from turret_pipeline.analysis.sentiment.examples import learnt
from turret_pipeline.embedder.embed import ENGLISH_MODEL, model_key, open_embedder
from turret_pipeline.stages import kind_examples, sentiment_examples
from turret_pipeline.stages.learnt import EachOnce, read_shipped


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


SHIPPING = pytest.mark.parametrize("packages", [kind_examples.PACKAGES, sentiment_examples.PACKAGES])


@SHIPPING
def test_what_the_default_model_learns_ships_with_the_examples(packages: tuple[str, ...]) -> None:
    shipped = read_shipped(model_key(None), packages)
    assert shipped is not None, "`python tools/learn.py` makes it anew"
    assert shipped["of_vector"].dtype == np.float32 and shipped["of_vector"].shape[1] == len(shipped["classes"])


@SHIPPING
def test_of_another_model_or_of_other_code_nothing_ships(packages: tuple[str, ...]) -> None:
    assert read_shipped(model_key(ENGLISH_MODEL), packages) is None
    assert read_shipped(model_key(None), (*packages, "turret_pipeline.analysis.answers")) is None


@pytest.mark.long
def test_what_ships_is_what_the_examples_teach() -> None:
    model = EachOnce(open_embedder(None))
    learnt_anew = {
        kind_examples.PACKAGES: kind_examples.arrays_of(Examples.of(model.embed)),
        sentiment_examples.PACKAGES: sentiment_examples.arrays_of(learnt(model.embed)),
    }
    for packages, arrays in learnt_anew.items():
        shipped = read_shipped(model_key(None), packages)
        assert shipped is not None and set(shipped) == set(arrays)
        for name, array in arrays.items():
            if array.dtype == np.float32:
                # The vectors' last bits depend on the machine.
                assert np.abs(shipped[name] - array).max() < 0.02
            else:
                assert shipped[name].tolist() == array.tolist()
