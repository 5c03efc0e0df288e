"""Each kind is held against true strings and near misses; precision and recall are over characters' exact places."""

from __future__ import annotations

import importlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turret_api.masking import gate
from turret_api.masking.finding import find
from turret_api.masking.kinds import ALWAYS
from turret_api.masking.mask import Mask
from turret_api.masking.national_ids import IDS
from turret_api.masking.rule import Rule

from .table import NEAR, TRUE

EVERYTHING = frozenset(ALWAYS)
RULE = Rule(EVERYTHING, secret="ab" * 32)


def marked(text: str) -> tuple[str, set[tuple[int, int]]]:
    """Return a text without its marks, and the places that they mark."""
    places, plain = set(), ""
    for piece in re.split("(⟦.*?⟧)", text, flags=re.DOTALL):
        if piece.startswith("⟦"):
            places.add((len(plain), len(plain) + len(piece) - 2))
            piece = piece[1:-1]
        plain += piece
    return plain, places


def score(kind: str) -> tuple[float, float, list[str]]:
    """Return precision and recall of a kind over its table, and what is wrong."""
    n_right = n_found = n_true = 0
    wrong = []
    for text in (*TRUE[kind], *NEAR[kind]):
        plain, places = marked(text)
        found = {(each.start, each.end) for each in find(plain, frozenset((kind,)))[0]}
        n_right, n_found, n_true = n_right + len(found & places), n_found + len(found), n_true + len(places)
        if found != places:
            wrong.append(f"{text!r}: {[plain[start:end] for start, end in sorted(found)]}")
    return n_right / n_found, n_right / n_true, wrong


@pytest.mark.slow
@pytest.mark.parametrize("kind", ALWAYS)
def test_each_kind_is_found_where_it_is_and_nowhere_else(kind: str) -> None:
    precision, recall, wrong = score(kind)
    assert (precision, recall) == (1, 1), "\n".join(wrong)


@pytest.mark.parametrize("kind", ALWAYS)
def test_what_a_recogniser_finds_alone_is_masked_with_all_of_them(kind: str) -> None:
    mask = Mask(RULE, "home")
    for text in TRUE[kind]:
        plain, places = marked(text)
        masked = mask.text(plain, "s1")
        assert not any(plain[start:end] in masked for start, end in places), (plain, masked)


@pytest.mark.parametrize("kind", ALWAYS)
def test_the_sieve_lets_through_all_that_a_recogniser_would_find(kind: str) -> None:
    mask = Mask(RULE, "home")
    for text in TRUE[kind]:
        assert kind in mask.kinds_in(marked(text)[0].encode()), text


@pytest.mark.parametrize("kind", ALWAYS)
def test_masking_what_is_masked_changes_nothing(kind: str) -> None:
    for linked in (False, True):
        mask = Mask(Rule(EVERYTHING, linked=linked, secret="ab" * 32), "home")
        for text in (*TRUE[kind], *NEAR[kind]):
            once = mask.text(marked(text)[0], "s1")
            assert mask.text(once, "s1") == once


@pytest.mark.parametrize("country", sorted({each.module for each in IDS if each.module is not None}))
def test_each_method_of_checking_an_id_is_there(country: str) -> None:
    """Its module is loaded with the first text that looks like one, and a request would fail there."""
    assert hasattr(importlib.import_module(f"stdnum.{country}"), "is_valid")


@pytest.mark.parametrize("kind", ALWAYS)
def test_one_look_at_many_texts_tells_of_each_what_a_look_at_it_alone_tells(kind: str) -> None:
    mask = Mask(RULE, "home")
    texts = [json.dumps({"a": marked(text)[0], "n": 412}).encode() for text in (*TRUE[kind], *NEAR[kind])]
    alone = [number for number, text in enumerate(texts) if mask.kinds_in(text)]
    assert set(alone) <= set(mask.holding(texts)) and set(range(len(TRUE[kind]))) <= set(alone)
    assert all(mask.may_hold(text) for text in texts[: len(TRUE[kind])])


@given(st.text("aAzZ01289 .-/:@_+()\\n", max_size=30))
def test_the_gate_lets_through_all_in_which_something_is_found(text: str) -> None:
    assert gate.lets_through(text.encode()) or not find(text, EVERYTHING)[0]


@pytest.mark.parametrize(
    "text",
    ["es91 2 100 0418 4502 0005 1332", "NO93 8601 11\u201317 947", "12:\uff1a30:45", "01 42 68 \u201353 00"],
)
def test_the_sieve_reads_spaces_and_dashes_as_the_recognisers_do(text: str) -> None:
    kinds = {each.kind for each in find(text, EVERYTHING)[0]}
    assert kinds and kinds <= Mask(RULE, "p").kinds_in(text.encode())
