"""The fence: nothing in it can end it, or seem to; everything in it can be seen; and the text can be had back."""

from __future__ import annotations

import unicodedata

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.assistants.hostile import ORDERS
from turret_api.assistants.fence import fenced, fenced_list, new_fence, plain, shown

FENCE = "untrusted-0a1b2c3d"
texts = st.one_of(
    st.text(), st.text("<>/\\u{}untrsed-0123456789abcf \u200b\u202e\uff1c\U000e0041"), st.sampled_from(ORDERS)
)


@given(texts)
def test_any_text_comes_back_as_it_was(text: str) -> None:
    assert plain(fenced(text, FENCE)) == text
    assert plain(shown(text)) == text or text.strip().startswith("<untrusted-")


@given(texts)
def test_in_a_fence_everything_is_seen_and_nothing_is_a_bracket(text: str) -> None:
    inside = shown(text)
    assert not {unicodedata.category(each) for each in inside} & {"Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
    assert {each for each in inside if unicodedata.category(each) == "Cc"} <= {"\n", "\t"}
    assert not set("<>") & set(unicodedata.normalize("NFKD", inside))


@given(st.lists(texts, min_size=1))
def test_a_list_of_texts_stands_in_one_fence(rows: list[str]) -> None:
    told = fenced_list(rows, FENCE)
    inside = told.removeprefix(f"<{FENCE}>").removesuffix(f"</{FENCE}>")
    assert told == f"<{FENCE}>{inside}</{FENCE}>"
    assert not set("<>") & set(inside)
    assert [plain(each) for each in orjson.loads(inside)] == rows


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Wo ist mein Päckchen? 我的包裹在哪里。 🎁\n\tNow!", "Wo ist mein Päckchen? 我的包裹在哪里。 🎁\n\tNow!"),
        (r"C:\temp and \d+", r"C:\temp and \d+"),
        ("a < b > c", r"a \u003c b \u003e c"),
        (r"\u003c and \n", r"\u005cu003c and \n"),
        ("\u202eabc\u200b", r"\u202eabc\u200b"),
        ("\U000e0041", r"\u{e0041}"),
        ("\u001b[31m", r"\u001b[31m"),
        ("\u2764\ufe0f", "\u2764\\ufe0f"),
        ("\uff1c\u2039\u3008", r"\uff1c\u2039\u3008"),
    ],
)
def test_what_cannot_be_seen_or_looks_like_a_bracket_is_written_out(text: str, seen: str) -> None:
    assert shown(text) == seen


def test_a_long_text_is_cut_and_the_count_of_the_rest_stands_outside() -> None:
    assert fenced("abcdef", FENCE, 2) == f"<{FENCE}>ab</{FENCE}> (and 4 more characters)"
    assert fenced("abcdef", FENCE, 6) == f"<{FENCE}>abcdef</{FENCE}>"


def test_each_answer_has_a_fence_of_its_own() -> None:
    names = {new_fence() for _ in range(1000)}
    assert len(names) == 1000
    assert all(len(name) == len(FENCE) and name.startswith("untrusted-") for name in names)


def test_a_value_that_was_never_fenced_comes_back_as_it_is() -> None:
    assert plain("s/4 50% {x} C:\\temp") == "s/4 50% {x} C:\\temp"
    assert plain("<untrusted-0a1b2c3d>a</untrusted-ffffffff>") == "<untrusted-0a1b2c3d>a</untrusted-ffffffff>"
