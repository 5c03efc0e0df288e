"""What a model reads of an answer: shortened where it says so, and outside of the fences nothing of a user's."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.assistants.test_fence import texts
from tests.assistants.unfenced import FENCED
from turret_api.assistants.telling import tell, tell_error
from turret_api.assistants.tools import NAMED
from turret_api.assistants.vocabulary import is_own

leaves = st.one_of(texts, st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), st.booleans(), st.none())
keys = st.one_of(st.sampled_from(["label", "kind", "topic_id", "at", "from", "topics", "next", "value"]), texts)
answers = st.dictionaries(
    keys,
    st.recursive(leaves, lambda of: st.one_of(st.lists(of, max_size=4), st.dictionaries(keys, of, max_size=4))),
)


@pytest.mark.slow
@given(answers)
def test_outside_of_the_fences_of_any_answer_there_is_nothing_of_a_users(answer: dict) -> None:
    told = tell(NAMED["usage"], answer, 1000)
    assert told.structured is not None
    text = orjson.dumps(told.structured["answer"]).decode()
    assert text == told.text.partition("\n")[2]
    check_own(told.structured["answer"])


def check_own(value: object, key: str = "") -> None:
    """Check that each string under `value` is Turret's own, or within one fence as a whole."""
    if isinstance(value, dict):
        for name, each in value.items():
            if not name.isascii() or not name.replace("_", "").replace(".", "").isalnum():
                check_fenced(name)
            check_own(each, name)
    elif isinstance(value, list):
        for each in value:
            check_own(each, key)
    elif isinstance(value, str) and not is_own(key, value):
        check_fenced(value)


def check_fenced(text: str) -> None:
    assert FENCED.fullmatch(text), text


@given(texts)
def test_the_words_of_an_error_are_fenced(text: str) -> None:
    told = tell_error(404, text, 5)
    assert told.structured is None
    assert told.text.count("<") == told.text.count(">") == 2
    assert told.text.startswith("Turret answered 404. Each text in the tag untrusted-")
    assert told.text.endswith("> Try again in 5 s.") or "more characters) Try again" in told.text


def test_of_a_list_by_day_the_newest_are_told_and_of_another_the_first() -> None:
    answer = {
        "series": [{"date": f"2026-01-{day:02}", "size": day} for day in range(1, 32)]
        + [{"date": "2026-02-01", "size": 0}],
        "segments": [{"size": n} for n in range(51)],
        "neighbours": [{"size": n} for n in range(50)],
    }
    told = tell(NAMED["topic"], answer, 1000)
    assert told.structured is not None
    assert told.structured["answer"] == {
        "series": answer["series"][1:],
        "segments": answer["segments"][:50],
        "neighbours": answer["neighbours"],
    }
    assert "Shortened: series has the newest 31 of 32 days; segments has the first 50 of 51 rows." in told.text


def test_rows_that_were_asked_for_are_all_told_and_others_are_not() -> None:
    answer = {"data": [{"size": n} for n in range(60)]}
    lengths = {}
    for name in ("topics", "drop_offs"):
        told = tell(NAMED[name], answer, 1000)
        assert told.structured is not None
        lengths[name] = len(told.structured["answer"]["data"])
    assert lengths == {"topics": 60, "drop_offs": 50}


def test_what_draws_a_picture_is_left_out_at_any_depth() -> None:
    told = tell(NAMED["topics"], {"data": [{"x": 1.0, "size": 2, "trend": {"change": 0.5, "days": [1]}}]}, 1000)
    assert told.structured is not None
    assert told.structured["answer"] == {"data": [{"size": 2, "trend": {"change": 0.5}}]}


def test_a_cursor_is_never_cut() -> None:
    told = tell(NAMED["search"], {"next": "c" * 1500, "text": "t" * 1500}, 1000)
    assert f">{'c' * 1500}<" in told.text and f">{'t' * 1000}</" in told.text
    assert "(and 500 more characters)" in told.text
