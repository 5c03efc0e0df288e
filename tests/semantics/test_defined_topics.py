"""Rules of defined topics over planted clusters, and laws that hold for whatever examples."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turret_pipeline.semantics.defined_precision import stated_precision
from turret_pipeline.semantics.defined_topics import Rule, Surroundings, own_margins, take, unit_rows
from turret_pipeline.semantics.definitions import Definition, definition, is_defined, new_topic_id, one_label
from turret_pipeline.semantics.values import text_id

N_TOPICS, N_EACH, N_DIMS = 8, 40, 24
_draw = np.random.default_rng(0)
MIDDLES = unit_rows(_draw.normal(size=(N_TOPICS, N_DIMS)))
TOPIC = np.repeat(np.arange(N_TOPICS), N_EACH)
VECTORS = unit_rows(MIDDLES[TOPIC] + 0.12 * _draw.normal(size=(N_TOPICS * N_EACH, N_DIMS)))
TEXTS = [f"text {n}" for n in range(len(VECTORS))]
IDS = pl.Series([text_id(text) for text in TEXTS])
MEMBERS = [VECTORS[topic == TOPIC] for topic in range(N_TOPICS)]
AROUND = Surroundings(MIDDLES, np.full(N_TOPICS, 0.5))
NOTHING = np.zeros((0, N_DIMS), dtype=np.float32)


def rule_of(examples: list[int], refused: list[int] | None = None, around: Surroundings = AROUND) -> Rule:
    return Rule.of(around, VECTORS[examples], VECTORS[refused or []], MEMBERS)


@pytest.mark.parametrize("n", [1, 3, 5, 10])
@pytest.mark.parametrize("around", [AROUND, Surroundings(NOTHING, np.zeros(0))])
def test_a_planted_topic_is_taken_and_little_else(n: int, around: Surroundings) -> None:
    taken = rule_of(list(range(n)), around=around).margins(VECTORS) >= 1
    assert taken[TOPIC == 0].mean() > (0.9 if n > 1 else 0.5)
    assert taken[TOPIC != 0].mean() < 0.02


def test_a_topic_of_texts_that_two_found_topics_have_takes_both() -> None:
    taken = rule_of([0, 1, 2, N_EACH, N_EACH + 1, N_EACH + 2]).margins(VECTORS) >= 1
    assert min(taken[TOPIC == 0].mean(), taken[TOPIC == 1].mean()) > 0.5
    assert taken[TOPIC > 1].mean() < 0.02


examples = st.lists(st.integers(0, len(VECTORS) - 1), min_size=3, max_size=8, unique=True)


@given(examples, st.data())
def test_examples_are_taken_counter_examples_are_not_and_their_order_says_nothing(
    chosen: list[int], data: st.DataObject
) -> None:
    refused = data.draw(st.lists(st.integers(0, len(VECTORS) - 1), max_size=4, unique=True).map(sorted))
    refused = [each for each in refused if each not in chosen]
    said = Definition("d_0", "Ours", tuple(TEXTS[n] for n in chosen), tuple(TEXTS[n] for n in refused))
    margins = own_margins(said, rule_of(chosen, refused), IDS, VECTORS)
    assert (margins[chosen] >= 1).all()
    assert (margins[refused] < 1).all()
    turned = rule_of(chosen[::-1], refused[::-1])
    assert np.allclose(rule_of(chosen, refused).margins(VECTORS), turned.margins(VECTORS), atol=1e-4)


@given(examples, examples)
def test_a_text_is_taken_once_and_by_the_definition_that_it_belongs_to_most(one: list[int], other: list[int]) -> None:
    rules = [
        (Definition(f"d_{n}", "", tuple(TEXTS[row] for row in rows)), rule_of(rows))
        for n, rows in enumerate((one, other))
    ]
    numbers = take(rules, IDS, VECTORS)
    alone = [take([rule], IDS, VECTORS) >= 0 for rule in rules]
    assert ((numbers >= 0) == (alone[0] | alone[1])).all()
    assert set(numbers[alone[0] & ~alone[1]]) <= {0}


@given(examples, st.booleans())
def test_what_is_stated_is_a_share_within_its_interval(chosen: list[int], with_homes: bool) -> None:
    rule = rule_of(chosen)
    taken = rule.margins(VECTORS) >= 1
    homes = np.isin(TOPIC[taken], rule.around.holding(rule.examples)) if with_homes else None
    found = stated_precision(rule, VECTORS[taken], homes)
    assert 0 <= found.held_out_taken <= len(chosen)
    if not taken.any():
        assert found.estimate is None
    else:
        assert found.estimate is not None and found.low is not None and found.high is not None
        assert 0 <= found.low <= found.estimate <= found.high <= 1


def test_scattered_examples_are_stated_to_be_worse_than_close_ones() -> None:
    def estimate(chosen: list[int]) -> float:
        rule = rule_of(chosen)
        taken = rule.margins(VECTORS) >= 1
        taken[chosen] = True
        homes = np.isin(TOPIC[taken], rule.around.holding(rule.examples))
        found = stated_precision(rule, VECTORS[taken], homes).estimate
        assert found is not None
        return found

    assert estimate([0, 1, 2, 3]) > estimate([0, 50, 130, 290])


def test_a_definition_is_read_as_it_was_written_and_its_id_tells_it_apart() -> None:
    said = Definition(new_topic_id(), "Größe “x”", ("a\nb", "c", "d"), ("e",))
    assert definition(said.topic_id, said.value) == said
    assert is_defined(said.topic_id)
    assert not is_defined("t_0123456789ab")


def test_a_label_that_another_topic_has_gets_a_number() -> None:
    assert one_label("Refunds", {"Cards"}) == "Refunds"
    assert one_label("Refunds", {"Refunds", "Refunds (2)"}) == "Refunds (3)"
