"""Whatever `track` is given, it does not raise, and what it makes of it is an event that the server takes."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import json
import math
import pathlib
import re
import uuid
from typing import Any, NamedTuple

import hypothesis
import msgspec
import numpy as np
import pydantic
import pytest
from hypothesis import strategies as st
from turret_client import Client
from turret_client.event import UnsendableError, encode_event

from turret_api.collector.body import decode_event
from turret_api.collector.event import Checked, check

MAX_TEXT = 100_000


class Plan(enum.Enum):
    FREE = "free"


class Level(enum.IntEnum):
    HIGH = 3


class Usage(pydantic.BaseModel):
    tokens: int
    model: str


@dataclasses.dataclass
class Order:
    number: int
    when: dt.date


class Point(NamedTuple):
    x: int
    y: int


class Answer(msgspec.Struct):
    text: str


class Nasty:
    """Raises wherever it is touched, but where Hypothesis has to touch it."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("no")

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("no")


class BadMapping(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        raise RuntimeError("no")


class Plain:
    """Has nothing to say."""


def taken(*args: Any, **given: Any) -> tuple[Checked, dict[str, Any]]:
    """Return the event that the server makes of what the client makes, and its metadata."""
    checked = check(decode_event(encode_event(*args, **given), "event"), MAX_TEXT)
    return checked, json.loads(checked.metadata)


def value_of(value: Any) -> Any:
    return taken("n", {"value": value})[1]["value"]


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("a\0b", "a�b"),
        ("half \ud83d of a pair", "half � of a pair"),
        ("\ud83d\ude00", "😀"),
        ("\\u0000", "\\u0000"),
        ("x" * 100_001, "x" * 99_999 + "…"),
        (math.nan, None),
        (-math.inf, None),
        (2**64 - 1, 2**64 - 1),
        (2**64, "18446744073709551616"),
        (-(2**63) - 1, "-9223372036854775809"),
        (10**5000, "<integer of 16,610 bits>"),
        (True, True),
        (Plan.FREE, "free"),
        (Level.HIGH, 3),
        (decimal.Decimal("1.10"), 1.1),
        (decimal.Decimal("5.00"), 5),
        (decimal.Decimal("NaN"), None),
        (decimal.Decimal("1e400"), "1" + "0" * 400),
        (fractions.Fraction(1, 4), 0.25),
        (1 + 2j, "(1+2j)"),
        (dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC), "2026-01-31T12:00:00+00:00"),
        (dt.date(2026, 1, 31), "2026-01-31"),
        (dt.timedelta(minutes=2), 120.0),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (ipaddress.IPv4Address("10.0.0.1"), "10.0.0.1"),
        (b"text", "text"),
        (bytearray(b"\xff\x00"), "<2 bytes>"),
        (memoryview(b"abc"), "abc"),
        ({3}, [3]),
        ((1, "b"), [1, "b"]),
        (range(3), [0, 1, 2]),
        (collections.deque([1, 2]), [1, 2]),
        ({"a": 1}.values(), [1]),
        ({1: "a", None: "b", False: "c", (1, 2): "d"}, {"1": "a", "null": "b", "false": "c", "[1, 2]": "d"}),
        (Point(1, 2), {"x": 1, "y": 2}),
        (Order(7, dt.date(2026, 1, 31)), {"number": 7, "when": "2026-01-31"}),
        (Usage(tokens=3, model="large"), {"tokens": 3, "model": "large"}),
        (Answer("yes"), {"text": "yes"}),
        ([Usage(tokens=3, model="large")], [{"tokens": 3, "model": "large"}]),
        (np.float32(0.5), 0.5),
        (np.float64("nan"), None),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.arange(3), [0, 1, 2]),
        (np.zeros((1000, 1000)), "<numpy.ndarray>"),
        (ValueError("no"), "ValueError: no"),
        ((each for each in [1]), "<builtins.generator>"),
        (BadMapping(a=1), None),
        (Plain(), None),
        (Nasty(), None),
        (int, "<builtins.type>"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_value_is_sent_as(value: Any, sent: Any) -> None:
    made = value_of(value)
    if sent is None and made is not None:
        assert re.fullmatch(r"<.*\.(BadMapping|Plain|Nasty)>", made)
    else:
        assert made == sent
        assert type(made) is type(sent)


def test_a_value_that_holds_itself_is_cut_where_it_begins_anew() -> None:
    ring: list[Any] = [1]
    ring.append(ring)
    pair: dict[str, Any] = {"a": {}}
    pair["a"]["back"] = pair

    assert value_of(ring) == [1, "<itself>"]
    assert value_of(pair) == {"a": {"back": "<itself>"}}


def test_what_lies_deeper_than_32_levels_is_cut() -> None:
    deep: Any = "bottom"
    for _ in range(5_000):
        deep = [deep]

    made = value_of(deep)

    for _ in range(32):
        (made,) = made
    assert made == "…"


def test_a_value_that_would_grow_without_end_is_cut_in_a_moment() -> None:
    wide: Any = ["x" * 90_000] * 40
    for _ in range(20):
        wide = [wide] * 40

    assert len(encode_event("n", {"wide": wide})) < 8 * 2**20
    assert len(value_of(list(range(1_000_000)))) < 50_000


def test_keys_are_made_fit_and_the_first_256_are_kept() -> None:
    assert taken("n", {"": 1, "k" * 300: 2, "a\0": 3})[1] == {"(empty)": 1, "k" * 199 + "…": 2, "a�": 3}
    assert list(taken("n", {str(n): n for n in range(300)})[1]) == [str(n) for n in range(256)]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("n", {}), "metadata is empty"),
        (("n", None), "metadata must be a dict"),
        (("n", "Where is my order?"), "this is <builtins.str>"),
        (("n", [1]), "this is <builtins.list>"),
        ((None, {"a": 1}), "name is missing"),
        (("  ", {"a": 1}), "name is missing"),
        (("n", {"a": 1}, None, None, True), "timestamp must be"),
        (("n", {"a": 1}, None, None, 1e300), "no time in seconds"),
        (("n", {str(n): chr(0x4E00) * 99_999 for n in range(256)}), "at most 8,388,608 are taken"),
    ],
)  # fmt: skip
def test_what_is_no_event_is_counted_as_lost_with_the_reason(
    given: tuple[Any, ...], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UnsendableError, match=words):
        encode_event(*given)
    with Client("http://127.0.0.1:1", "tw_any") as client:
        client.track(given[0], given[1], timestamp=[*given, None, None, None][4])
    assert client.stats().n_lost_by_cause == {"unsendable": 1}
    assert words in caplog.text


def test_ids_are_texts_and_long_ones_stay_apart() -> None:
    first, second = (taken("n", {"a": 1}, "s" * 500 + end, user_id=uuid.UUID(int=1))[0] for end in "ab")

    assert first.user_id == "00000000-0000-0000-0000-000000000001"
    assert len(first.session_id) == len(second.session_id) == 200
    assert first.session_id != second.session_id
    assert first.session_id == taken("n", {"a": 1}, "s" * 500 + "a")[0].session_id


@pytest.mark.parametrize("event_id", [None, "", " \t"])
def test_an_event_without_an_id_gets_one_from_the_client(event_id: str | None) -> None:
    events = [taken("n", {"a": 1}, event_id=event_id)[0] for _ in range(2)]

    assert all(event.is_named for event in events)
    assert events[0].event_id != events[1].event_id


@pytest.mark.parametrize(
    "timestamp",
    [
        1_767_225_600,
        1_767_225_600.0,
        "2026-01-01T00:00:00Z",
        dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        dt.datetime(2026, 1, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))),
        dt.datetime(2026, 1, 1, tzinfo=dt.UTC).astimezone().replace(tzinfo=None),
    ],
)
def test_a_time_may_be_given_in_many_ways(timestamp: Any) -> None:
    assert taken("n", {"a": 1}, timestamp=timestamp)[0].timestamp_us == 1_767_225_600_000_000


def test_what_is_changed_after_the_call_is_no_part_of_the_event() -> None:
    metadata = {"list": [1]}
    encoded = encode_event("n", metadata)
    metadata["list"].append(2)

    assert json.loads(encoded)["metadata"] == {"list": [1]}


texts = st.text(st.characters(codec=None), max_size=30)
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | texts | st.binary()
    | st.decimals() | st.fractions() | st.datetimes() | st.dates() | st.times() | st.timedeltas() | st.uuids()
    | st.builds(Nasty) | st.builds(Plain) | st.builds(BadMapping) | st.just(int) | st.sampled_from(Plan)
    | st.builds(np.float64, st.floats()) | st.builds(Usage.model_construct, tokens=texts, model=st.none()),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.builds(collections.deque, st.lists(inner))
    | st.dictionaries(texts | st.integers() | st.floats() | st.none(), inner) | st.builds(Order, inner, inner)
    | st.builds(iter, st.lists(inner)) | st.frozensets(st.integers() | texts),
    max_leaves=30,
)  # fmt: skip


keys = texts | st.integers() | st.floats() | st.none() | st.binary() | st.builds(Plain) | st.tuples(texts, st.dates())


@pytest.mark.slow
@hypothesis.given(metadata=st.dictionaries(keys, odd, min_size=1) | odd)
@hypothesis.settings(max_examples=300)
def test_any_metadata_is_sendable_or_lost_and_raises_nothing(metadata: Any) -> None:
    client = Client("http://127.0.0.1:1", "tw_any", linger_s=60)
    client.track("n", metadata)
    stats = client.stats()
    client.close(0)

    assert stats.n_waiting + stats.n_lost == 1
    try:
        encoded = encode_event("n", metadata)
    except UnsendableError:
        assert stats.n_lost_by_cause == {"unsendable": 1}
    else:
        assert check(decode_event(encoded, "event"), MAX_TEXT).is_named


@pytest.mark.slow
@hypothesis.given(arguments=st.tuples(odd, odd, odd, odd, odd, odd))
def test_any_arguments_raise_nothing(arguments: tuple[Any, ...]) -> None:
    name, metadata, session_id, user_id, timestamp, event_id = arguments
    client = Client("http://127.0.0.1:1", "tw_any", linger_s=60)
    client.track(name, metadata, session_id=session_id, user_id=user_id, timestamp=timestamp, event_id=event_id)
    stats = client.stats()
    client.close(0)

    assert stats.n_waiting + stats.n_lost == 1
