"""Large JSON, taken in pieces, becomes what it becomes when it is taken whole."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.collector.test_body import REFUSED, VALUES
from turret_api.collector.body import MAX_EVENTS, MAX_VALUES, decode_event, documents_of, may_have_nul, split_lines
from turret_api.collector.event import check
from turret_api.collector.large import LIGHT, decode_large, encode_large
from turret_api.collector.marks import cuts_of, has_more_marks, n_marks
from turret_api.errors import ApiError

SIZES = st.integers(1, 40)
JSON = st.sampled_from([*b'[]{},:"\\ a1\n'])


@given(VALUES, SIZES, st.booleans(), st.sampled_from([(",", ":"), (" ,\n", " : ")]))
def test_a_document_in_pieces_is_the_document(value: Any, most: int, escaped: bool, separators: Any) -> None:
    document = json.dumps(value, ensure_ascii=escaped, separators=separators).encode()

    assert decode_large(document, most) == msgspec.json.decode(document)
    assert encode_large(msgspec.json.decode(document)) == msgspec.json.encode(msgspec.json.decode(document))


@given(st.lists(JSON, max_size=30).map(bytes), SIZES)
def test_what_is_no_document_is_none_in_pieces_either(inner: bytes, most: int) -> None:
    document = b'{"a":[' + inner + b"]}"
    try:
        whole = msgspec.json.decode(document)
    except msgspec.DecodeError:
        with pytest.raises(msgspec.DecodeError):
            decode_large(document, most)
    else:
        assert decode_large(document, most) == whole


@given(st.lists(JSON, max_size=60).map(bytes), SIZES)
def test_marks_are_found_whatever_the_size_of_the_pieces(body: bytes, size: int) -> None:
    outside = re.sub(rb'"(\\.|[^"\\])*("|\\?$)', b"", body.replace(b"\n", b";"), flags=re.DOTALL)
    if b"\\" not in outside:  # which only texts may hold
        assert n_marks(body, size) == len(re.findall(rb"[,\[{;]", outside))
    array = b"[" + body + b"]"
    whole, pieces = cuts_of(array), cuts_of(array, size)
    assert (whole is None) == (pieces is None)
    assert whole is None or pieces is None or whole.tolist() == pieces.tolist()


@given(st.lists(st.sampled_from([b"", b" ", b"\t\r", b"1", b'{"a": 1}', b" 2 "])), st.sampled_from([b"", b"\n"]))
def test_lines_are_those_that_are_not_blank(lines: list[bytes], end: bytes) -> None:
    wanted = [line for line in lines if line.strip()]
    if wanted:
        assert split_lines(b"\n".join(lines) + end) == wanted
        return
    with pytest.raises(ApiError, match="no event"):
        split_lines(b"\n".join(lines) + end)


def test_too_many_lines_are_counted() -> None:
    with pytest.raises(ApiError, match=f"{MAX_EVENTS + 3:,} events") as refused:
        split_lines(b"1\n" * (MAX_EVENTS + 3))
    assert refused.value.status == 413


def test_a_large_event_is_checked_as_a_small_one() -> None:
    texts = ['a\\"\n', "é", "日本", "😀\u2028", "\x7f,[{"]
    metadata: dict[str, Any] = {f"key {n}": texts[n % 5] * (99_000 // len(texts[n % 5])) for n in range(20)}
    metadata |= {"list": [*metadata.values()], "deep": {"a": {"b": ["c" * 90_000] * 20}}, "n": 1, "x": 0.1, "no": None}
    event = {"name": "n", "event_id": "e", "session_id": "s", "user_id": "u", "metadata": metadata}
    for body in (json.dumps(event).encode(), b" \n" + json.dumps(event, ensure_ascii=False).encode() + b"\n"):
        assert len(body) > 4 * LIGHT
        decoded = decode_event(body)
        assert decoded == event
        assert check(decoded, 100_000, is_large=True) == check(event, 100_000)
        with pytest.raises(ApiError, match="exceeds maximum length"):
            check(decoded, 98_000, is_large=True)


@pytest.mark.parametrize("bad", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_in_a_small_event_is_refused_in_a_large_one(bad: bytes) -> None:
    body = b'{"name":"n","metadata":{"long":"' + b"a" * LIGHT + b'","bad":' + bad + b"}}"
    with pytest.raises(ApiError) as refused:
        decode_event(body, "event")
    assert refused.value.status == 400
    assert "(byte" not in refused.value.message


@pytest.mark.parametrize("place", [0, 1, LIGHT - 3, LIGHT - 1, LIGHT, 3 * LIGHT])
def test_a_nul_is_seen_wherever_it_stands(place: int) -> None:
    text = b"a" * place + rb"\u0000" + b"a" * (LIGHT // 2)
    assert may_have_nul(text)
    assert not may_have_nul(text.replace(rb"\u0000", rb"\u0001"))


def event_of(n_numbers: int) -> bytes:
    return b'{"name":"n","metadata":{"a":[' + b"1," * (n_numbers - 1) + b"1]}}"


def test_an_event_of_a_hundred_thousand_numbers_is_taken_and_one_of_more_is_refused() -> None:
    assert decode_event(event_of(100_000))["metadata"]["a"] == [1] * 100_000
    for body in (event_of(MAX_VALUES), event_of(1_900_000)):
        with pytest.raises(ApiError, match=f"at most {MAX_VALUES:,}") as refused:
            decode_event(body)
        assert refused.value.status == 413
    cut = event_of(MAX_VALUES)[:-1]
    for body in (cut, b'{"name":"n","metadata":{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}}"):
        with pytest.raises(ApiError) as refused:
            decode_event(body)
        assert refused.value.status == 400


def test_marks_in_the_texts_of_an_event_do_not_count_as_values() -> None:
    rows = random.Random(0).choices(',[{\n\\"', k=90_000)
    event = {"name": "n", "metadata": {f"key {n}": "".join(rows) for n in range(20)}}
    body = json.dumps(event).encode()
    assert has_more_marks(body, MAX_VALUES)
    assert decode_event(body) == event


def test_in_an_array_an_event_of_too_many_values_is_refused_alone() -> None:
    documents = documents_of(b"[" + event_of(5) + b"," + event_of(MAX_VALUES) + b"]", "application/json")
    assert documents is not None
    assert decode_event(documents[0])["metadata"]["a"] == [1] * 5
    with pytest.raises(ApiError, match="The event has"):
        decode_event(documents[1])
