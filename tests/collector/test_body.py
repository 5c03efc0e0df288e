"""Arrays are split into their elements, whatever these hold; nothing else is split."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turret_api.collector.body import MAX_EVENTS, elements_of, split_array
from turret_api.errors import ApiError

GOOD = b'{"name":"n","metadata":{"prompt":"ok"}}'
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet='a,"\\[]{}: \n\u00e9😀'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='k,"\\]}'), inner, max_size=4),
    max_leaves=20,
)
REFUSED = {
    "a lone surrogate": rb'{"a":"\ud800"}',
    "a lone surrogate in a key": rb'{"\udc00":1}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":[-Infinity,Infinity]}',
    "1e999": b'{"a":1e999}',
    "5,000 digits": b'{"a":' + b"1" * 5000 + b"}",
    "too deep": b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "a raw control character": b'{"a":"\x01,"}',
    "invalid UTF-8": b'{"a":"\xff"}',
    "surrogate bytes": b'{"a":"\xed\xa0\x80"}',
    "a value of JavaScript": b'{"a":undefined}',
    "a value of Python": b'{"a":None,"b":[True,]}',
    "a bad escape": rb'{"a":"\x"}',
    "a leading zero": b'{"a":01}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "two values": b"{} {}",
}
NO_ARRAYS = {
    "cut off": b"[" + GOOD,
    "cut off in a text": b'[{"a":"b]',
    "cut off behind a comma": b"[" + GOOD + b",",
    "nothing between two commas": b"[" + GOOD + b", ," + GOOD + b"]",
    "nothing behind the last comma": b"[" + GOOD + b",]",
    "something behind it": b"[" + GOOD + b"] x",
    "two arrays": b"[1],[2]",
    "closed twice": b"[1]]",
    "closed otherwise": b"[1}",
    "closed before it is opened": b"[]][",
    "an escaped end of a text": rb'["a\"]',
}


@given(st.lists(VALUES, min_size=1, max_size=8), st.booleans(), st.sampled_from([(",", ":"), (" ,\n", " : ")]))
def test_the_elements_are_those_that_the_decoder_finds(values: list[Any], escaped: bool, separators: Any) -> None:
    body = b" \n" + json.dumps(values, ensure_ascii=escaped, separators=separators).encode() + b"\r\n"

    found = elements_of(body)

    assert found is not None
    assert [msgspec.json.decode(each) for each in found] == values == msgspec.json.decode(body)
    assert [each.strip() for each in found] == [bytes(each).strip() for each in split_array(body)]


@given(st.lists(st.sampled_from([*b'[]{},:"\\ ax1']), max_size=40).map(bytes))
def test_bytes_that_decode_are_parted_and_what_is_parted_is_all_of_them(inner: bytes) -> None:
    body = b"[" + inner + b"]"
    found = elements_of(body)

    if found is not None:
        assert b"[" + b",".join(found) + b"]" == body
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return
    assert found is None if decoded == [] else [msgspec.json.decode(each) for each in found or []] == decoded


@pytest.mark.parametrize("bad", REFUSED.values(), ids=REFUSED)
def test_an_element_that_the_decoder_refuses_stands_among_the_others(bad: bytes) -> None:
    for place in range(3):
        elements = [GOOD, GOOD]
        elements.insert(place, bad)
        assert [bytes(each) for each in split_array(b"[" + b",".join(elements) + b"]")] == elements


@pytest.mark.parametrize("body", NO_ARRAYS.values(), ids=NO_ARRAYS)
def test_what_is_no_array_has_no_elements(body: bytes) -> None:
    assert elements_of(body) is None
    with pytest.raises(ApiError) as refused:
        split_array(body)
    assert refused.value.status == 400


def test_pieces_of_a_large_body_fit_together() -> None:
    texts = ['\\"[,' * 200_000, "\\" * 999_999, "é" * 600_000]
    elements = [json.dumps({"a": each, "n": n}).encode() for n, each in enumerate(texts)] + [b'{"a":NaN}']

    assert split_array(b"[" + b",".join(elements) + b"]") == elements


def test_too_many_elements_are_refused_as_such() -> None:
    with pytest.raises(ApiError) as refused:
        split_array(b"[" + b"1," * MAX_EVENTS + b"NaN]")
    assert refused.value.status == 413
