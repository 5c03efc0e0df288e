"""The tagger gives the tags that the package's own inference gives, from the same weights."""

from __future__ import annotations

from denckring_en_pos import tagger

from turret_pipeline.analysis.labels.perceptron import Perceptron

SENTENCES = (
    "When will my new card arrive ?",
    "the exchange rate for Euros was n't what I expected yesterday",
    "Book me 2 tickets to San Francisco , please",
    "xqzt Blorbing frobnicates 3rd",
    "Running late again",
    "no",
)


def test_tags_are_those_of_the_package() -> None:
    shipped = tagger()
    ours = Perceptron(shipped.weights, shipped.tagdict, shipped.classes)
    for sentence in SENTENCES:
        words = sentence.split()
        assert ours.tag(words) == shipped.tag(words)
    assert ours.tag([]) == []


def test_of_classes_that_are_as_likely_the_last_by_name_is_taken() -> None:
    ours = Perceptron({"bias": {"A": 0.1, "B": 0.1}, "w b": {"A": 0.001}}, {"c": "C"}, ["A", "B", "C"])
    assert ours.tag(["a", "b", "c"]) == ["B", "A", "C"]
